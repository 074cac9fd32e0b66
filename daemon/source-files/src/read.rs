//! Reading one file or directory without trusting it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carillon_core::yaml::{self, SyntaxError};
use nix::libc;

use carillon_objects::source::Problem;

/// The longest file that is read.
const MAX_BYTES: u64 = 32 << 20;

/// Why a file is not read, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A pipe, device, socket or directory: reading it could block or never end.
    #[error("is {0}, not a file: rename or remove it")]
    NotAFile(&'static str),
    /// It is longer than any sensible collection of objects.
    #[error("is longer than 32 MiB: split it into several files")]
    TooLong,
    /// It is not text.
    #[error(
        "line {}, column {}: {}, or rename it if it is no YAML file", .0.position.line,
        .0.position.column, .0.message
    )]
    NotText(SyntaxError),
    /// A symbolic link, and nothing where it leads to.
    #[error("is a symbolic link to {0}, which does not exist: mend or remove it")]
    Dangling(String),
    /// The system refuses.
    #[error("cannot be read: {0}{remedy}", remedy = remedy(.0))]
    Io(#[from] io::Error),
}

/// What to do about a file or directory that cannot be read, where that can be told.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => ": give the user that runs carillon the right to read it",
        _ => "",
    }
}

/// Whether a file of this name is one with objects: `.yaml`, `.yml` or `.json`, and not hidden.
pub(super) fn is_object_file(name: impl AsRef<OsStr>) -> bool {
    let name = name.as_ref();
    let extension = Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str());
    !name.as_encoded_bytes().starts_with(b".") && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Whether a file of this name is none with objects, though it looks like one: `web.YAML`.
pub(super) fn is_miscased(name: &OsStr) -> bool {
    let small = name.to_ascii_lowercase();
    !is_object_file(name) && is_object_file(small)
}

/// The files of a directory that are to be read.
#[derive(Debug, Default)]
pub struct Listing {
    /// Their names.
    pub names: BTreeSet<Arc<str>>,
    /// What is to say of those that are not read for the sake of their names.
    pub misnamed: Vec<Problem>,
}

/// Lists a directory.
///
/// # Errors
/// It cannot be read, and what to do about that.
pub fn list(dir: &Path) -> Result<Listing, String> {
    let cannot = |error: io::Error| {
        let remedy = match error.kind() {
            ErrorKind::NotFound => ": create it, or name another one",
            ErrorKind::NotADirectory => ": name the directory in which the files are",
            _ => remedy(&error),
        };
        format!(
            "the directory {} cannot be read: {error}{remedy}",
            dir.display()
        )
    };
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        match name.to_str() {
            _ if is_miscased(&name) => {
                let why = "its extension is not in small letters";
                listing.misnamed.push(misnamed(dir, &name, why));
            }
            _ if !is_object_file(&name) => {}
            Some(name) => drop(listing.names.insert(name.into())),
            None => {
                let why = "its name is not UTF-8";
                listing.misnamed.push(misnamed(dir, &name, why));
            }
        }
    }
    listing.misnamed.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(listing)
}

fn misnamed(dir: &Path, name: &OsStr, why: &str) -> Problem {
    let file = if let Some(name) = name.to_str() {
        label(&dir.join(name)).to_string()
    } else {
        let name = name.as_encoded_bytes().escape_ascii();
        format!("{}/{name}", label(dir))
    };
    Problem {
        file,
        at: None,
        object: None,
        message: format!("is not read, since {why}: rename it"),
        keeps_last: false,
    }
}

/// The text of a file, or `None` if there is no such file. Never blocks on pipes or devices.
///
/// # Errors
/// The file is there, but is no text file of sensible size that may be read.
pub fn read_text(path: &Path) -> Result<Option<String>, ReadError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return absent(path, error),
    };
    check(&metadata)?;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => return absent(path, error),
    };
    check(&file.metadata()?)?;
    read_from(&mut &file).map(Some)
}

/// What it means that there is nothing to read. Only what has no entry in its directory is gone.
fn absent(path: &Path, error: io::Error) -> Result<Option<String>, ReadError> {
    if error.kind() != ErrorKind::NotFound {
        return Err(error.into());
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(there) if there.is_symlink() => {
            let target = fs::read_link(path)?;
            Err(ReadError::Dangling(label(&target).to_string()))
        }
        // It has just been written, which the kernel will tell.
        Ok(_) => Err(error.into()),
    }
}

fn check(metadata: &fs::Metadata) -> Result<(), ReadError> {
    let kind = metadata.file_type();
    if !kind.is_file() {
        return Err(ReadError::NotAFile(match kind {
            kind if kind.is_dir() => "a directory",
            kind if kind.is_fifo() => "a named pipe",
            kind if kind.is_socket() => "a socket",
            _ => "a device",
        }));
    }
    if metadata.len() > MAX_BYTES {
        Err(ReadError::TooLong)
    } else {
        Ok(())
    }
}

/// Reads a text until the end or the limit: a file may grow meanwhile.
///
/// # Errors
/// It is no text of sensible size.
pub fn read_from(from: &mut dyn Read) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLong);
    }
    yaml::decode(bytes).map_err(ReadError::NotText)
}

/// What tells versions of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file that a path leads to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// How long ago it was changed. A change in the future is long ago: clocks may have been set.
    pub(super) fn age(self, now: SystemTime) -> Duration {
        let seconds = u64::try_from(self.changed.0).unwrap_or_default();
        let nanoseconds = u32::try_from(self.changed.1).unwrap_or_default();
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds.min(999_999_999));
        now.duration_since(changed).unwrap_or(Duration::MAX)
    }
}

/// What users are told of a file: its path, on one line whatever is in it, and no other file's.
pub fn label(path: &Path) -> Arc<str> {
    let path = path.to_string_lossy();
    let is_plain = !path.chars().any(|c| c == '\\' || confuses(c));
    if is_plain {
        return path.into();
    }
    let escaped = path.chars().map(|c| match c {
        // Or else it could be the name of another file.
        '\\' => "\\\\".to_owned(),
        c if confuses(c) => c.escape_default().to_string(),
        c => c.to_string(),
    });
    escaped.collect::<String>().into()
}

/// Whether a character moves the cursor of who reads it, or turns the line around.
fn confuses(c: char) -> bool {
    let is_mark =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_mark
}
