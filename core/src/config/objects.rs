//! A configuration of several objects, in which one that is wrong stops no other.
//!
//! ```text
//!  newest versions ─▶ assemble ─▶ some are refused ─▶ their last good versions in their place ─▶ assemble …
//!                        └─ none more ─▶ what is in force
//! ```
//!
//! What is in force is judged before what is new, so that nothing that somebody adds or changes takes
//! the place of what works; then the older object comes before the younger one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use super::assemble::{Assembled, assemble};
use super::draft::Draft;
use super::error::{ConfigErrors, Refused};

#[cfg(test)]
mod tests;

/// A version of an object that is a part of the configuration.
pub trait Version: Clone + PartialEq {
    /// What it says, read for a binary with these backends. The name of the object in its places is
    /// the text of its key.
    ///
    /// # Errors
    /// It cannot be read at all.
    fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors>;

    /// When the object was made, as texts that are in the order of the times; empty where that is not
    /// known.
    fn created(&self) -> &str;
}

/// The objects of a configuration.
#[derive(Clone, Debug)]
pub struct Objects<K, V>(BTreeMap<K, Versions<V>>);

#[derive(Clone, Debug)]
struct Versions<V> {
    newest: V,
    /// The version that is in force.
    in_force: Option<V>,
}

/// What came of the objects.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The configuration, what is refused, and what is noted.
    pub assembled: Assembled,
    /// The objects among those refused whose last good version stays in force.
    pub keeps_last: BTreeSet<Arc<str>>,
}

impl<K, V> Default for Objects<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Display, V: Version> Objects<K, V> {
    /// Takes in an object as it is now.
    pub fn set(&mut self, key: K, newest: V) {
        let known = self.0.remove(&key);
        let in_force = known.and_then(|versions| versions.in_force);
        self.0.insert(key, Versions { newest, in_force });
    }

    /// Takes in that an object is gone.
    pub fn remove(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// The newest version of an object.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|versions| &versions.newest)
    }

    /// Which there are.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// Makes a configuration of those that count, for a binary with these backends, and puts it in
    /// force.
    pub fn assemble(&mut self, counts: impl Fn(&K) -> bool, backends: &[&'static str]) -> Judged {
        let mut keeps_last = BTreeSet::new();
        let mut refused = Refused::default();
        let mut assembled = loop {
            let drafts = self.drafts(&counts, &keeps_last, backends);
            let next = assemble(drafts, backends);
            let newly: Vec<Arc<str>> = self.with_last(&next.refused, &keeps_last).collect();
            refused.extend(next.refused.clone());
            if newly.is_empty() {
                break next;
            }
            keeps_last.extend(newly);
        };
        keeps_last.retain(|object| !assembled.refused.contains(object));
        for (key, versions) in &mut self.0 {
            let object = key.to_string();
            if assembled.refused.contains(&object) || !counts(key) {
                versions.in_force = None;
            } else if !keeps_last.contains(&*object) {
                versions.in_force = Some(versions.newest.clone());
            }
        }
        assembled.refused = refused;
        Judged {
            assembled,
            keeps_last,
        }
    }

    /// What all say together, in the order in which it is judged.
    fn drafts(
        &self,
        counts: impl Fn(&K) -> bool,
        keeps_last: &BTreeSet<Arc<str>>,
        backends: &[&'static str],
    ) -> Draft {
        let counting = self.0.iter().filter(|(key, _)| counts(key));
        let mut chosen: Vec<_> = counting
            .filter_map(|(key, versions)| {
                let object = key.to_string();
                let version = if keeps_last.contains(&*object) {
                    versions.in_force.as_ref()?
                } else {
                    &versions.newest
                };
                let is_new = versions.in_force.as_ref() != Some(version);
                Some((is_new, version.created(), object, version))
            })
            .collect();
        chosen.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
        let mut whole = Draft::default();
        for (_, _, object, version) in chosen {
            match version.draft(backends) {
                Ok(draft) => whole.append(draft),
                Err(errors) => whole
                    .errors
                    .append(Refused::of(object.as_str().into(), errors)),
            }
        }
        whole
    }

    /// Of objects that are refused those that have another version, which is in force.
    fn with_last(
        &self,
        refused: &Refused,
        keeps_last: &BTreeSet<Arc<str>>,
    ) -> impl Iterator<Item = Arc<str>> {
        let has_last = |versions: &Versions<V>| {
            let in_force = versions.in_force.as_ref();
            in_force.is_some_and(|in_force| *in_force != versions.newest)
        };
        let objects = self.0.iter().filter(move |(_, one)| has_last(one));
        let objects = objects.map(|(key, _)| key.to_string());
        objects
            .filter(|object| refused.contains(object) && !keeps_last.contains(&**object))
            .map(Arc::from)
    }
}
