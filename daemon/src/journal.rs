//! The allocation journal: which Service has which addresses, kept over restarts.
//!
//! In Kubernetes the status of a Service says which addresses it has. Files have nobody who writes
//! a status, so the journal does: an append-only file of JSON lines, the last line of a service
//! counts, one without addresses ends it. Daemons that share the file agree on addresses: grants
//! are made under its lock after reading what the others appended, so the first grant wins and
//! nothing is given twice.
//!
//! ```text
//!  begin ── lock, read the rest ──▶ set, set, … ──▶ commit ── append (or compact), unlock
//! ```
//!
//! Appended lines are in the kernel's hands before anything is announced and survive the end of the
//! process; the kernel writes them to disk in its own time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use carillon_core::service::ServiceKey;
use carillon_core::sorted::pack;
use nix::libc;

mod line;
#[cfg(test)]
mod tests;

use line::{Line, parse};

/// The journal's name in the directory of the objects, where no other is given.
pub(crate) const NAME: &str = ".carillon-allocations.jsonl";
/// How many lines more than twice the entries make a compaction worth while.
const SLACK: usize = 1000;

/// The journal as this daemon knows it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    entries: BTreeMap<ServiceKey, Entry>,
    /// What has not been written because the file could not be.
    unsaved: BTreeSet<ServiceKey>,
    /// How far the file has been read.
    read: Mark,
    /// The locked file, between begin and commit.
    locked: Option<File>,
    /// Lines to append.
    pending: Vec<u8>,
    problem: Option<String>,
    damaged: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    addresses: Vec<IpAddr>,
    /// Another daemon (or an earlier run of this one) wrote it.
    foreign: bool,
}

/// A place in a version of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    offset: u64,
    lines: usize,
}

