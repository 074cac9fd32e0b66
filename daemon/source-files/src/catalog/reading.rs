//! The reading of one file: which of its objects are new, and which keep their last version.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use carillon_core::yaml::Position;
use carillon_objects::source::Problem;
use carillon_objects::{Object, ObjectKey, Parsed};

use super::definitions::{Definitions, Entry};

/// One file being taken in.
pub(super) struct Reading<'a> {
    pub(super) file: &'a str,
    before: &'a Definitions,
    after: BTreeMap<ObjectKey, Entry>,
    problems: Vec<Problem>,
    /// Something could not be told apart: whatever is missing may be in it.
    may_hold_any: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(file: &'a str, before: &'a Definitions) -> Self {
        let (after, problems) = (BTreeMap::new(), Vec::new());
        Self {
            file,
            before,
            after,
            problems,
            may_hold_any: false,
        }
    }

    pub(super) fn take(&mut self, parsed: Parsed) {
        let Parsed { key, at, object } = parsed;
        match (key, object) {
            (Some(key), Ok(object)) => self.add(key, at, object),
            (key, Err(errors)) => {
                let last = key.as_ref().and_then(|key| self.before.get(key));
                let keeps_last = last.is_some();
                if let (Some(key), Some(entry)) = (&key, last) {
                    self.after.entry(key.clone()).or_insert(entry);
                }
                self.may_hold_any |= key.is_none();
                for (at, message) in errors {
                    let (file, object) = (self.file.to_owned(), key.clone());
                    let at = Some(at);
                    self.problems.push(Problem {
                        file,
                        at,
                        object,
                        message,
                        keeps_last,
                    });
                }
            }
            (None, Ok(_)) => {}
        }
    }

    fn add(&mut self, key: ObjectKey, at: Position, object: Object) {
        if let Some(first) = self.after.get(&key) {
            let message = format!(
                "is already defined in line {} of this file, which is used: remove one",
                first.at().line
            );
            let (file, at, object) = (self.file.to_owned(), Some(at), Some(key));
            self.problems.push(Problem {
                file,
                at,
                object,
                message,
                keeps_last: false,
            });
            return;
        }
        let same = self.before.get(&key).map(|entry| entry.object);
        let same = same.filter(|before| *before == object);
        let object = same.unwrap_or(object);
        self.after.insert(key, Entry::new(object, at));
    }

    /// Takes in that there is nothing in the file: a disk may be full, a writer may not have got
    /// further, and who withdraws a service deletes its file. What another file defines has moved there.
    ///
    /// Of one that has been empty since the start (`is_empty`: without even a comment) nobody knows what
    /// was in it.
    pub(super) fn keep_all(&mut self, is_elsewhere: impl Fn(&ObjectKey) -> bool, is_empty: bool) {
        let kept = self.before.iter().filter(|(key, _)| !is_elsewhere(key));
        self.after = kept.collect();
        let message = match self.after.len() {
            0 if is_empty => "is empty: write its objects into it, or delete the file".to_owned(),
            0 => return,
            1 => "is empty: delete the file to withdraw its object".to_owned(),
            n => format!("is empty: delete the file to withdraw its {n} objects"),
        };
        self.problems.push(Problem {
            file: self.file.to_owned(),
            at: None,
            object: None,
            message,
            keeps_last: !self.after.is_empty(),
        });
    }

    pub(super) fn refuse_all(&mut self, message: String) {
        self.may_hold_any = true;
        let keeps_last = !self.before.is_empty();
        let file = self.file.to_owned();
        self.problems.push(Problem {
            file,
            at: None,
            object: None,
            message,
            keeps_last,
        });
    }

    pub(super) fn finish(mut self) -> (Definitions, Vec<Problem>) {
        if self.may_hold_any {
            for (key, entry) in self.before.iter() {
                if let Slot::Vacant(slot) = self.after.entry(key) {
                    slot.insert(entry);
                    let unknown = self
                        .problems
                        .iter_mut()
                        .filter(|problem| problem.object.is_none());
                    unknown.for_each(|problem| problem.keeps_last = true);
                }
            }
        }
        (self.after.into(), self.problems)
    }
}
