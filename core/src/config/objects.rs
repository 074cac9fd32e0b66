//! A configuration of several objects, in which one that is wrong stops no other.
//!
//! ```text
//!  newest versions ─▶ assemble ─▶ some are refused ─▶ their last good versions in their place ─▶ assemble …
//!                        └─ none more ─▶ what is in force
//! ```
//!
//! What is in force is judged before what has changed, and that before what is new, so that nothing that
//! somebody adds or changes takes the place of what works; then the older object comes before the younger
//! one.
//!
//! An object in force may be wrong because one that it refers to has changed, or is gone: a password, a
//! profile, a community. Then what that one said last stays for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use super::assemble::{Assembled, assemble};
use super::draft::Draft;
use super::error::{ConfigErrors, Refused};

#[cfg(test)]
mod tests;

/// How many objects that others refer to are considered one by one: of each the whole is assembled
/// once more. Of further ones what they said last is taken, needed or not.
const ONE_BY_ONE: usize = 16;

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

    /// Whether another version says the same, wherever that is written.
    fn says_the_same(&self, other: &Self) -> bool {
        self == other
    }

    /// Whether other objects refer to it, and are wrong without it.
    fn is_referred_to(&self) -> bool {
        false
    }
}

/// The objects of a configuration.
#[derive(Clone, Debug)]
pub struct Objects<K, V>(BTreeMap<K, Versions<V>>);

#[derive(Clone, Debug)]
struct Versions<V> {
    /// `None` if the object is gone.
    newest: Option<V>,
    /// The version that is in force.
    in_force: Option<V>,
}

impl<V: Version> Versions<V> {
    /// Whether the newest version is not the one in force.
    fn has_changed(&self) -> bool {
        match (&self.newest, &self.in_force) {
            (Some(newest), Some(in_force)) => !newest.says_the_same(in_force),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        }
    }
}

/// In which order objects are judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    InForce,
    Changed,
    New,
}

/// The objects that do not count with their newest version.
#[derive(Default)]
struct Apart {
    /// Those that count with the version in force.
    former: BTreeSet<Arc<str>>,
    /// Those that do not count.
    left_out: BTreeSet<Arc<str>>,
}

