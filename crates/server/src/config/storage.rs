//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    url: Url,
    /// Bytes of free disk below which no new mail is accepted into SQLite.
    pub free_bytes_min: u64,
}

#[derive(Debug, Clone)]
enum Url {
    /// In the data directory.
    Own,
    Sqlite(PathBuf),
    /// May hold a password.
    Postgres(SecretString),
}

/// Which database it is.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(SecretString),
}

impl Database {
    /// Whether it is known to be there. Of a server that is told only once it is asked.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Sqlite(file) if file.exists())
    }
}

/// Without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "{}", file.display()),
            Self::Postgres(_) => f.write_str("the database of storage.url"),
        }
    }
}

impl Storage {
    /// The one that was named, or else the SQLite file `default`.
    pub fn database(&self, default: &Path) -> Database {
        match &self.url {
            Url::Own => Database::Sqlite(default.to_owned()),
            Url::Sqlite(path) => Database::Sqlite(path.clone()),
            Url::Postgres(url) => Database::Postgres(url.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(Self::Own);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.into()));
        }
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.contains('?') => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(de::Error::custom(
                "must be sqlite:<path> or postgres://…, or empty for postrider.db in the data directory",
            )),
        }
    }
}
