//! The process's environment, read once.
//!
//! Nothing else under `src` asks for it; what needs a value gets it from here, so that tests need no environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variables, as they stood at the start.
#[derive(Debug, Default)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    pub(crate) fn read() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// An empty variable counts as none.
    fn get(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// All that can be read as text, for the configuration to choose from.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let text = |(name, value): &(OsString, OsString)| {
            Some((name.to_str()?.to_owned(), value.to_string_lossy().into_owned()))
        };
        self.0.iter().filter_map(text).collect()
    }

    /// Whether the user wants no colours: `NO_COLOR`, or a terminal that has none.
    pub(crate) fn refuses_colours(&self) -> bool {
        self.get("NO_COLOR").is_some() || self.get("TERM").is_some_and(|term| term == "dumb")
    }
}

#[cfg(test)]
impl Environment {
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
