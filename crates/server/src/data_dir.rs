//! The data directory: what lies in it, who may read it, and that one process has it.
//!
//! Rules
//! - It is made with mode 0700. What lies in it is for its owner alone.
//! - One process holds the lock until it ends, however it ends: the system lets go of it.
//! - `endpoints.json` of a process before this one is gone once the lock is held, so that it never names dead ports.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

const LOCK: &str = "postrider.lock";
const DATABASE: &str = "postrider.db";
const ADMIN_KEY: &str = "admin.key";
const ENDPOINTS: &str = "endpoints.json";

/// Held for the life of the process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Where this process is served; what is not served is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SocketAddr>,
    /// Where metrics and probes have a listener of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
}

#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("the data directory {path} is not a directory; name another with --data-dir", path = .0.display())]
    NotADirectory(PathBuf),
    #[error("another postrider has the data directory {path}; stop it, or name another with --data-dir", path = .0.display())]
    Locked(PathBuf),
    #[error(
        "no permission to use {path}; give it to the user that runs postrider, or name another directory with --data-dir",
        path = .0.display()
    )]
    Forbidden(PathBuf),
    #[error("cannot use {path}: {cause}; mend that, or name another directory with --data-dir", path = path.display())]
    Unusable { path: PathBuf, cause: io::Error },
}

impl DataDir {
    /// Makes the directory if it is not there, and locks it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let fault = |cause| DataDirError::of(path, cause);
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault)?;
        }
        if !path.metadata().map_err(fault)?.is_dir() {
            return Err(DataDirError::NotADirectory(path.to_owned()));
        }
        fs::read_dir(path).map_err(fault)?;
        let lock = open_lock(&path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::Locked(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(fault(cause)),
        }
        let opened = Self { path: path.to_owned(), _lock: lock };
        opened.forget_endpoints()?;
        Ok(opened)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub fn admin_key(&self) -> PathBuf {
        self.path.join(ADMIN_KEY)
    }

    pub fn endpoints(&self) -> PathBuf {
        self.path.join(ENDPOINTS)
    }

    /// Renamed into place, so that a reader sees all of it or nothing.
    pub fn write_endpoints(&self, endpoints: &Endpoints) -> Result<(), DataDirError> {
        let path = self.endpoints();
        let text = serde_json::to_vec(endpoints).map_err(|error| DataDirError::of(&path, error.into()))?;
        write_whole(&path, &text)
    }

    fn forget_endpoints(&self) -> Result<(), DataDirError> {
        let path = self.endpoints();
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(DataDirError::of(&path, cause)),
            _ => Ok(()),
        }
    }
}

impl DataDirError {
    fn of(path: &Path, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::PermissionDenied => Self::Forbidden(path.to_owned()),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                Self::NotADirectory(path.to_owned())
            }
            _ => Self::Unusable { path: path.to_owned(), cause },
        }
    }
}

/// Writes a file that is there with all of its bytes, or as it was before.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let draft = path.with_extension("tmp");
    let write = || {
        if draft.exists() {
            fs::remove_file(&draft)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(|cause| DataDirError::of(path, cause))
}

fn open_lock(path: &Path) -> Result<File, DataDirError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|cause| DataDirError::of(path, cause))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_data_directory_is_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let opened = DataDir::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(LOCK)), 0o600);
        assert_eq!(opened.database(), path.join("postrider.db"));
    }

    #[test]
    fn one_process_at_a_time_has_it() {
        let parent = tempfile::tempdir().unwrap();
        let first = DataDir::open(parent.path()).unwrap();
        let second = DataDir::open(parent.path()).unwrap_err();
        assert!(second.to_string().starts_with("another postrider has the data directory"), "{second}");
        drop(first);
        DataDir::open(parent.path()).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_refused_by_name() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        for path in [path.clone(), path.join("below")] {
            let error = DataDir::open(&path).unwrap_err().to_string();
            assert!(error.contains("is not a directory") && error.contains("--data-dir"), "{error}");
        }
    }

    #[test]
    fn endpoints_are_whole_and_those_of_an_earlier_process_are_gone() {
        let parent = tempfile::tempdir().unwrap();
        let opened = DataDir::open(parent.path()).unwrap();
        let grpc = Some(SocketAddr::from(([127, 0, 0, 1], 50051)));
        opened.write_endpoints(&Endpoints { grpc, ..Endpoints::default() }).unwrap();
        let path = opened.endpoints();
        assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"grpc":"127.0.0.1:50051"}"#);
        drop(opened);
        let _opened = DataDir::open(parent.path()).unwrap();
        assert!(!path.exists());
    }
}
