//! Files that not everybody may read: the local key, the first access key, and what Postrider logs in to Vault with.
//!
//! Written whole under another name and then linked to their own, which fails if that name is taken: after a crash the
//! file is there whole or not at all (a hidden draft, as private, may be left), and no file is ever replaced. Rights
//! are looked at on the opened file, before a byte of it is read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Far more than any such file has, so that a wrong path cannot fill the memory.
const BYTES_MAX: u64 = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    #[error("{} is missing", path.display())]
    Missing { path: PathBuf },
    #[error("{} is already there", path.display())]
    AlreadyThere { path: PathBuf },
    #[error("{p} may be used by others than its owner (mode {mode:04o}): run `chmod 600 {p}`", p = path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("{} is not a plain text file", path.display())]
    NotText { path: PathBuf },
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot write {}", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Makes a file of mode 0600, on disk when this returns. One that is already there is left alone.
pub fn write_private_file(path: &Path, contents: &[u8]) -> Result<(), PrivateFileError> {
    write_new(path, contents).map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => PrivateFileError::AlreadyThere { path: path.to_owned() },
        _ => PrivateFileError::Unwritable { path: path.to_owned(), cause },
    })
}

/// Puts other contents in a file's place: it is there with all of them, or as it was before.
pub(crate) fn replace_private_file(path: &Path, contents: &[u8]) -> Result<(), PrivateFileError> {
    replace(path, contents).map_err(|cause| PrivateFileError::Unwritable { path: path.to_owned(), cause })
}

/// Refuses a file that anyone but its owner may read or write.
pub fn read_private_file(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    read_file(path, 0o077)
}

/// For a file in a folder that somebody else guards, such as systemd's or Kubernetes': its group may read it too.
pub(crate) fn read_credential_file(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    read_file(path, 0o037)
}

/// For what is no secret, or is one that a platform hands out with rights of its own choice.
pub(crate) fn read_shared_file(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    read_file(path, 0)
}

fn read_file(path: &Path, too_open: u32) -> Result<Zeroizing<String>, PrivateFileError> {
    let unreadable = |cause: io::Error| match cause.kind() {
        ErrorKind::NotFound => PrivateFileError::Missing { path: path.to_owned() },
        ErrorKind::InvalidData => PrivateFileError::NotText { path: path.to_owned() },
        _ => PrivateFileError::Unreadable { path: path.to_owned(), cause },
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(PrivateFileError::NotText { path: path.to_owned() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & too_open != 0 {
        return Err(PrivateFileError::TooOpen { path: path.to_owned(), mode });
    }
    // Why the capacity: a string that grows leaves copies of what it held behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(BYTES_MAX).unwrap_or_default() + 1));
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let (folder, draft) = draft_of(path)?;
    let written = write_draft(&draft, contents).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    written.and(removed)?;
    File::open(folder)?.sync_all()
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let (folder, draft) = draft_of(path)?;
    let replaced = write_draft(&draft, contents).and_then(|()| fs::rename(&draft, path));
    if replaced.is_err() {
        drop(fs::remove_file(&draft));
    }
    replaced?;
    remove_drafts(path, folder)?;
    File::open(folder)?.sync_all()
}

/// What writers that died left: it may hold what was just replaced.
fn remove_drafts(path: &Path, folder: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!(".{name}.");
    for entry in fs::read_dir(folder)? {
        let entry = entry?.file_name();
        let id = entry.to_str().and_then(|name| name.strip_prefix(&start));
        if id.is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()) {
            fs::remove_file(folder.join(&entry))?;
        }
    }
    Ok(())
}

/// The folder of a file, and a name in it that is nobody's.
fn draft_of(path: &Path) -> io::Result<(&Path, PathBuf)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder, folder.join(format!(".{}.{}", name.to_string_lossy(), uuid::Uuid::new_v4()))))
}

fn write_draft(draft: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_its_owners_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        write_private_file(&path, b"pr_1\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(read_private_file(&path).unwrap().as_str(), "pr_1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_already_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        write_private_file(&path, b"first").unwrap();
        let refused = write_private_file(&path, b"second").unwrap_err();
        assert!(matches!(refused, PrivateFileError::AlreadyThere { .. }), "{refused}");
        assert_eq!(read_private_file(&path).unwrap().as_str(), "first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_open_to_others_is_refused_with_its_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        write_private_file(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = read_private_file(&path).unwrap_err().to_string();
            let p = path.display();
            assert_eq!(
                refused,
                format!("{p} may be used by others than its owner (mode {mode:04o}): run `chmod 600 {p}`")
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read_private_file(&path).is_ok(), "less than 0600 is no fault");
    }

    #[test]
    fn what_is_missing_a_folder_huge_or_no_text_is_said_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_private_file(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, PrivateFileError::Missing { .. }), "{missing}");
        let not_text = |path: &Path| matches!(read_private_file(path), Err(PrivateFileError::NotText { .. }));
        assert!(not_text(folder.path()));
        for (name, contents) in [("huge", vec![b'a'; 20_000]), ("bytes", vec![0xff, 0xfe])] {
            let path = folder.path().join(name);
            write_private_file(&path, &contents).unwrap();
            assert!(not_text(&path), "{name}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_stays_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        write_private_file(&path, b"first").unwrap();
        replace_private_file(&path, b"second").unwrap();
        assert_eq!(read_private_file(&path).unwrap().as_str(), "second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_replaced_file_lives_on_in_no_draft_of_a_writer_that_died() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postrider.key");
        write_private_file(&path, b"first").unwrap();
        let left = draft_of(&path).unwrap().1;
        let others = [".postrider.key.bak", ".admin.key.8a1ce0e4-5b0f-4ea6-9b57-27ee2ac6e4ba"];
        fs::write(&left, "first").unwrap();
        for other in others {
            fs::write(folder.path().join(other), "").unwrap();
        }
        replace_private_file(&path, b"second").unwrap();
        assert!(!left.exists());
        assert!(others.iter().all(|other| folder.path().join(other).exists()));
    }

    #[test]
    fn a_file_in_a_folder_that_others_guard_may_be_its_groups_but_not_everybodys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-id");
        write_private_file(&path, b"secret").unwrap();
        for (mode, is_read) in [(0o400, true), (0o440, true), (0o640, true), (0o644, false), (0o660, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_credential_file(&path).is_ok(), is_read, "{mode:o}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let refused = write_private_file(&folder.path().join("none/admin.key"), b"x").unwrap_err();
        assert!(matches!(refused, PrivateFileError::Unwritable { .. }), "{refused}");
    }
}
