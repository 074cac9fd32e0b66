//! What the watches have told, and what of it is news.
//!
//! ```text
//!  Listing ──▶ Objects … ──▶ Listed ──▶ Objects | Deleted … ──┐
//!     ▲                        └ whatever it lacks is gone    │
//!     └───────────── the watch has expired, or a list is asked for
//! ```
//!
//! Pure bookkeeping. Only names and versions are kept. Nothing is gone because it could not be
//! read: neither when the API server is away, nor when an object is not understood.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use carillon_core::service::ServiceKey;
use carillon_objects::source::{Change, LISTED, Problem, Problems};
use carillon_objects::{ApiObject, Kind, Names, Object, ObjectKey, Purpose, Unreadable};

use super::failure::Class;
use super::{ApiChange, Batch};

#[cfg(test)]
mod tests;

/// How many names may be known beside those of objects: of nodes, and of services of slices.
const SPARE_NAMES: usize = 10_000;
/// How many notes on objects are told.
const MAX_NOTES: usize = 20;

/// What a watch has to tell.
#[derive(Debug)]
pub(super) enum Event {
    /// A list begins.
    Listing,
    /// Objects as they are now, of a list or because they changed.
    Objects(Vec<Result<ApiObject, Unreadable>>),
    /// The list is complete.
    Listed,
    /// An object is gone.
    Deleted(ObjectKey),
    /// Asking has failed, and why.
    Failed(Class, String),
    /// There is no such kind, and so there are no objects of it.
    Absent,
    /// Asking works.
    Works,
}

/// See the module's documentation.
pub(super) struct Mirror {
    kinds: BTreeMap<Kind, State>,
    names: Names,
    /// What was told first of each class of failures that lasts, and since when.
    failures: BTreeMap<Class, String>,
    told: Arc<Problems>,
    is_synced: bool,
    are_pods_synced: bool,
    changed: bool,
}

/// What is known of the objects of one kind.
#[derive(Default)]
struct State {
    objects: HashMap<ServiceKey, Known>,
    /// What is wrong with the newest versions of some.
    refused: BTreeMap<ServiceKey, Vec<String>>,
    /// What is to say of the newest versions of some beside that.
    notes: BTreeMap<ServiceKey, Vec<String>>,
    /// What is wrong with those that cannot be told apart.
    nameless: Vec<String>,
    /// Which list this is, or was the last.
    list: u32,
    /// A list has been complete.
    listed: bool,
    failure: Option<Class>,
}

/// What is known of an object.
#[derive(Default)]
struct Known {
    /// The last list that it was in, or during which it changed.
    list: u32,
    /// The version that was told last, as a hash of its name.
    told: Option<u64>,
    /// That is the newest one.
    is_newest: bool,
    /// None was told, but the addresses that it has.
    has_addresses: bool,
}

