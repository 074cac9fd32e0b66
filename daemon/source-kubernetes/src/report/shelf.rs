//! What is stored of the objects that this daemon writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use carillon_core::service::ServiceKey;
use carillon_objects::report::Report;
use carillon_objects::{Kind, ObjectKey};

use super::content::Said;
use super::key::ReportKey;
use super::write::{Pod, Writer};

/// What is stored of an object.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) key: ReportKey,
    /// `metadata.resourceVersion`.
    pub(super) version: Box<str>,
    /// It goes with this daemon's Pod.
    pub(super) is_ours: bool,
    pub(super) said: Said,
}

/// What the watch of a kind has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    /// All objects.
    Complete,
    /// The API server does not know the kind.
    Unknown,
}

/// See the module's documentation.
pub(super) struct Shelf {
    writer: Arc<Writer>,
    stored: HashMap<ObjectKey, Stored>,
    listings: BTreeMap<Kind, Listing>,
}

impl Shelf {
    /// A shelf of which nothing is known yet.
    pub(super) fn new(writer: Arc<Writer>) -> Self {
        Self {
            writer,
            stored: HashMap::new(),
            listings: BTreeMap::new(),
        }
    }

    /// Takes in an object as it is stored now. Returns its key if it is one that this daemon writes.
    pub(super) fn put(
        &mut self,
        name: ObjectKey,
        version: Box<str>,
        report: &Report,
    ) -> Option<ReportKey> {
        let node = &self.writer.node;
        let key = ReportKey::of(&name, report);
        // One of another name says the same of the Service: nobody knows whose it is.
        let key = key.filter(|key| key.name(node) == name.name.name())?;
        let pod = self.writer.pod.as_ref();
        let is_owner = |pod: &Pod| report.owners.iter().any(|uid| **uid == *pod.uid);
        let stored = Stored {
            version,
            is_ours: !key.is_made_here() || pod.is_none_or(is_owner),
            said: Said::of(&key, node, &report.status),
            key: key.clone(),
        };
        self.stored.insert(name, stored);
        Some(key)
    }

    /// Takes in that an object is gone. Returns its key if it was here.
    pub(super) fn take(&mut self, name: &ObjectKey) -> Option<ReportKey> {
        self.stored.remove(name).map(|stored| stored.key)
    }

    /// Takes in that all objects of a kind have been told, or that there is no such kind. Returns
    /// whether that is news.
    pub(super) fn list(&mut self, kind: Kind, exists: bool) -> bool {
        let listing = if exists {
            Listing::Complete
        } else {
            self.stored.retain(|_, stored| stored.key.kind() != kind);
            Listing::Unknown
        };
        self.listings.insert(kind, listing) != Some(listing)
    }

    /// Whether all objects of a kind are known.
    pub(super) fn is_complete(&self, kind: Kind) -> bool {
        self.listings.get(&kind) == Some(&Listing::Complete)
    }

    /// Whether the API server does not know a kind.
    pub(super) fn is_unknown(&self, kind: Kind) -> bool {
        self.listings.get(&kind) == Some(&Listing::Unknown)
    }

    /// What is stored of an object, if it is there.
    pub(super) fn get(&self, key: &ReportKey) -> Option<&Stored> {
        let name = key.name(&self.writer.node);
        let name = ServiceKey::new(&self.writer.namespace, &name);
        self.stored.get(&ObjectKey {
            kind: key.kind(),
            name,
        })
    }

    /// The keys of all that are there.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ReportKey> {
        self.stored.values().map(|stored| &stored.key)
    }

    /// Takes no more memory than it needs.
    pub(super) fn pack(&mut self) {
        self.stored.shrink_to_fit();
    }
}
