//! What a source of objects tells the driver, whichever source it is, and how it is followed.
//!
//! ```text
//!  reader ─Batch<Word>─▶ Feed ──Batch──▶ driver ──services──▶ Allocation
//!                          └─────────────Words──────────────────▲
//! ```
//!
//! A source has its own record of which Service has which addresses, an [`Allocation`]. What the two
//! have to say to each other beside objects are words that nobody else knows.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use carillon_core::backend::BoxFuture;
use carillon_core::yaml::Position;
use tokio::sync::mpsc;

use crate::{Object, ObjectKey};

mod allocation;
mod reports;

pub use allocation::{Allocation, ConfigStore, Listener, Turn};
pub use reports::{Announced, LeftToMetallb, Reports, Verdict};

/// A source that is being followed.
pub struct Followed {
    /// For people: the directory or the server.
    pub location: String,
    /// How people know it.
    pub description: Description,
    /// What it has to tell.
    pub source: Box<dyn Source>,
    /// What has to be run for that, beside what runs already.
    pub tasks: Vec<Task>,
    /// Lets others do what this daemon did for all.
    pub leave: BoxFuture<()>,
}

/// A task that has to live as long as the daemon.
pub struct Task {
    /// What it does, to be said if it ends.
    pub what: &'static str,
    /// Does it.
    pub run: BoxFuture<()>,
}

/// What a source has at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// For people: the directory or the server.
    pub location: String,
    /// The objects, all of them set.
    pub changes: Vec<Change>,
    /// What cannot be read or is not understood, and what a daemon would lack.
    pub errors: Vec<String>,
    /// What is not wrong, but probably meant otherwise.
    pub notes: Vec<String>,
}

/// What the driver follows: a source, with its record.
pub trait Source: Send {
    /// What comes next.
    ///
    /// # Errors
    /// A part of the source has ended, which is told once.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, Died>>;

    /// Hands the allocation what came for it alone, with the last batch or without any. To be called
    /// when all objects of that batch have been handed on.
    fn hand_over(&mut self, now: Instant);

    /// The record.
    fn allocation(&self) -> &dyn Allocation;

    /// The same, to tell it something.
    fn allocation_mut(&mut self) -> &mut dyn Allocation;
}

/// Which part of a source has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died(pub &'static str);

/// A source whose batches come out of a channel.
pub struct Feed<A: Listener> {
    allocation: A,
    batches: Option<mpsc::Receiver<Batch<A::Word>>>,
    keeper: Option<mpsc::Receiver<A::Word>>,
    /// What came for the allocation, in order.
    words: Vec<A::Word>,
}

impl<A: Listener> Feed<A> {
    /// What these batches tell, for this allocation.
    pub fn new(allocation: A, batches: mpsc::Receiver<Batch<A::Word>>) -> Self {
        Self {
            allocation,
            batches: Some(batches),
            keeper: None,
            words: Vec::new(),
        }
    }

    /// The same, and the allocation is told as well what comes out here: it has a keeper of its own
    /// journal.
    pub fn with_keeper(mut self, keeper: mpsc::Receiver<A::Word>) -> Self {
        self.keeper = Some(keeper);
        self
    }
}

impl<A: Listener> Source for Feed<A> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, Died>> {
        if let Some(Poll::Ready(batch)) = self.batches.as_mut().map(|from| from.poll_recv(cx)) {
            let Some(batch) = batch else {
                self.batches = None;
                return Poll::Ready(Err(Died("the reader of the objects")));
            };
            let (batch, words) = batch.split();
            self.words.extend(words);
            return Poll::Ready(Ok(batch));
        }
        if let Some(Poll::Ready(word)) = self.keeper.as_mut().map(|from| from.poll_recv(cx)) {
            let Some(word) = word else {
                self.keeper = None;
                return Poll::Ready(Err(Died("the keeper of the journal")));
            };
            self.words.push(word);
            return Poll::Ready(Ok(Batch::default()));
        }
        Poll::Pending
    }

    fn hand_over(&mut self, now: Instant) {
        for word in self.words.drain(..) {
            self.allocation.take(word, now);
        }
    }

    fn allocation(&self) -> &dyn Allocation {
        &self.allocation
    }

    fn allocation_mut(&mut self) -> &mut dyn Allocation {
        &mut self.allocation
    }
}

