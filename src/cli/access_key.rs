//! The key by which a client command is known to the service.

use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tonic::metadata::{Ascii, MetadataValue};

use super::environment::Environment;
use super::failure::Failure;

pub(crate) const KEY_VARIABLE: &str = "POSTRIDER_KEY";
pub(crate) const KEY_FILE_VARIABLE: &str = "POSTRIDER_KEY_FILE";

/// The first key of a service, in its data directory.
pub(crate) const ADMIN_KEY_FILE: &str = "admin.key";

/// A key and what named it, for the user.
pub(crate) struct AccessKey {
    secret: SecretString,
    pub named_by: String,
}

impl AccessKey {
    /// `--key-file`, then `POSTRIDER_KEY_FILE`, then `POSTRIDER_KEY`, then the first `admin.key` of `folders`.
    pub(crate) fn find(
        key_file: Option<&Path>,
        environment: &Environment,
        folders: &[PathBuf],
    ) -> Result<Self, Failure> {
        if let Some(file) = key_file.map(Path::to_owned).or_else(|| environment.path(KEY_FILE_VARIABLE)) {
            return Self::read(&file);
        }
        if let Some(key) = environment.text(KEY_VARIABLE) {
            return Ok(Self { secret: key.trim().to_owned().into(), named_by: KEY_VARIABLE.to_owned() });
        }
        let files: Vec<PathBuf> = folders.iter().map(|folder| folder.join(ADMIN_KEY_FILE)).collect();
        if let Some(file) = files.iter().find(|file| file.exists()) {
            return Self::read(file);
        }
        let looked: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        Err(Failure::usage(format_args!(
            "no access key: there is no {}; name one with --key-file or {KEY_FILE_VARIABLE}, or the service's data \
             directory with --data-dir",
            looked.join(" and no ")
        )))
    }

    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let problem = || format!("the key file {} cannot be read", file.display());
        let text = std::fs::read_to_string(file).with_context(problem).map_err(Failure::Usage)?;
        Ok(Self { secret: text.trim().to_owned().into(), named_by: file.display().to_string() })
    }

    /// The metadata `authorization` that shows it.
    pub(crate) fn authorization(&self) -> Result<MetadataValue<Ascii>, Failure> {
        let shown = format!("Bearer {}", self.secret.expose_secret());
        // Why: the parse error is dropped, since it must not carry the key anywhere.
        let mut value: MetadataValue<Ascii> = shown
            .parse()
            .map_err(|_| Failure::usage(format_args!("{} does not hold an access key", self.named_by)))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_by(key_file: Option<&Path>, environment: &Environment, folders: &[PathBuf]) -> String {
        AccessKey::find(key_file, environment, folders).expect("a key").named_by
    }

    #[test]
    fn what_is_named_goes_over_what_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, "pr_a_b\n").expect("a file");
            file
        };
        let (flag, variable, admin) = (write("flag.key"), write("variable.key"), write(ADMIN_KEY_FILE));
        let folders = [folder.path().to_owned()];
        let variable_text = variable.to_string_lossy();
        let both = Environment::of(&[(KEY_FILE_VARIABLE, &variable_text), (KEY_VARIABLE, "pr_c_d")]);
        assert_eq!(named_by(Some(&flag), &both, &folders), flag.display().to_string());
        assert_eq!(named_by(None, &both, &folders), variable_text);
        let one = Environment::of(&[(KEY_VARIABLE, "pr_c_d")]);
        assert_eq!(named_by(None, &one, &folders), KEY_VARIABLE);
        assert_eq!(named_by(None, &Environment::default(), &folders), admin.display().to_string());
    }

    #[test]
    fn without_a_key_the_places_looked_at_are_told() {
        let folders = [PathBuf::from("./nowhere-a"), PathBuf::from("./nowhere-b")];
        let failure = AccessKey::find(None, &Environment::default(), &folders).err();
        let Some(Failure::Usage(error)) = failure else { panic!("a usage error") };
        let text = error.to_string();
        assert!(text.contains("./nowhere-a/admin.key") && text.contains("./nowhere-b/admin.key"), "{text}");
    }
}