/// What came of the objects.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The configuration, what is refused, and what is noted.
    pub assembled: Assembled,
    /// The objects among those refused whose last good version stays in force.
    pub keeps_last: BTreeSet<Arc<str>>,
    /// What was refused in any round.
    refused: Refused,
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
        let newest = Some(newest);
        self.0.insert(key, Versions { newest, in_force });
    }

    /// Takes in that an object is gone.
    pub fn remove(&mut self, key: &K) {
        let Some(versions) = self.0.get_mut(key) else {
            return;
        };
        versions.newest = None;
        let in_force = versions.in_force.as_ref();
        if !in_force.is_some_and(Version::is_referred_to) {
            self.0.remove(key);
        }
    }

    /// The newest version of an object.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)?.newest.as_ref()
    }

    /// Which there are.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        let here = self.0.iter().filter(|(_, one)| one.newest.is_some());
        here.map(|(key, _)| key)
    }

    /// Makes a configuration of those that count, for a binary with these backends, and puts it in
    /// force.
    pub fn assemble(&mut self, counts: impl Fn(&K) -> bool, backends: &[&'static str]) -> Judged {
        let first = self.judge(&counts, &Apart::default(), backends);
        let broken = self.broken(&first.assembled.refused);
        let (mut judged, apart) = self.save(first, &broken, &counts, backends);
        let refused = &judged.assembled.refused;
        judged.keeps_last.retain(|object| !refused.contains(object));
        self.0.retain(|key, versions| {
            let object = key.to_string();
            if apart.former.contains(&*object) {
                return true;
            }
            let is_refused = refused.contains(&object) || apart.left_out.contains(&*object);
            if is_refused || !counts(key) {
                versions.in_force = None;
            } else if !judged.keeps_last.contains(&*object) {
                versions.in_force.clone_from(&versions.newest);
            }
            versions.newest.is_some()
        });
        let saved = broken.into_iter().filter(|one| !refused.contains(one));
        judged.keeps_last.extend(saved);
        judged.assembled.refused = std::mem::take(&mut judged.refused);
        judged
    }

    /// Where objects in force are broken, tries with what those said last that they refer to. Returns
    /// what came of it, and of which objects that is needed.
    fn save(
        &self,
        mut first: Judged,
        broken: &[Arc<str>],
        counts: &impl Fn(&K) -> bool,
        backends: &[&'static str],
    ) -> (Judged, Apart) {
        let mut apart = Apart {
            former: self.former(counts),
            left_out: self.left_out(&first.assembled.refused),
        };
        if broken.is_empty() || apart.former.is_empty() {
            return (first, Apart::default());
        }
        let mut saved = self.judge(counts, &apart, backends);
        let lost = |judged: &Judged| self.broken(&judged.assembled.refused).len();
        let least = lost(&saved);
        if least >= broken.len() {
            return (first, Apart::default());
        }
        for object in apart.former.clone().into_iter().take(ONE_BY_ONE) {
            apart.former.remove(&object);
            let without = self.judge(counts, &apart, backends);
            if lost(&without) > least {
                apart.former.insert(object);
            } else {
                saved = without;
            }
        }
        first.refused.extend(std::mem::take(&mut saved.refused));
        saved.refused = first.refused;
        (saved, apart)
    }

    /// Assembles all that count; of those that are refused, the version that is in force.
    fn judge(
        &self,
        counts: &impl Fn(&K) -> bool,
        apart: &Apart,
        backends: &[&'static str],
    ) -> Judged {
        let counts = |key: &K| counts(key) && !apart.left_out.contains(&*key.to_string());
        let mut keeps_last = apart.former.clone();
        let mut refused = Refused::default();
        loop {
            let drafts = self.drafts(counts, &keeps_last, backends);
            let assembled = assemble(drafts, backends);
            let newly: Vec<Arc<str>> = self.with_last(&assembled.refused, &keeps_last).collect();
            refused.extend(assembled.refused.clone());
            if newly.is_empty() {
                keeps_last.retain(|object| !apart.former.contains(object));
                return Judged {
                    assembled,
                    keeps_last,
                    refused,
                };
            }
            keeps_last.extend(newly);
        }
    }

    /// Of objects that are refused those of which no version is in force.
    fn left_out(&self, refused: &Refused) -> BTreeSet<Arc<str>> {
        let new = self.0.iter().filter(|(_, one)| one.in_force.is_none());
        let new = new.map(|(key, _)| key.to_string());
        let left_out = new.filter(|object| refused.contains(object));
        left_out.map(Arc::from).collect()
    }

    /// Of objects that are refused those of which a version is in force: it would be no longer.
    fn broken(&self, refused: &Refused) -> Vec<Arc<str>> {
        let in_force = self.0.iter().filter(|(_, one)| one.in_force.is_some());
        let in_force = in_force.map(|(key, _)| key.to_string());
        let broken = in_force.filter(|object| refused.contains(object));
        broken.map(Arc::from).collect()
    }

    /// The objects that others refer to and that have changed, or are gone.
    fn former(&self, counts: impl Fn(&K) -> bool) -> BTreeSet<Arc<str>> {
        let changed = self.0.iter().filter(|(key, versions)| {
            let in_force = versions.in_force.as_ref();
            in_force.is_some_and(Version::is_referred_to) && versions.has_changed() && counts(key)
        });
        changed.map(|(key, _)| key.to_string().into()).collect()
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
                    versions.newest.as_ref()?
                };
                let order = match &versions.in_force {
                    Some(in_force) if in_force.says_the_same(version) => Order::InForce,
                    Some(_) => Order::Changed,
                    None => Order::New,
                };
                Some((order, version.created(), object, version))
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
        let has_last =
            |versions: &Versions<V>| versions.in_force.is_some() && versions.has_changed();
        let objects = self.0.iter().filter(move |(_, one)| has_last(one));
        let objects = objects.map(|(key, _)| key.to_string());
        objects
            .filter(|object| refused.contains(object) && !keeps_last.contains(&**object))
            .map(Arc::from)
    }
}
