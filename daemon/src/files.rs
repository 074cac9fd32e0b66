//! The files source: a directory of Kubernetes objects, watched.
//!
//! ```text
//!  inotify ─▶ Watch ─Notice─▶ Agenda ─names─▶ read ─▶ Catalog ─Batch─▶ driver
//! ```
//!
//! It has a thread of its own, so that neither a slow disk nor the parsing of a large directory
//! holds up the protocols. What cannot be read or understood never takes anything away: the last
//! good version stays in force.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;

use carillon_objects::source::{
    Batch, Change, Description, Feed, Followed, LISTED, Problem, Problems,
};
use carillon_objects::{ObjectKey, is_blank};

mod agenda;
mod allocation;
mod catalog;
pub(crate) mod journal;
mod read;
#[cfg(test)]
mod tests;
mod watch;

use agenda::{Agenda, SETTLED, Scan};
pub(crate) use allocation::{JournalAllocation, Word};
pub(crate) use catalog::{Catalog, Contents};
use journal::Store;
pub(crate) use read::{Listing, list, read_from, read_text};
use watch::Watch;

/// How many batches may wait for the driver; then reading waits too, and changes collect in the
/// directory.
const QUEUE: usize = 64;
/// How many files a routine scan compares before it sees to what the kernel has told meanwhile.
const STRIDE: usize = 64;

/// What the files source reads.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The ConfigMap that holds the configuration; all others are passed over.
    pub(crate) config: ObjectKey,
    /// The allocation journal, whose changes are told too.
    pub(crate) journal: PathBuf,
}

/// Why a directory cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// There is no thread to read it.
    #[error("cannot start to read files")]
    Files(#[source] io::Error),
    /// There is no thread for the journal.
    #[error("cannot start to keep a journal")]
    Journal(#[source] io::Error),
}

/// Starts to follow a directory, for the services of this class on this node.
///
/// # Errors
/// No thread can be had.
pub(crate) fn follow(
    options: Options,
    node: &str,
    class: Option<String>,
) -> Result<Followed, StartError> {
    let location = options.dir.display().to_string();
    let store = Store::new(options.journal.clone(), node);
    let batches = spawn(options).map_err(StartError::Files)?;
    let (requests, answers) = journal::spawn(store).map_err(StartError::Journal)?;
    let allocation = JournalAllocation::new(class, requests);
    Ok(Followed {
        description: Description {
            name: location.clone(),
            how_to_configure: "write it into a *.yaml file there".to_owned(),
        },
        location,
        source: Box::new(Feed::new(allocation, batches).with_keeper(answers)),
        leave: Box::pin(std::future::ready(())),
    })
}

/// Starts to read and watch. The receiver's end ends the source.
///
/// # Errors
/// No thread can be had.
pub(crate) fn spawn(options: Options) -> io::Result<mpsc::Receiver<Batch<Word>>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let source = Source::new(options);
    std::thread::Builder::new()
        .name("files".to_owned())
        .spawn(move || source.run(&sender))?;
    Ok(receiver)
}

struct Source {
    dir: PathBuf,
    journal: PathBuf,
    /// The version of the journal that was told last.
    journal_stamp: Option<read::Stamp>,
    watch: Watch,
    agenda: Agenda,
    catalog: Catalog,
    /// The version of each file that was read last; `None` if it is not certain that it was
    /// complete.
    stamps: HashMap<Arc<str>, Option<read::Stamp>>,
    /// The files that a routine scan has still to compare.
    backlog: VecDeque<Arc<str>>,
    /// What is to say of files that are not read for the sake of their names.
    misnamed: Vec<Problem>,
    misnamed_changed: bool,
    synced: bool,
    told: Arc<Problems>,
}

impl Source {
    fn new(options: Options) -> Self {
        Self {
            watch: Watch::new(&options.dir, &options.journal),
            agenda: Agenda::new(Instant::now()),
            catalog: Catalog::new(options.config),
            stamps: HashMap::new(),
            backlog: VecDeque::new(),
            misnamed: Vec::new(),
            misnamed_changed: false,
            synced: false,
            told: Arc::default(),
            dir: options.dir,
            journal: options.journal,
            journal_stamp: None,
        }
    }