impl Mirror {
    /// A mirror of these kinds, of which nothing is known yet.
    pub(super) fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let kinds = kinds.into_iter().map(|kind| (kind, State::default()));
        Self {
            kinds: kinds.collect(),
            names: Names::default(),
            failures: BTreeMap::new(),
            told: Arc::default(),
            is_synced: false,
            are_pods_synced: false,
            changed: false,
        }
    }

    /// Takes in what the watch of a kind tells; `now` is for people.
    pub(super) fn take(&mut self, kind: Kind, event: Event, now: &str, batch: &mut Batch) {
        let Some(state) = self.kinds.get_mut(&kind) else {
            return;
        };
        match event {
            Event::Listing => {
                state.list = state.list.wrapping_add(1);
                self.changed |= !state.nameless.is_empty();
                state.nameless.clear();
            }
            Event::Objects(objects) => {
                for object in objects {
                    self.changed |= match object {
                        Ok(object) => state.set(object, &mut self.names, batch),
                        Err(unreadable) => state.refuse(unreadable, &mut self.names, batch),
                    };
                }
            }
            Event::Listed => {
                if kind.info().purpose == Purpose::Namespace && !state.listed {
                    batch.words.push(ApiChange::NamespacesKnown);
                }
                self.changed |= state.end_list(kind, true, batch);
                self.tidy();
            }
            Event::Deleted(key) => {
                self.changed |= state.remove(&key, batch);
                self.tidy();
            }
            Event::Failed(class, text) => {
                state.failure = Some(class);
                let since = || format!("{text} (since {now})");
                self.failures.entry(class).or_insert_with(since);
                self.changed = true;
            }
            Event::Absent => {
                state.list = state.list.wrapping_add(1);
                state.nameless.clear();
                self.changed |= state.failure.take().is_some();
                self.changed |= state.end_list(kind, false, batch);
                self.tidy();
            }
            Event::Works => {
                self.changed |= state.failure.take().is_some();
            }
        }
    }

    /// Adds to a batch what follows from all of it.
    pub(super) fn finish(&mut self, batch: &mut Batch) {
        batch.synced = self.becomes_synced(false);
        batch.pods_synced = self.becomes_synced(true);
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let lasting = |class: &Class| {
            let mut states = self.kinds.values();
            states.any(|state| state.failure == Some(*class))
        };
        self.failures.retain(|class, _| lasting(class));
        let mut objects = self.problems();
        let omitted = objects.len().saturating_sub(LISTED);
        objects.truncate(LISTED);
        let problems = Problems {
            unreachable: self.failures.values().cloned().collect(),
            objects,
            omitted,
            notes: self.notes(),
            omitted_notes: 0,
        };
        if problems != *self.told {
            self.told = Arc::new(problems);
            batch.problems = Some(self.told.clone());
        }
    }

    /// Whether all has been listed that this is about, for the first time: the Pods, or all else.
    /// Without the Pods others cannot be found, but what needs no others goes on. Nothing waits for the
    /// labels of other nodes that may not be read: most configurations do not select by them; nor for the
    /// Pods of MetalLB that may not be read: most clusters have none. Nor for the labels of namespaces: who needs them is told when they are known.
    fn becomes_synced(&mut self, of_pods: bool) -> bool {
        let mut kinds = self.kinds.iter();
        let is_awaited = |kind: &Kind| match kind.info().purpose {
            Purpose::Pod => of_pods,
            Purpose::Namespace | Purpose::NodeReport | Purpose::ControllerReport => false,
            Purpose::Service
            | Purpose::Setting
            | Purpose::Secret
            | Purpose::EndpointSlice
            | Purpose::Node
            | Purpose::MetallbPod
            | Purpose::NodeLabels => !of_pods,
        };
        let is_given_up = |kind: &Kind, state: &State| {
            let purpose = kind.info().purpose;
            matches!(purpose, Purpose::NodeLabels | Purpose::MetallbPod)
                && matches!(state.failure, Some(Class::Forbidden(_)))
        };
        let is_listed = kinds
            .all(|(kind, state)| state.listed || !is_awaited(kind) || is_given_up(kind, state));
        let is_synced = if of_pods {
            &mut self.are_pods_synced
        } else {
            &mut self.is_synced
        };
        is_listed && !std::mem::replace(is_synced, is_listed)
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (kind, state) in &self.kinds {
            for (name, errors) in &state.refused {
                let known = state.objects.get(name);
                let keeps_last = known.is_some_and(|known| known.told.is_some());
                let (kind, name) = (*kind, name.clone());
                let key = ObjectKey { kind, name };
                problems.extend(tell(&key.to_string(), Some(&key), errors, keeps_last));
            }
            let nameless = format!("a {kind} of the cluster");
            problems.extend(tell(&nameless, None, &state.nameless, true));
        }
        problems
    }

    /// Of everybody's objects a few are told: there may be many, and who writes them is seldom who
    /// reads this.
    fn notes(&self) -> Vec<Problem> {
        let mut notes = Vec::new();
        for (kind, state) in &self.kinds {
            for (name, texts) in &state.notes {
                let key = ObjectKey {
                    kind: *kind,
                    name: name.clone(),
                };
                notes.extend(tell(&key.to_string(), Some(&key), texts, false));
                if notes.len() >= MAX_NOTES {
                    return notes;
                }
            }
        }
        notes
    }

    /// Forgets names, of which there are more than objects: those of objects that are gone. That
    /// costs no more than the memory for a second copy of some.
    fn tidy(&mut self) {
        let states = self.kinds.values();
        let objects: usize = states.map(|state| state.objects.len()).sum();
        if self.names.count() > 2 * objects + SPARE_NAMES {
            self.names = Names::default();
        }
    }
}

