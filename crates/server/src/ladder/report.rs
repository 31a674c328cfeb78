//! What a test tells, step by step.

use std::time::Duration;

use postrider_domain::{Finding, MessageId};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Shape,
    Directory,
    Credential,
    Permission,
    Send,
}

impl Step {
    const ALL: [Self; 5] = [Self::Shape, Self::Directory, Self::Credential, Self::Permission, Self::Send];

    fn name(self) -> &'static str {
        match self {
            Self::Shape => "SHAPE",
            Self::Directory => "DIRECTORY",
            Self::Credential => "CREDENTIAL",
            Self::Permission => "PERMISSION",
            Self::Send => "SEND",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepStatus {
    Passed,
    Warned,
    Failed,
    Skipped,
}

#[derive(Debug)]
pub(crate) struct StepResult {
    pub step: Step,
    pub status: StepStatus,
    /// What it did and saw, or why it was skipped.
    pub detail: String,
    pub findings: Vec<Finding>,
    /// Absent where it was skipped.
    pub duration: Option<Duration>,
}

/// What of a test happens, for whoever looks on.
pub(crate) enum Progress<'a> {
    Began(Step),
    Ended(&'a StepResult),
}

pub(crate) type Teller = Box<dyn Fn(Progress<'_>) + Send + Sync>;

pub(crate) struct Report {
    tell: Teller,
    pub steps: Vec<StepResult>,
    /// The test mail, if one was made.
    pub message: Option<MessageId>,
    /// Whether this very call saw its mail taken. An earlier one tells nothing of the settings as they are now.
    pub proven: bool,
}

/// What a step gives to the next, with what it did and what it advises; or what is wrong.
pub(super) type Noted<T> = Result<(T, String, Vec<Finding>), Wrong>;

/// A step that failed: what it did, and what is wrong.
#[derive(Debug)]
pub(super) struct Wrong {
    pub detail: String,
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn told_by(tell: Teller) -> Self {
        Self { tell, steps: Vec::new(), message: None, proven: false }
    }

    /// A step is under way from now on.
    pub(super) fn begins(&self, step: Step) -> Instant {
        (self.tell)(Progress::Began(step));
        Instant::now()
    }

    pub(super) fn note(&mut self, result: StepResult) {
        (self.tell)(Progress::Ended(&result));
        self.steps.push(result);
    }

    /// Notes a step, and hands on what it gives to the next.
    pub(super) fn step<T>(&mut self, step: Step, started: Instant, result: Noted<T>) -> Option<T> {
        let (value, status, detail, findings) = match result {
            Ok((value, detail, advice)) => {
                let status = if advice.is_empty() { StepStatus::Passed } else { StepStatus::Warned };
                (Some(value), status, detail, advice)
            }
            Err(Wrong { detail, findings }) => (None, StepStatus::Failed, detail, findings),
        };
        self.note(StepResult { step, status, detail, findings, duration: Some(started.elapsed()) });
        value
    }

    /// A step after a failed one, tried for what more it could tell, which was nothing: the ladder ended before it.
    pub(super) fn told_nothing(&mut self, step: Step, started: Instant, detail: &str) {
        let (status, detail, findings) = (StepStatus::Skipped, detail.to_owned(), Vec::new());
        self.note(StepResult { step, status, detail, findings, duration: Some(started.elapsed()) });
    }

    /// The steps that were not reached, with the reason: others failed, or the test was to go no further.
    pub(super) fn rest_skipped(mut self) -> Self {
        let failed = self.steps.iter().filter(|step| step.status == StepStatus::Failed);
        let failed: Vec<_> = failed.map(|failed| failed.step.name()).collect();
        let detail = if failed.is_empty() {
            "not tried: the test's level ends before it".to_owned()
        } else {
            format!("not tried: {} failed", failed.join(" and "))
        };
        for step in Step::ALL.into_iter().skip(self.steps.len()) {
            let (status, duration) = (StepStatus::Skipped, None);
            let (detail, findings) = (detail.clone(), Vec::new());
            self.note(StepResult { step, status, detail, findings, duration });
        }
        self
    }

    pub(crate) fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.status != StepStatus::Failed)
    }
}
