//! What a source of objects tells the driver, whichever source it is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use carillon_core::yaml::Position;

#[cfg(feature = "kubernetes")]
use crate::kubernetes::ApiChange;
use crate::objects::{Object, ObjectKey};

/// What a source has to tell, all at once that it found at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The objects that changed.
    pub(crate) changes: Vec<Change>,
    /// What an API server has to say beside them.
    #[cfg(feature = "kubernetes")]
    pub(crate) api: Vec<ApiChange>,
    /// What is wrong in the source now, if that has changed.
    pub(crate) problems: Option<Arc<Problems>>,
    /// Everything has been read that decides who announces what, for the first time.
    pub(crate) synced: bool,
    /// So have the Pods of other daemons, which only tell where those may be called.
    pub(crate) pods_synced: bool,
    /// Someone has written to the journal.
    pub(crate) journal: bool,
}

impl Batch {
    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        #[cfg(feature = "kubernetes")]
        if !self.api.is_empty() {
            return false;
        }
        let is_synced = self.synced || self.pods_synced;
        self.changes.is_empty() && self.problems.is_none() && !is_synced && !self.journal
    }
}

/// An object that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is like this now.
    Set(ObjectKey, Object),
    /// It is gone.
    Removed(ObjectKey),
}

/// How people know a source.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    /// Its name, within a sentence.
    pub(crate) name: String,
    /// How to put the configuration there, as a request.
    pub(crate) how_to_configure: String,
}

/// How many problems of objects are told at once, and how many notes: nobody reads more, and a
/// directory or a cluster may have thousands.
pub(crate) const LISTED: usize = 100;

/// What is wrong in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    /// Why the source itself, or a part of it, cannot be read or watched.
    pub(crate) unreachable: Vec<String>,
    /// What is wrong in its objects, by place: the first [`LISTED`], those of the configuration
    /// before all others.
    pub(crate) objects: Vec<Problem>,
    /// How many there are beside these.
    pub(crate) omitted: usize,
    /// What is not wrong in them, but probably meant otherwise: the first [`LISTED`].
    pub(crate) notes: Vec<Problem>,
    /// How many there are beside these.
    pub(crate) omitted_notes: usize,
}

impl Problems {
    /// What is wrong in the objects, as users are told of it.
    pub(crate) fn texts(&self) -> BTreeSet<String> {
        self.objects.iter().map(ToString::to_string).collect()
    }

    /// What is to say beside that.
    pub(crate) fn notes(&self) -> BTreeSet<String> {
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        notes.collect()
    }

    /// How much more there is than is listed, as users are told of it.
    pub(crate) fn more(&self) -> Option<String> {
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
pub(crate) struct Problem {
    /// The file, or what else the object was read from; the object itself, if it comes alone.
    pub(crate) file: String,
    /// The place in it, if that is known and it is not about the whole file.
    pub(crate) at: Option<Position>,
    /// The object, where that is known.
    pub(crate) object: Option<ObjectKey>,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
    /// An earlier version, which was understood, stays in force.
    pub(crate) keeps_last: bool,
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