fn tell<'a>(
    file: &'a str,
    key: Option<&'a ObjectKey>,
    errors: &'a [String],
    keeps_last: bool,
) -> impl Iterator<Item = Problem> + 'a {
    errors.iter().map(move |error| Problem {
        file: file.to_owned(),
        at: None,
        object: key.cloned(),
        message: error.clone(),
        keeps_last,
    })
}

impl State {
    /// Takes in an object. Returns whether something is no longer wrong.
    fn set(&mut self, mut new: ApiObject, names: &mut Names, batch: &mut Batch) -> bool {
        names.share(&mut new.key, &mut new.object);
        let name = &new.key.name;
        let known = self.objects.entry(name.clone()).or_default();
        let version = hash(&new.version);
        let is_news = !known.is_newest || known.told != Some(version);
        *known = Known {
            list: self.list,
            told: Some(version),
            is_newest: true,
            has_addresses: false,
        };
        let mended = self.refused.remove(name).is_some();
        let noted = if new.notes.is_empty() {
            self.notes.remove(name).is_some()
        } else {
            let before = self.notes.insert(name.clone(), new.notes.clone());
            before.as_ref() != Some(&new.notes)
        };
        if is_news {
            let stored = new.stored.map(|stored| (name.clone(), stored));
            let stored = stored.map(|(name, stored)| ApiChange::Stored(name, stored));
            batch.words.extend(stored);
            match new.object {
                Object::Report(report) => {
                    let word = ApiChange::Report(new.key, new.version, report);
                    batch.words.push(word);
                }
                object => batch.changes.push(Change::Set(new.key, object)),
            }
        }
        mended || noted
    }

    /// Takes in that an object is not understood. Returns whether that is news.
    fn refuse(&mut self, unreadable: Unreadable, names: &mut Names, batch: &mut Batch) -> bool {
        let Some(mut key) = unreadable.key else {
            self.nameless.extend(unreadable.errors);
            return true;
        };
        names.share_key(&mut key);
        let known = self.objects.entry(key.name.clone()).or_default();
        (known.list, known.is_newest) = (self.list, false);
        if known.told.is_none() && !unreadable.published.is_empty() {
            known.has_addresses = true;
            let reserved = ApiChange::Reserved(key.name.clone(), unreadable.published);
            batch.words.push(reserved);
        }
        let before = self.refused.insert(key.name, unreadable.errors.clone());
        before.as_ref() != Some(&unreadable.errors)
    }

    /// Whatever the list lacked is gone, of a kind that exists or of none. Returns whether that
    /// concerns a problem.
    fn end_list(&mut self, kind: Kind, exists: bool, batch: &mut Batch) -> bool {
        self.listed = true;
        if kind.info().purpose.is_report() {
            batch.words.push(ApiChange::ReportsListed(kind, exists));
        }
        // What had no name may be any of them.
        if !self.nameless.is_empty() {
            return false;
        }
        let list = self.list;
        let gone = self.objects.extract_if(|_, known| known.list != list);
        let mut mended = false;
        for (name, known) in gone {
            mended |= self.refused.remove(&name).is_some() | self.notes.remove(&name).is_some();
            known.end(ObjectKey { kind, name }, batch);
        }
        mended
    }

    /// Takes in that an object is gone. Returns whether that concerns a problem.
    fn remove(&mut self, key: &ObjectKey, batch: &mut Batch) -> bool {
        if let Some(known) = self.objects.remove(&key.name) {
            known.end(key.clone(), batch);
        }
        self.refused.remove(&key.name).is_some() | self.notes.remove(&key.name).is_some()
    }
}

impl Known {
    /// Takes back what was told.
    fn end(self, key: ObjectKey, batch: &mut Batch) {
        if self.has_addresses {
            let is_it = |change: &ApiChange| matches!(change, ApiChange::Reserved(name, _) if *name == key.name);
            batch.words.retain(|change| !is_it(change));
        }
        if key.kind.info().purpose.is_report() {
            batch.words.push(ApiChange::ReportGone(key));
        } else if self.told.is_some() || self.has_addresses {
            batch.changes.push(Change::Removed(key));
        }
    }
}

/// Versions are compared for being the same only.
fn hash(version: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    hasher.finish()
}
