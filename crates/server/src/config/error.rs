//! What is wrong with the configuration, in one sentence for the operator.

use std::fmt;
use std::path::PathBuf;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment as {}", name.escape_debug()),
            Self::CommandLine => f.write_str("the command line"),
        }
    }
}

/// Never prints a value: one may be a secret that went astray.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {path}: {cause}; give --config a file that can be read", path = path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("{path} is not TOML: {problem}", path = path.display())]
    NotToml { path: PathBuf, problem: String },
    #[error("unknown key `{}`, set by {origin}: {mend}", key.escape_debug())]
    UnknownKey { key: String, origin: String, mend: String },
    #[error("`{key}`, set by {origin}, {problem}")]
    Value { key: String, origin: String, problem: String },
}