/// What a source has to tell, all at once that it found at once.
#[derive(Debug)]
pub struct Batch<W = Infallible> {
    /// The objects that changed.
    pub changes: Vec<Change>,
    /// What is for the source's own allocation alone.
    pub words: Vec<W>,
    /// What is wrong in the source now, if that has changed.
    pub problems: Option<Arc<Problems>>,
    /// Everything has been read that decides who announces what, for the first time.
    pub synced: bool,
    /// So have the Pods of other daemons, which only tell where those may be called.
    pub pods_synced: bool,
}

impl<W> Default for Batch<W> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            words: Vec::new(),
            problems: None,
            synced: false,
            pods_synced: false,
        }
    }
}

impl<W> Batch<W> {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let is_synced = self.synced || self.pods_synced;
        let is_silent = self.changes.is_empty() && self.words.is_empty();
        is_silent && self.problems.is_none() && !is_synced
    }

    /// What is for the driver, and what is for the allocation alone.
    fn split(self) -> (Batch, Vec<W>) {
        let batch = Batch {
            changes: self.changes,
            words: Vec::new(),
            problems: self.problems,
            synced: self.synced,
            pods_synced: self.pods_synced,
        };
        (batch, self.words)
    }
}

/// An object that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is like this now.
    Set(ObjectKey, Object),
    /// It is gone.
    Removed(ObjectKey),
}

/// How people know a source.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name, within a sentence.
    pub name: String,
    /// How to put the configuration there, as a request.
    pub how_to_configure: String,
}

/// How many problems of objects are told at once, and how many notes: nobody reads more, and a
/// directory or a cluster may have thousands.
pub const LISTED: usize = 100;

/// What is wrong in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// Why the source itself, or a part of it, cannot be read or watched.
    pub unreachable: Vec<String>,
    /// What is wrong in its objects, by place: the first [`LISTED`], those of the configuration
    /// before all others.
    pub objects: Vec<Problem>,
    /// How many there are beside these.
    pub omitted: usize,
    /// What is not wrong in them, but probably meant otherwise: the first [`LISTED`].
    pub notes: Vec<Problem>,
    /// How many there are beside these.
    pub omitted_notes: usize,
}

impl Problems {
    /// What is wrong in the objects, as users are told of it.
    pub fn texts(&self) -> BTreeSet<String> {
        self.objects.iter().map(ToString::to_string).collect()
    }

    /// What is to say beside that.
    pub fn notes(&self) -> BTreeSet<String> {
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        notes.collect()
    }

    /// How much more there is than is listed, as users are told of it.
    pub fn more(&self) -> Option<String> {
        let problems = (self.omitted, "problem");
        let counts = [problems, (self.omitted_notes, "note")];
        let counts = counts.into_iter().filter(|(number, _)| *number > 0);
        let counts = counts.map(|(number, what)| match number {
            1 => format!("1 more {what}"),
            _ => format!("{number} more {what}s"),
        });
        let counts: Vec<String> = counts.collect();
        let is_any = !counts.is_empty();
        is_any.then(|| format!("… and {}", counts.join(" and ")))
    }
}

/// Something that is not understood or contradicts something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or what else the object was read from; the object itself, if it comes alone.
    pub file: String,
    /// The place in it, if that is known and it is not about the whole file.
    pub at: Option<Position>,
    /// The object, where that is known.
    pub object: Option<ObjectKey>,
    /// What is wrong, and what would be right.
    pub message: String,
    /// An earlier version, which was understood, stays in force.
    pub keeps_last: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        let object = self.object.as_ref().map(ToString::to_string);
        if let Some(object) = object.filter(|object| *object != self.file) {
            write!(f, ": {object}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.keeps_last {
            f.write_str(" (the last good version stays in force)")
        } else {
            Ok(())
        }
    }
}
