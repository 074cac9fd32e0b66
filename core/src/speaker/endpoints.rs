//! The EndpointSlices by the Service that they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::endpoint::{EndpointSlice, SliceKey};
use crate::service::ServiceKey;
use crate::sorted::pack;

/// What a slice has replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    /// What it was before.
    pub(super) before: Option<EndpointSlice>,
    /// The nodes with a ready endpoint that had none in it before.
    pub(super) new: Vec<Arc<str>>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    slices: BTreeMap<SliceKey, EndpointSlice>,
    /// The slices of each service.
    of: BTreeSet<(ServiceKey, SliceKey)>,
}

impl Endpoints {
    /// Takes in a slice as it is now; returns what it was before, unless it is the same.
    pub(super) fn set(&mut self, slice: EndpointSlice) -> Option<Replaced> {
        if self.slices.get(&slice.key) == Some(&slice) {
            return None;
        }
        let before = self.remove(&slice.key.clone());
        let entry = (slice.service.clone(), slice.key.clone());
        self.of.insert(entry);
        let ready = before.as_ref().map(|before| before.ready.clone());
        let ready = ready.unwrap_or_default();
        let is_new = |node: &&Arc<str>| ready.binary_search(node).is_err();
        let new = slice.ready.iter().filter(is_new).cloned().collect();
        self.slices.insert(slice.key.clone(), slice);
        Some(Replaced { before, new })
    }

    /// Takes in that a slice is gone; returns what it was.
    pub(super) fn remove(&mut self, key: &SliceKey) -> Option<EndpointSlice> {
        let slice = self.slices.remove(key)?;
        self.of.remove(&(slice.service.clone(), key.clone()));
        Some(slice)
    }

    /// The slices of a service.
    pub(super) fn of(&self, service: &ServiceKey) -> Vec<&EndpointSlice> {
        let first = (service.clone(), SliceKey::default());
        let slices = self.of.range(first..);
        let slices = slices.map_while(|(of, slice)| (of == service).then_some(slice));
        slices.filter_map(|slice| self.slices.get(slice)).collect()
    }

    /// Takes no more memory than it needs.
    pub(super) fn pack(&mut self) {
        pack(&mut self.slices);
        pack(&mut self.of);
    }
}
