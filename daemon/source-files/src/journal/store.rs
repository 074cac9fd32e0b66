//! The journal's files.
#![expect(
    clippy::disallowed_types,
    reason = "this is where they are opened and written"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use carillon_core::service::ServiceKey;
use nix::libc;

use super::line::{parse, write};
use super::trouble::{unkept, unreadable, unusable};
use super::{Answer, Commit, Given, News, Outcome, Request};

/// How many lines more than twice the entries make a compaction worth while.
pub(super) const SLACK: usize = 1000;
/// How much of a file is read at most, in octets.
const LARGEST: u64 = 32 << 20;
/// How many damaged lines are told.
const TOLD: usize = 10;

/// The files, as far as this process has read them.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Where the configuration in force is kept.
    config: PathBuf,
    mark: Mark,
    /// Grows with what others write.
    version: u64,
    /// Something has been read.
    has_read: bool,
    /// It could only be read.
    is_read_only: bool,
    /// The text of the configuration in force, if it has still to be kept.
    unkept: Option<String>,
    /// Gives memory back to the system.
    trim: fn(),
}

/// A place in a version of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// Device and inode; zero if there is no file.
    file: (u64, u64),
    offset: u64,
    lines: usize,
}

/// An opened journal.
struct Opened {
    file: File,
    /// Why it can only be read, if it can.
    read_only: Option<io::Error>,
}

impl Store {
    /// A journal in this file, of which nothing has been read yet, for the daemon of this node. `trim`
    /// is called when the whole of it has been in memory, and is no longer.
    pub fn new(path: PathBuf, node: &str, trim: fn()) -> Self {
        let mut config = OsString::from(path.file_name().unwrap_or_default());
        config.push(format!(".{}.config", node.replace('/', "_")));
        Self {
            config: path.with_file_name(config),
            path,
            mark: Mark::default(),
            version: 0,
            has_read: false,
            is_read_only: false,
            unkept: None,
            trim,
        }
    }

