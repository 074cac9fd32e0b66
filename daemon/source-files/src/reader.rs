//! The reader: a thread that watches the directory, and tells what becomes of the objects in it.
#![expect(
    clippy::disallowed_methods,
    reason = "when a file has settled, and when to look again, is a matter of the clock"
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use carillon_objects::is_blank;
use carillon_objects::source::{Batch, Change, LISTED, Problem, Problems};
use tokio::sync::mpsc;

use crate::agenda::{Agenda, SETTLED, Scan};
use crate::catalog::{Catalog, Contents};
use crate::read::{self, Listing, label, list, read_text};
use crate::watch::Watch;
use crate::{Options, Word};

#[cfg(test)]
mod tests;

/// How many batches may wait for the driver; then reading waits too, and changes collect in the
/// directory.
const QUEUE: usize = 64;
/// How many files a routine scan compares before it sees to what the kernel has told meanwhile.
const STRIDE: usize = 64;

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
