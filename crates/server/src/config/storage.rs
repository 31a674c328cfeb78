//! Where the database is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    url: Url,
}

/// A path after `sqlite:`, or none for the data directory's own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url(Option<PathBuf>);

impl Storage {
    /// The SQLite file: the one that was named, or else `default`.
    pub fn sqlite_path(&self, default: &Path) -> PathBuf {
        self.url.0.clone().unwrap_or_else(|| default.to_owned())
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err(de::Error::custom(
                "names PostgreSQL, but this version has only SQLite: use sqlite:<path>",
            ));
        }
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.contains('?') => Ok(Self(Some(PathBuf::from(path)))),
            _ => Err(de::Error::custom(
                "must be sqlite:<path>, or empty for postrider.db in the data directory",
            )),
        }
    }
}