    fn run(mut self, sender: &mpsc::Sender<Batch<Word>>) {
        while !sender.is_closed() {
            let batch = self.step();
            if !batch.is_empty() && sender.blocking_send(batch).is_err() {
                return;
            }
            let now = Instant::now();
            let next = if self.backlog.is_empty() {
                self.agenda.next()
            } else {
                now
            };
            self.watch.wait(next.saturating_duration_since(now));
        }
    }

    /// Looks at all that is due now.
    fn step(&mut self) -> Batch<Word> {
        let mut batch = Batch::default();
        let mut has_journal_changed = false;
        self.watch
            .drain(&mut |notice| self.agenda.note(notice, Instant::now()));
        if self.agenda.take_journal() {
            has_journal_changed = self.journal_changed();
        }
        for name in self.agenda.take_complete() {
            self.look(&name, &mut batch.changes);
        }
        // What is gone under one name may be there under another.
        let due = self.agenda.take_uncertain(Instant::now()).into_iter();
        let (there, gone): (Vec<_>, Vec<_>) = due.partition(|name| self.dir.join(&**name).exists());
        for name in there.into_iter().chain(gone) {
            self.look_if_settled(&name, &mut batch.changes);
        }
        let stride = self.backlog.len().min(STRIDE);
        for name in self.backlog.drain(..stride).collect::<Vec<_>>() {
            self.compare(&name, Scan { atomic: false }, &mut batch.changes);
        }
        let mut unreachable = None;
        if let Some(scan) = self.agenda.take_scan(Instant::now()) {
            has_journal_changed |= self.journal_changed();
            let error = self.scan(scan, &mut batch).err();
            if error.is_some() {
                self.agenda.retry(Instant::now());
            }
            unreachable = Some(Vec::from_iter(error));
        }
        only_last(&mut batch.changes);
        batch.problems = self.news_of_problems(unreachable);
        batch
            .words
            .extend(batch.problems.clone().map(Word::Unknown));
        let journal = has_journal_changed.then_some(Word::JournalChanged);
        batch.words.extend(journal);
        batch
    }

    /// What is wrong now, if that is news; `unreachable` if the directory has been looked at.
    fn news_of_problems(&mut self, unreachable: Option<Vec<String>>) -> Option<Arc<Problems>> {
        if self.catalog.has_duplicates() {
            let doubtful = self.agenda.uncertain().map(|name| self.label(name));
            let doubtful = doubtful.collect();
            self.catalog.set_doubtful(doubtful);
        }
        let is_other = |now: &Vec<String>| *now != self.told.unreachable;
        let is_news = std::mem::take(&mut self.misnamed_changed)
            | self.catalog.take_problems_changed()
            | unreachable.as_ref().is_some_and(is_other);
        if !is_news {
            return None;
        }
        let mut problems = self.catalog.listed();
        let room = LISTED.saturating_sub(problems.objects.len());
        let misnamed = self.misnamed.iter().take(room).cloned();
        problems.objects.extend(misnamed);
        problems.omitted += self.misnamed.len().saturating_sub(room);
        problems.unreachable = unreachable.unwrap_or_else(|| self.told.unreachable.clone());
        if problems == *self.told {
            return None;
        }
        self.told = Arc::new(problems);
        Some(self.told.clone())
    }

    fn label(&self, name: &str) -> Arc<str> {
        label(&self.dir.join(name))
    }

    /// Whether the journal is another than last time. That is also asked when the directory is
    /// scanned: where daemons share it over a network, the kernel does not tell what others write.
    fn journal_changed(&mut self) -> bool {
        let before = self.journal_stamp;
        self.journal_stamp = read::Stamp::of(&self.journal).ok();
        self.journal_stamp != before
    }

