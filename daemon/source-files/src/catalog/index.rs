//! The files with what they define, and the way from an object to the files that define it.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use carillon_core::sorted::pack;
use carillon_objects::ObjectKey;

use super::definitions::{Definitions, Entry};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The files by number. What is gone leaves a hole.
    files: Vec<Option<File>>,
    numbers: HashMap<Arc<str>, u32>,
    /// The numbers of the holes.
    holes: Vec<u32>,
    /// The hash of each object that is defined, with the number of a file that defines it, or
    /// another object of the same hash. That is a sixth of a map by name.
    places: BTreeSet<(u32, u32)>,
    hasher: RandomState,
}

#[derive(Debug)]
struct File {
    name: Arc<str>,
    definitions: Definitions,
}

/// The definitions of a file that is not there.
static NONE: Definitions = Definitions::none();

impl Index {
    /// What a file defines.
    pub(super) fn definitions(&self, file: &Arc<str>) -> &Definitions {
        let number = self.numbers.get(file);
        let file = number.and_then(|number| self.file(*number));
        file.map_or(&NONE, |file| &file.definitions)
    }

    /// Takes in what a file defines now. One that defines nothing is forgotten.
    pub(super) fn replace(&mut self, file: &Arc<str>, after: Definitions) {
        let hashes = |index: &Self, all: &Definitions| -> BTreeSet<u32> {
            all.keys().map(|key| index.hash(&key)).collect()
        };
        let before = hashes(self, self.definitions(file));
        let now = hashes(self, &after);
        let number = self.number(file);
        for gone in before.difference(&now) {
            self.places.remove(&(*gone, number));
        }
        self.places
            .extend(now.into_iter().map(|hash| (hash, number)));
        if after.is_empty() {
            self.numbers.remove(file);
            self.holes.push(number);
        }
        let file = (!after.is_empty()).then(|| File {
            name: file.clone(),
            definitions: after,
        });
        if let Some(slot) = self.files.get_mut(place(number)) {
            *slot = file;
        }
    }

    /// The files that define an object, and what they say, in the order of their names.
    pub(super) fn definers(&self, key: &ObjectKey) -> Vec<(&Arc<str>, Entry)> {
        let mut definers: Vec<_> = self.unordered(key).collect();
        definers.sort_unstable_by_key(|(file, _)| *file);
        definers
    }

    /// The definition of an object that counts: that of the first file by name.
    pub(super) fn in_force(&self, key: &ObjectKey) -> Option<Entry> {
        let definers = self.unordered(key);
        definers
            .min_by_key(|(file, _)| *file)
            .map(|(_, entry)| entry)
    }

    /// Takes no more memory than it needs.
    pub(super) fn pack(&mut self) {
        pack(&mut self.places);
        self.files.shrink_to_fit();
        self.numbers.shrink_to_fit();
    }

    fn unordered(&self, key: &ObjectKey) -> impl Iterator<Item = (&Arc<str>, Entry)> {
        let hash = self.hash(key);
        let places = self.places.range((hash, 0)..=(hash, u32::MAX));
        places.filter_map(|(_, number)| {
            let file = self.file(*number)?;
            Some((&file.name, file.definitions.get(key)?))
        })
    }

    fn file(&self, number: u32) -> Option<&File> {
        self.files.get(place(number))?.as_ref()
    }

    /// The number of a file, which may be new.
    fn number(&mut self, file: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(file) {
            return *number;
        }
        let number = self.holes.pop().unwrap_or_else(|| {
            self.files.push(None);
            u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
        });
        self.numbers.insert(file.clone(), number);
        number
    }

    /// Half of a hash: it need only be rare that two objects have the same.
    fn hash(&self, key: &ObjectKey) -> u32 {
        let [a, b, c, d, ..] = self.hasher.hash_one(key).to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
