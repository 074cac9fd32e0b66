//! When to look at which file: what the kernel tells becomes a list of things to do, with their
//! times.
//!
//! A file is read when its writer closes it or moves it into place, not while it is being written.
//! A file that is moved away may be an editor's way of saving (vim moves the old version to a
//! backup and writes a new one), so it counts as gone only after a moment; a deletion counts at
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::read::is_object_file;

/// How long a file that was moved away may stay away.
const GRACE: Duration = Duration::from_millis(100);
/// How often all files are compared with what was read, in case the kernel did not tell.
const POLL: Duration = Duration::from_secs(30);
/// How soon to look again when something was wrong with the directory, or a file was not settled.
const RETRY: Duration = Duration::from_secs(1);

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
    files: BTreeSet<Arc<str>>,
    away: BTreeMap<Arc<str>, Instant>,
    unreadable: BTreeSet<Arc<str>>,
    swapped: bool,
    journal: bool,
    next_scan: Instant,
}

impl Agenda {
    /// An agenda whose first item is to read everything.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            files: BTreeSet::new(),
            away: BTreeMap::new(),
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
            Notice::Complete(name) | Notice::Deleted(name) => {
                if let Some(name) = wanted(&name) {
                    self.away.remove(&name);
                    self.files.insert(name);
                }
            }
            Notice::Begun(name) => drop(self.away.remove(name.as_str())),
            Notice::MovedAway(name) => {
                if let Some(name) = wanted(&name) {
                    self.away.insert(name, now + GRACE);
                }
            }
            Notice::Attributes(name) => {
                if let Some(name) = self.unreadable.get(name.as_str()) {
                    self.files.insert(name.clone());
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

    /// The files to look at now, whether they exist or not.
    pub(super) fn take_files(&mut self, now: Instant) -> BTreeSet<Arc<str>> {
        let files = &mut self.files;
        self.away.retain(|name, until| {
            let waits = now < *until;
            if !waits {
                files.insert(name.clone());
            }
            waits
        });
        std::mem::take(&mut self.files)
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

    /// Whether the journal was written to since the last call.
    pub(super) fn take_journal(&mut self) -> bool {
        std::mem::take(&mut self.journal)
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Instant {
        let away = self.away.values().min();
        away.map_or(self.next_scan, |until| self.next_scan.min(*until))
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