    /// Looks at every file whose version is not the one read last.
    fn scan(&mut self, scan: Scan, batch: &mut Batch<Word>) -> Result<(), String> {
        let watched = self.watch.attach();
        let listing = list(&self.dir).inspect_err(|_| self.agenda.hand_back(scan));
        let Listing { names, misnamed } = listing?;
        self.misnamed_changed |= misnamed != self.misnamed;
        self.misnamed = misnamed;
        let gone: Vec<Arc<str>> = self
            .stamps
            .keys()
            .filter(|name| !names.contains(*name) && !self.agenda.is_uncertain(name))
            .cloned()
            .collect();
        // A file that is gone may be there under another name.
        let all = names.into_iter().chain(gone);
        if self.synced && !scan.atomic {
            self.backlog = all.collect();
            return watched;
        }
        for name in all {
            self.compare(&name, scan, &mut batch.changes);
        }
        batch.synced = !self.synced;
        if batch.synced {
            self.catalog.pack();
        }
        // In files there are none.
        batch.pods_synced = batch.synced;
        self.synced = true;
        watched
    }

    /// Looks at a file if its version is not the one read last.
    fn compare(&mut self, name: &Arc<str>, scan: Scan, changes: &mut Vec<Change>) {
        let found = read::Stamp::of(&self.dir.join(&**name)).ok();
        if found.is_some() && self.stamps.get(name) == Some(&found) {
            return;
        }
        if scan.atomic {
            self.look(name, changes);
        } else if found.is_none() && self.stamps.contains_key(name) {
            // That one, if it is new, has to wait as long.
            self.agenda.postpone(name, Instant::now());
        } else {
            self.look_if_settled(name, changes);
        }
    }

    /// Reads one file, unless it may still be being written.
    fn look_if_settled(&mut self, name: &Arc<str>, changes: &mut Vec<Change>) {
        let stamp = read::Stamp::of(&self.dir.join(&**name));
        if stamp.is_ok_and(|stamp| stamp.age(SystemTime::now()) < SETTLED) {
            self.agenda.postpone(name, Instant::now());
        } else {
            self.look(name, changes);
        }
    }

    /// Reads one file as it is now.
    fn look(&mut self, name: &Arc<str>, changes: &mut Vec<Change>) {
        let path = self.dir.join(&**name);
        // The version is taken first: what is written while reading makes it differ.
        let stamp = read::Stamp::of(&path);
        let is_young = |stamp: &read::Stamp| stamp.age(SystemTime::now()) < SETTLED;
        let contents = match read_text(&path) {
            // Whoever has emptied it may be about to write it.
            Ok(Some(text)) if is_blank(&text) && stamp.as_ref().is_ok_and(is_young) => {
                return self.agenda.postpone(name, Instant::now());
            }
            Ok(Some(text)) => Contents::Text(text),
            Ok(None) => return self.forget(name, changes),
            Err(error) => Contents::Unreadable(error.to_string()),
        };
        let stamp = stamp.ok().filter(|stamp| !is_young(stamp));
        self.stamps.insert(name.clone(), stamp);
        self.agenda
            .set_unreadable(name, matches!(contents, Contents::Unreadable(_)));
        self.catalog.set(&self.label(name), contents, changes);
    }

    fn forget(&mut self, name: &Arc<str>, changes: &mut Vec<Change>) {
        self.stamps.remove(name);
        self.agenda.set_unreadable(name, false);
        self.catalog.remove(&self.label(name), changes);
    }
}

/// Of several changes of one object, the last is all that matters; one that moves from a file to
/// another is not gone in between.
fn only_last(changes: &mut Vec<Change>) {
    if !changes
        .iter()
        .any(|change| matches!(change, Change::Removed(_)))
    {
        return;
    }
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(changes.len());
    for change in changes.drain(..).rev() {
        let (Change::Set(key, _) | Change::Removed(key)) = &change;
        if seen.insert(key.clone()) {
            kept.push(change);
        }
    }
    changes.extend(kept.into_iter().rev());
}

/// What users are told of a file: its path, on one line whatever is in it, and no other file's.
pub(crate) fn label(path: &Path) -> Arc<str> {
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