    /// Does what it is asked for; nothing while another daemon has the file locked.
    pub fn answer(&mut self, request: &Request) -> Option<Answer> {
        let mut answer = Answer::default();
        if !self.has_read {
            answer.before = self.before();
        }
        let done = match request {
            Request::Read => self.read(&mut answer),
            Request::Commit(commit) => self.commit(commit, &mut answer),
            Request::Keep(text) => {
                self.unkept = Some(text.clone());
                answer.is_of_config = true;
                Ok(true)
            }
        };
        match done {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                answer.outcome = answer.outcome.and(Some(Outcome::Failed));
                answer.problem = Some(if answer.is_unreadable {
                    unreadable(&self.path, &error)
                } else {
                    unusable(&self.path, &error)
                });
            }
        }
        answer.version = self.version;
        let trouble = self.keep();
        answer.problem = answer.problem.or(trouble);
        Some(answer)
    }

    /// Reads what is new. Returns whether it could be locked.
    fn read(&mut self, answer: &mut Answer) -> io::Result<bool> {
        if self.has_read && !self.is_read_only && self.is_current() {
            return Ok(true);
        }
        let Some(opened) = self.open(false, answer)? else {
            self.miss(answer);
            return Ok(true);
        };
        if !self.lock(&opened.file)? {
            return Ok(false);
        }
        let found = self.read_rest(&opened, answer);
        answer.is_unreadable |= found.is_err();
        found?;
        self.is_read_only = opened.read_only.is_some();
        opened.read_only.map_or(Ok(true), Err)
    }

    /// Writes lines, unless others have written meanwhile. Returns whether it could be locked.
    fn commit(&mut self, commit: &Commit, answer: &mut Answer) -> io::Result<bool> {
        answer.outcome = Some(Outcome::Refused);
        if commit.version != self.version {
            return Ok(true);
        }
        let Some(mut opened) = self.open(true, answer)? else {
            return Ok(true);
        };
        if !self.lock(&opened.file)? {
            return Ok(false);
        }
        self.read_rest(&opened, answer)?;
        if answer.news.is_some() {
            return Ok(true);
        }
        if let Some(error) = opened.read_only.take() {
            return Err(error);
        }
        let mut lines = Vec::new();
        for (service, given) in &commit.lines {
            write(&mut lines, service, given);
        }
        (&opened.file).write_all(&lines)?;
        opened.file.sync_data()?;
        self.mark.offset += lines.len() as u64;
        self.mark.lines += commit.lines.len();
        answer.outcome = Some(Outcome::Written);
        if self.mark.lines > 2 * commit.entries + SLACK {
            // A directory without room or leave for a new file still lets the old one grow.
            let _ = self.compact(&opened.file);
        }
        Ok(true)
    }

    /// Whether nobody has written since the last look.
    fn is_current(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(there) => self.mark.file == identity(&there) && self.mark.offset == there.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => self.mark == Mark::default(),
            Err(_) => false,
        }
    }

    /// There is no file, or no longer.
    fn miss(&mut self, answer: &mut Answer) {
        self.mark = Mark::default();
        self.tell(true, Vec::new(), answer);
    }

    fn tell(&mut self, is_whole: bool, entries: Vec<(ServiceKey, Given)>, answer: &mut Answer) {
        self.has_read = true;
        self.version += 1;
        answer.news = Some(News { is_whole, entries });
    }

    /// Opens the file, whatever may be done with it. `None`: there is none, and none was wanted.
    fn open(&self, creates: bool, answer: &mut Answer) -> io::Result<Option<Opened>> {
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let open = |options: &mut OpenOptions| options.custom_flags(flags).open(&self.path);
        let mut read_only = None;
        let mut opened = open(OpenOptions::new().read(true).append(true));
        if let Err(error) = &opened
            && matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            )
        {
            read_only = Some(io::Error::from(error.kind()));
            opened = open(OpenOptions::new().read(true));
        }
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound && creates => {
                let file = open(OpenOptions::new().read(true).append(true).create_new(true))?;
                sync_directory(&self.path)?;
                Ok(Some(Opened { file, read_only }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                answer.is_unreadable = true;
                Err(error)
            }
            Ok(file) => {
                answer.is_unreadable = !file.metadata()?.is_file();
                if answer.is_unreadable {
                    return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
                }
                Ok(Some(Opened { file, read_only }))
            }
        }
    }

    /// Locks the file, if nobody else has and it is still the one at the path.
    fn lock(&self, file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // It may have been replaced by its compacted version before it was locked.
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok(identity(&there) == identity(&file.metadata()?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is new in the locked file.
    fn read_rest(&mut self, opened: &Opened, answer: &mut Answer) -> io::Result<()> {
        let metadata = opened.file.metadata()?;
        let mut mark = self.mark;
        if mark.file != identity(&metadata) || mark.offset > metadata.len() {
            mark = Mark {
                file: identity(&metadata),
                ..Mark::default()
            };
        }
        let is_whole = mark.offset == 0;
        if mark == self.mark && mark.offset == metadata.len() {
            return Ok(());
        }
        let bytes = read_from(&opened.file, mark.offset)?;
        let mut entries = Vec::new();
        let mut damaged = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            mark.lines += 1;
            mark.offset += line.len() as u64;
            match parse(line) {
                Ok(entry) => entries.extend(entry),
                Err(error) => {
                    damaged += 1;
                    let at = format!("{}:{}", self.path.display(), mark.lines);
                    answer.damaged.push(format!("{at}: {error}; skipped"));
                    answer.damaged.truncate(TOLD);
                }
            }
        }
        if damaged > TOLD {
            let more = damaged - TOLD;
            let path = self.path.display();
            answer
                .damaged
                .push(format!("{path}: {more} more damaged lines; skipped"));
        }
        // A line that was cut short by a crash is ended, so that the next one is whole.
        if bytes.last().is_some_and(|byte| *byte != b'\n') && opened.read_only.is_none() {
            (&opened.file).write_all(b"\n")?;
            mark.offset += 1;
        }
        let was_missing = self.has_read && self.mark == Mark::default();
        self.mark = mark;
        if !entries.is_empty() || is_whole && !(was_missing && bytes.is_empty()) {
            self.tell(is_whole, entries, answer);
        }
        Ok(())
    }

    /// Puts a new file with one line per entry in the place of the old one, whose lock is held.
    fn compact(&mut self, file: &File) -> io::Result<()> {
        let written = read_from(file, 0)?;
        let lines = written.split(|byte| *byte == b'\n').map(parse);
        let mut entries: BTreeMap<_, _> = lines.filter_map(|line| line.ok().flatten()).collect();
        drop(written);
        entries.retain(|_, given| !given.addresses.is_empty());
        let mut bytes = Vec::new();
        for (service, given) in &entries {
            write(&mut bytes, service, given);
        }
        let file = replace(&self.path, &bytes, 0o644)?;
        self.mark = Mark {
            file: identity(&file.metadata()?),
            offset: bytes.len() as u64,
            lines: entries.len(),
        };
        drop((entries, bytes));
        (self.trim)();
        Ok(())
    }

    /// The text of the configuration that was in force before.
    fn before(&self) -> Option<String> {
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.config)
            .ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        String::from_utf8(read_from(&file, 0).ok()?).ok()
    }

    /// Keeps the text of the configuration in force, which may have passwords in it. Returns why that
    /// does not work; it is tried again next time.
    fn keep(&mut self) -> Option<String> {
        let text = self.unkept.take()?;
        if self.before().as_deref() == Some(&text) {
            return None;
        }
        let error = replace(&self.config, text.as_bytes(), 0o600).err()?;
        self.unkept = Some(text);
        Some(unkept(&self.config, &error))
    }
}

/// Puts a new file in the place of what is at the path; it is there as a whole, or not at all.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = options.custom_flags(libc::O_NOFOLLOW).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&temporary, path)?;
    sync_directory(path)?;
    Ok(file)
}

/// Has the name of a file on the disk.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn read_from(mut file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 32 MiB",
        ));
    }
    Ok(bytes)
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
