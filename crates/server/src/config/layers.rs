//! Defaults, file, environment and command line laid over each other, with where each value came from.

use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat, Source, Value, ValueKind};
use postrider_domain::SourceName;
use serde::de::DeserializeOwned;

use super::error::{ConfigError, Origin};
use super::{DATA_DIR_VARIABLE, DEFAULTS, federated};

/// What begins a name of the environment that may be configuration, and what parts its section from its key.
const PREFIX: &str = "POSTRIDER_";
const SEPARATOR: &str = "__";

/// The value of each key and its origin: the keys of the defaults, and those of sources by whatever names they have.
pub(super) struct Layers(BTreeMap<String, (Value, Origin)>);

impl Layers {
    pub(super) fn read(
        file: Option<&Path>,
        environment: &[(String, String)],
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::defaults()?;
        if let Some(path) = file {
            let origin = Origin::File(path.to_owned());
            for (key, value) in read_file(path)? {
                layers.set(key, value, origin.clone())?;
            }
        }
        for (name, value) in environment {
            if let Some(key) = key_of_variable(name) {
                layers.set(key, Value::from(value.as_str()), Origin::Environment(name.clone()))?;
            }
        }
        for (key, value) in overrides {
            layers.set(key.clone(), Value::from(value.as_str()), Origin::CommandLine)?;
        }
        Ok(layers)
    }

    fn defaults() -> Result<Self, ConfigError> {
        let values = parse(DEFAULTS)
            .map_err(|problem| ConfigError::NotToml { path: "config.default.toml".into(), problem })?;
        Ok(Self(values.into_iter().map(|(key, value)| (key, (value, Origin::Default))).collect()))
    }

    fn set(&mut self, key: String, value: Value, origin: Origin) -> Result<(), ConfigError> {
        match self.0.get_mut(&key) {
            Some(slot) => {
                *slot = (value, origin);
                Ok(())
            }
            None if is_of_source(&key) => {
                self.0.insert(key, (value, origin));
                Ok(())
            }
            None => Err(ConfigError::UnknownKey { mend: self.mend(&key), origin: origin.to_string(), key }),
        }
    }

    /// The keys there are, of the same section where there is such a one.
    fn mend(&self, unknown: &str) -> String {
        let section = unknown.split('.').next().unwrap_or_default();
        if section == federated::SECTION {
            let keys = federated::KEYS.join(", ");
            return format!("mend or remove it; the keys of {section}.<name> are {keys}");
        }
        let keys: Vec<_> =
            self.0.keys().filter_map(|key| key.strip_prefix(section)?.strip_prefix('.')).collect();
        if keys.is_empty() {
            let mut sections: Vec<_> = self.0.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
            sections.push(federated::SECTION);
            sections.sort_unstable();
            sections.dedup();
            format!("mend or remove it; the sections are {}", sections.join(", "))
        } else {
            format!("mend or remove it; the keys of {section} are {}", keys.join(", "))
        }
    }

    pub(super) fn deserialize<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut builder = config::Config::builder();
        for (key, (value, _)) in &self.0 {
            builder = builder.set_override(key, value.clone()).map_err(|error| self.explain(error))?;
        }
        let merged = builder.build().map_err(|error| self.explain(error))?;
        merged.try_deserialize().map_err(|error| self.explain(error))
    }

    fn explain(&self, error: config::ConfigError) -> ConfigError {
        match error {
            config::ConfigError::At { key: Some(key), error, .. } => self.blame(&key, error.to_string()),
            config::ConfigError::Type { key: Some(key), expected: "an integer", .. } => {
                self.blame(&key, "must be a whole number".to_owned())
            }
            config::ConfigError::Type { key: Some(key), expected, .. } => {
                self.blame(&key, format!("must be {expected}"))
            }
            other => self.blame("", other.to_string()),
        }
    }

    /// The error of a value that does not hold.
    pub(super) fn blame(&self, key: &str, problem: String) -> ConfigError {
        let origin = self.0.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::Value { key: key.to_owned(), origin: origin.to_string(), problem }
    }
}

/// `federated.<name>.<key>`.
fn is_of_source(key: &str) -> bool {
    let mut parts = key.split('.');
    let [section, name, key, rest] = [(); 4].map(|()| parts.next());
    section == Some(federated::SECTION)
        && name.is_some_and(|name| SourceName::parse(name).is_ok())
        && key.is_some_and(|key| federated::KEYS.contains(&key))
        && rest.is_none()
}

/// `POSTRIDER_LISTEN__GRPC` is `listen.grpc`; a name that is not configuration is nothing.
fn key_of_variable(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX).filter(|_| name != DATA_DIR_VARIABLE)?;
    rest.contains(SEPARATOR).then(|| rest.to_ascii_lowercase().replace(SEPARATOR, "."))
}

fn read_file(path: &Path) -> Result<BTreeMap<String, Value>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    parse(&text).map_err(|problem| ConfigError::NotToml { path: path.to_owned(), problem })
}

/// The leaves of a TOML text by their dotted keys.
fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let tables = File::from_str(text, FileFormat::Toml).collect().map_err(|error| first_line(&error))?;
    let mut leaves = BTreeMap::new();
    flatten("", tables, &mut leaves);
    Ok(leaves)
}

fn flatten(
    prefix: &str,
    table: impl IntoIterator<Item = (String, Value)>,
    leaves: &mut BTreeMap<String, Value>,
) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(inner) => flatten(&key, inner, leaves),
            _ => drop(leaves.insert(key, value)),
        }
    }
}

/// Where the parser stopped; its further lines quote the text, which may hold a secret.
fn first_line(error: &config::ConfigError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
