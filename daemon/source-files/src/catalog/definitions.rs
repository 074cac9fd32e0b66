//! The objects of one file. There may be tens of thousands of files, or of objects in one of them, so
//! that they take no more room than they need.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use carillon_core::endpoint::EndpointSlice;
use carillon_core::service::{Service, ServiceKey};
use carillon_core::yaml::Position;

use carillon_objects::{Kind, Object, ObjectKey};

/// What a file defines, in the order of the keys.
#[derive(Debug, Default)]
pub(super) struct Definitions(Vec<Definition>);

/// An object and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) object: Object,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    line: u32,
    column: u32,
}

/// An entry as it is kept: those kinds of which there are many know their names.
#[derive(Debug)]
enum Definition {
    Service(Service, Place),
    EndpointSlice(EndpointSlice, Place),
    Other(Box<(ObjectKey, Entry)>),
}

impl Entry {
    pub(super) fn new(object: Object, at: Position) -> Self {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (line, column) = (short(at.line), short(at.column));
        let place = Place { line, column };
        Self { object, place }
    }

    /// Where it begins.
    pub(super) fn at(&self) -> Position {
        let long = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Position {
            line: long(self.place.line),
            column: long(self.place.column),
        }
    }
}

impl Definition {
    fn new(key: ObjectKey, entry: Entry) -> Self {
        match entry.object {
            Object::Service(service) => Self::Service(service, entry.place),
            Object::EndpointSlice(Some(slice)) => Self::EndpointSlice(slice, entry.place),
            _ => Self::Other(Box::new((key, entry))),
        }
    }

    fn kind_and_name(&self) -> (Kind, &ServiceKey) {
        match self {
            Self::Service(service, _) => (Kind::Service, &service.key),
            Self::EndpointSlice(slice, _) => (Kind::EndpointSlice, &slice.key),
            Self::Other(other) => (other.0.kind, &other.0.name),
        }
    }

    fn compare(&self, key: &ObjectKey) -> Ordering {
        self.kind_and_name().cmp(&(key.kind, &key.name))
    }

    fn key(&self) -> ObjectKey {
        let (kind, name) = self.kind_and_name();
        let name = name.clone();
        ObjectKey { kind, name }
    }

    fn entry(&self) -> Entry {
        let (object, place) = match self {
            Self::Service(service, place) => (Object::Service(service.clone()), *place),
            Self::EndpointSlice(slice, place) => {
                (Object::EndpointSlice(Some(slice.clone())), *place)
            }
            Self::Other(other) => return other.1.clone(),
        };
        Entry { object, place }
    }
}

impl From<BTreeMap<ObjectKey, Entry>> for Definitions {
    fn from(entries: BTreeMap<ObjectKey, Entry>) -> Self {
        let entries = entries.into_iter();
        let mut all: Vec<_> = entries
            .map(|(key, entry)| Definition::new(key, entry))
            .collect();
        all.shrink_to_fit();
        Self(all)
    }
}

impl Definitions {
    /// Those of a file without any.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Entry> {
        let compare = |definition: &Definition| definition.compare(key);
        let index = self.0.binary_search_by(compare).ok()?;
        Some(self.0.get(index)?.entry())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ObjectKey, Entry)> {
        self.0
            .iter()
            .map(|definition| (definition.key(), definition.entry()))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        self.0.iter().map(Definition::key)
    }
}
