//! What users are told when the journal cannot be used, and what to do about it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// That the journal cannot be written.
pub(super) fn unusable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "create its directory",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "give the user that runs carillon the right to write it"
        }
        ErrorKind::StorageFull => "make room on the disk",
        _ => "make it a writable file",
    };
    format!(
        "the journal {} cannot be used: {error}. Services may get other addresses after a restart: \
         {remedy}, or name another file with --state",
        path.display()
    )
}

/// That the journal cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    let (error, remedy) = match error.kind() {
        _ if is_link => (
            "it is a symbolic link, which is not followed".to_owned(),
            "name the file that it leads to with --state",
        ),
        ErrorKind::PermissionDenied => (
            error.to_string(),
            "give the user that runs carillon the right to read and write it",
        ),
        _ => (
            error.to_string(),
            "put a file there, or name another one with --state",
        ),
    };
    format!(
        "the journal {} cannot be read: {error}. Until it can be, nobody knows who has which address, so \
         services get none, and a daemon that has just been started announces none: {remedy}",
        path.display()
    )
}

/// That the configuration in force cannot be kept beside it.
pub(super) fn unkept(path: &Path, error: &io::Error) -> String {
    format!(
        "the configuration in force cannot be kept in {}: {error}. A restart while a newer one waits \
         will not know it: make the file writable, or name another place with --state",
        path.display()
    )
}
