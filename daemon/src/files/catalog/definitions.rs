//! The objects of one file. There may be tens of thousands of files, or of objects in one of them, so
//! that they take no more room than they need.

use std::collections::BTreeMap;
use std::sync::Arc;

use carillon_core::yaml::Position;

use crate::objects::{Object, ObjectKey};

/// What a file defines, in the order of the keys.
#[derive(Debug, Default)]
pub(super) struct Definitions(Box<[(ObjectKey, Entry)]>);

/// An object and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) object: Arc<Object>,
    line: u32,
    column: u32,
}

impl Entry {
    pub(super) fn new(object: Arc<Object>, at: Position) -> Self {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            object,
            line: short(at.line),
            column: short(at.column),
        }
    }

    /// Where it begins.
    pub(super) fn at(&self) -> Position {
        let long = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Position {
            line: long(self.line),
            column: long(self.column),
        }
    }
}

impl From<BTreeMap<ObjectKey, Entry>> for Definitions {
    fn from(entries: BTreeMap<ObjectKey, Entry>) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl Definitions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Entry> {
        Some(&self.get_key_value(key)?.1)
    }

    pub(super) fn get_key_value(&self, key: &ObjectKey) -> Option<&(ObjectKey, Entry)> {
        let index = self.0.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        self.0.get(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(ObjectKey, Entry)> {
        self.0.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.0.iter().map(|(key, _)| key)
    }
}
