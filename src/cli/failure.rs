//! How a command ends when it did not simply succeed, and the exit code that says so.

use std::io;
use std::process::ExitCode;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The answer is printed, and it is no: a test not passed, a mail not sent.
    Answered,
    /// Whoever read standard output has gone, as `head` does. Nothing is wrong.
    ReaderGone,
    /// It could not be done.
    Failed(anyhow::Error),
    /// It was asked for wrongly, or the configuration does not hold.
    Usage(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(problem: impl std::fmt::Display) -> Self {
        Self::Usage(anyhow::anyhow!("{problem}"))
    }

    /// Prints what there is to say, with its causes.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::ReaderGone => ExitCode::SUCCESS,
            Self::Answered => ExitCode::FAILURE,
            Self::Failed(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
            Self::Usage(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        }
    }
}

impl From<Failure> for anyhow::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(error) | Failure::Usage(error) => error,
            Failure::Answered => anyhow::anyhow!("the answer is no"),
            Failure::ReaderGone => anyhow::anyhow!("nobody reads standard output"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Failed(error.into()) }
    }
}