/// Another daemon holds the lock; try again soon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Journal {
    /// A journal in this file, of which nothing has been read yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            entries: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            read: Mark::default(),
            locked: None,
            pending: Vec::new(),
            problem: None,
            damaged: Vec::new(),
        }
    }

    /// The addresses of a service, if it has an entry.
    pub(crate) fn addresses(&self, service: &ServiceKey) -> Option<&[IpAddr]> {
        self.entries
            .get(service)
            .map(|entry| entry.addresses.as_slice())
    }

    /// Whether the entry of a service is somebody else's word.
    pub(crate) fn is_foreign(&self, service: &ServiceKey) -> bool {
        self.entries.get(service).is_some_and(|entry| entry.foreign)
    }

    /// The services that have an entry.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.entries.keys()
    }

    /// Why the file cannot be used, if it cannot: addresses are then remembered until the end of
    /// the process only.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What to tell when [`Busy`] does not end.
    pub(crate) fn locked_too_long(&self) -> String {
        let path = self.path.display();
        format!(
            "the journal {path} is locked by another process, and services without an address wait \
             for it: see which with `fuser -v {path}`"
        )
    }

    /// The lines that were skipped because they make no sense, since the last call.
    pub(crate) fn take_damaged(&mut self) -> Vec<String> {
        std::mem::take(&mut self.damaged)
    }

    /// Takes no more memory than the entries need.
    pub(crate) fn pack(&mut self) {
        pack(&mut self.entries);
    }

    /// Locks the file and reads what others have appended. Returns the services whose entries they
    /// changed. A file that cannot be used is a [`Self::problem`], and no reason to stop.
    ///
    /// # Errors
    /// Another daemon is at it.
    pub(crate) fn begin(&mut self) -> Result<BTreeSet<ServiceKey>, Busy> {
        match self.lock() {
            Ok(Some(file)) => match self.read_rest(&file) {
                Ok(changed) => {
                    self.problem = None;
                    self.locked = Some(file);
                    Ok(self.save_unsaved(changed))
                }
                Err(error) => Ok(self.give_up(&error)),
            },
            Ok(None) => Err(Busy),
            Err(error) => Ok(self.give_up(&error)),
        }
    }

    /// Notes the addresses that a service has now; none ends its entry.
    pub(crate) fn set(&mut self, service: &ServiceKey, addresses: &[IpAddr]) {
        if self.addresses(service).unwrap_or_default() == addresses {
            return;
        }
        let line = Line {
            service: service.to_string(),
            addresses: addresses.to_vec(),
        };
        let line = serde_json::to_string(&line).unwrap_or_default();
        self.pending.extend_from_slice(line.as_bytes());
        self.pending.push(b'\n');
        self.apply(service.clone(), addresses.to_vec(), false);
        if self.locked.is_none() {
            self.unsaved.insert(service.clone());
        }
    }

    /// Appends what was set since [`Self::begin`], and unlocks.
    pub(crate) fn commit(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let Some(file) = self.locked.take() else {
            return;
        };
        let is_long = self.read.lines > 2 * self.entries.len() + SLACK;
        // A directory without room or leave for a new file still lets the old one grow.
        let is_written = (is_long && self.compact().is_ok()) || pending.is_empty();
        let result = if is_written {
            Ok(())
        } else {
            self.append(&file, &pending)
        };
        if let Err(error) = result {
            self.unsaved.extend(self.entries.keys().cloned());
            self.give_up(&error);
        }
    }

    /// The file, locked, and certain to be the one at the path; `None` if somebody else has it.
    fn lock(&self) -> io::Result<Option<File>> {
        loop {
            let file = OpenOptions::new()
                .create(true)
                .read(true)
                .append(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&self.path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // It may have been replaced by its compacted version before it was locked.
            match fs::metadata(&self.path) {
                Ok(there) if identity(&there) == identity(&file.metadata()?) => {
                    return Ok(Some(file));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is new in the locked file.
    fn read_rest(&mut self, mut file: &File) -> io::Result<BTreeSet<ServiceKey>> {
        let metadata = file.metadata()?;
        let mut mark = self.read;
        if mark.file != identity(&metadata) || mark.offset > metadata.len() {
            mark = Mark {
                file: identity(&metadata),
                ..Mark::default()
            };
        }
        if mark.offset == metadata.len() && mark.offset > 0 {
            return Ok(BTreeSet::new());
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(mark.offset))?;
        file.read_to_end(&mut bytes)?;
        let whole = mark.offset == 0;
        let before = if whole {
            std::mem::take(&mut self.entries)
        } else {
            BTreeMap::new()
        };
        let mut changed = BTreeSet::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            mark.lines += 1;
            mark.offset += line.len() as u64;
            match parse(line) {
                Ok(Some((service, addresses))) => {
                    self.apply(service.clone(), addresses, true);
                    changed.insert(service);
                }
                Ok(None) => {}
                Err(error) => {
                    let path = self.path.display();
                    self.damaged
                        .push(format!("{path}:{}: {error}; skipped", mark.lines));
                }
            }
        }
        // A line that was cut short by a crash is ended, so that the next one is whole.
        if bytes.last().is_some_and(|byte| *byte != b'\n') {
            file.write_all(b"\n")?;
            mark.offset += 1;
        }
        self.read = mark;
        if whole {
            changed = self.compare(before, bytes.is_empty());
        }
        Ok(changed)
    }

    /// What changed, when the whole file has been read anew. A file that was emptied or deleted
    /// says nothing about the services; what was known of them is written again.
    fn compare(
        &mut self,
        before: BTreeMap<ServiceKey, Entry>,
        empty: bool,
    ) -> BTreeSet<ServiceKey> {
        if empty {
            self.unsaved.extend(before.keys().cloned());
            self.entries = before;
            return BTreeSet::new();
        }
        for key in &self.unsaved {
            if let (false, Some(entry)) = (self.entries.contains_key(key), before.get(key)) {
                self.entries.insert(key.clone(), entry.clone());
            }
        }
        let keys: BTreeSet<ServiceKey> =
            before.keys().chain(self.entries.keys()).cloned().collect();
        let addresses = |entries: &BTreeMap<ServiceKey, Entry>, key: &ServiceKey| {
            entries.get(key).map(|entry| entry.addresses.clone())
        };
        for (key, entry) in &before {
            if let Some(now) = self
                .entries
                .get_mut(key)
                .filter(|now| now.addresses == entry.addresses)
            {
                now.foreign = entry.foreign;
            }
        }
        keys.into_iter()
            .filter(|key| addresses(&before, key) != addresses(&self.entries, key))
            .collect()
    }

    /// Writes what could not be written before, unless others have decided meanwhile.
    fn save_unsaved(&mut self, changed: BTreeSet<ServiceKey>) -> BTreeSet<ServiceKey> {
        for key in std::mem::take(&mut self.unsaved).difference(&changed) {
            let addresses = self.entries.remove(key).map(|entry| entry.addresses);
            self.set(key, &addresses.unwrap_or_default());
        }
        changed
    }

    fn apply(&mut self, service: ServiceKey, addresses: Vec<IpAddr>, foreign: bool) {
        if addresses.is_empty() {
            self.entries.remove(&service);
        } else {
            self.entries.insert(service, Entry { addresses, foreign });
        }
    }

    fn append(&mut self, mut file: &File, lines: &[u8]) -> io::Result<()> {
        file.write_all(lines)?;
        self.read.offset += lines.len() as u64;
        self.read.lines += lines.split_inclusive(|byte| *byte == b'\n').count();
        Ok(())
    }

    /// Puts a new file with one line per entry in the place of the old one, whose lock is held.
    fn compact(&mut self) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = self.path.with_file_name(name);
        let mut file = File::create(&temporary)?;
        let mut bytes = Vec::new();
        for (service, entry) in &self.entries {
            let service = service.to_string();
            let line = Line {
                service,
                addresses: entry.addresses.clone(),
            };
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, &self.path)?;
        self.read = Mark {
            file: identity(&file.metadata()?),
            offset: bytes.len() as u64,
            lines: self.entries.len(),
        };
        Ok(())
    }

    fn give_up(&mut self, error: &io::Error) -> BTreeSet<ServiceKey> {
        self.problem = Some(unusable(&self.path, error));
        BTreeSet::new()
    }
}

/// The addresses by service in a journal that may be in use; whatever cannot be read is left out.
pub(crate) fn recorded(path: &Path) -> BTreeMap<ServiceKey, Vec<IpAddr>> {
    let bytes = fs::read(path).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').map(parse);
    let mut recorded: BTreeMap<_, _> = lines.filter_map(|line| line.ok().flatten()).collect();
    recorded.retain(|_, addresses: &mut Vec<IpAddr>| !addresses.is_empty());
    recorded
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn unusable(path: &Path, error: &io::Error) -> String {
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
