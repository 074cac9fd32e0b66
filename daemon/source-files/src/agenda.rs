//! When to look at which file: what the kernel tells becomes a list of things to do, with their
//! times.
//!
//! A file is read when its writer closes it or moves it into place, not while it is being written.
//! A file that is moved away may be an editor's way of saving (vim moves the old version to a
//! backup and writes a new one), so it counts as gone only after a moment; a deletion counts at
//! once, unless a new version is already being written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::read::is_object_file;

#[cfg(test)]
mod tests;

/// How long a file that was moved away may stay away.
const GRACE: Duration = Duration::from_millis(100);
/// How often all files are compared with what was read, in case the kernel did not tell.
const POLL: Duration = Duration::from_secs(30);
/// How soon to look again when something was wrong with the directory.
const RETRY: Duration = Duration::from_secs(1);
/// A file that was written to more recently than this may be incomplete, if there is no word that
/// its writer has closed it.
pub(super) const SETTLED: Duration = Duration::from_secs(1);

/// One thing that the kernel told about the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A file of this name is complete: closed after writing, moved here, or linked here.
    Complete(String),
    /// A file of this name is being written.
    Begun(String),
    /// The file of this name was deleted.
    Deleted(String),
    /// The file of this name was moved away.
    MovedAway(String),
    /// Rights or times of this file changed.
    Attributes(String),
    /// All files may have changed at once, and are complete.
    Swapped,
    /// Notices were lost.
    Lost,
    /// The journal was written to.
    Journal,
}

/// A look at the whole directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The directory was swapped as a whole, so that all files in it are complete.
    pub(super) atomic: bool,
}

/// The list of things to do.
#[derive(Debug)]
pub(super) struct Agenda {
    /// Files that are complete.
    complete: BTreeSet<Arc<str>>,
    /// Files of which it is not certain that they are complete, or there; and when to find out.
    uncertain: BTreeMap<Arc<str>, Instant>,
    unreadable: BTreeSet<Arc<str>>,
    swapped: bool,
    journal: bool,
    next_scan: Instant,
}

impl Agenda {
    /// An agenda whose first item is to read everything.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            complete: BTreeSet::new(),
            uncertain: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            swapped: true,
            journal: false,
            next_scan: now,
        }
    }

    /// Takes in what the kernel told.
    pub(super) fn note(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Complete(name) if name == "..data" => self.note(Notice::Swapped, now),
            Notice::Complete(name) => {
                if let Some(name) = wanted(&name) {
                    self.uncertain.remove(&name);
                    self.complete.insert(name);
                }
            }
            Notice::Begun(name) => self.doubt(&name, now + SETTLED),
            Notice::Deleted(name) => self.doubt(&name, now),
            Notice::MovedAway(name) => self.doubt(&name, now + GRACE),
            Notice::Attributes(name) => {
                if let Some(name) = self.unreadable.get(name.as_str()) {
                    self.complete.insert(name.clone());
                }
            }
            Notice::Swapped => {
                self.swapped = true;
                self.next_scan = now;
            }
            Notice::Lost => self.next_scan = now,
            Notice::Journal => self.journal = true,
        }
    }

    fn doubt(&mut self, name: &str, until: Instant) {
        if let Some(name) = wanted(name) {
            self.complete.remove(&name);
            self.uncertain.insert(name, until);
        }
    }

    /// The files that are complete.
    pub(super) fn take_complete(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.complete)
    }

    /// The files of which it is time to find out whether they are complete, or there.
    pub(super) fn take_uncertain(&mut self, now: Instant) -> BTreeSet<Arc<str>> {
        let mut due = BTreeSet::new();
        self.uncertain.retain(|name, until| {
            let waits = now < *until;
            if !waits {
                due.insert(name.clone());
            }
            waits
        });
        due
    }

    /// Looks for a file later, since it is still being written.
    pub(super) fn postpone(&mut self, name: &Arc<str>, now: Instant) {
        self.uncertain.insert(name.clone(), now + SETTLED);
    }

    /// Whether there will be a look for this file even if nothing more is told about it.
    pub(super) fn is_uncertain(&self, name: &str) -> bool {
        self.uncertain.contains_key(name)
    }

    /// All such files.
    pub(super) fn uncertain(&self) -> impl Iterator<Item = &Arc<str>> {
        self.uncertain.keys()
    }

    /// The look at the whole directory, if it is time for one.
    pub(super) fn take_scan(&mut self, now: Instant) -> Option<Scan> {
        if now < self.next_scan {
            return None;
        }
        self.next_scan = now + POLL;
        let atomic = std::mem::take(&mut self.swapped);
        Some(Scan { atomic })
    }

    /// Takes back a look that came to nothing, since the directory could not be read.
    pub(super) fn hand_back(&mut self, scan: Scan) {
        self.swapped |= scan.atomic;
    }

    /// Whether the journal was written to since the last call.
    pub(super) fn take_journal(&mut self) -> bool {
        std::mem::take(&mut self.journal)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Instant {
        let uncertain = self.uncertain.values().min();
        uncertain.map_or(self.next_scan, |until| self.next_scan.min(*until))
    }

    /// Makes the next look at the whole directory come soon.
    pub(super) fn retry(&mut self, now: Instant) {
        self.next_scan = self.next_scan.min(now + RETRY);
    }

    /// Remembers whether a change of a file's rights is of interest.
    pub(super) fn set_unreadable(&mut self, name: &Arc<str>, unreadable: bool) {
        if unreadable {
            self.unreadable.insert(name.clone());
        } else {
            self.unreadable.remove(name);
        }
    }
}

fn wanted(name: &str) -> Option<Arc<str>> {
    is_object_file(name).then(|| name.into())
}
