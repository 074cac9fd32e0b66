//! Members by the names of their nodes, and by what they are recognised by on a segment: kept as those
//! come and go, for it is looked up for each frame that counts, and for each Service that is for some
//! nodes only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use carillon_gossip::MemberId;

use crate::interface::MacAddress;
use crate::mark::Mark;

use super::Scope;

/// See the module's documentation.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Each with the index of the interface: two of a node may have the same address.
    stations: BTreeMap<MacAddress, BTreeSet<(MemberId, u32)>>,
    nodes: BTreeMap<Arc<str>, BTreeSet<MemberId>>,
    marks: BTreeMap<Mark, BTreeSet<MemberId>>,
}

impl Index {
    /// A member says that it has this interface.
    pub(super) fn add_station(&mut self, station: MacAddress, id: MemberId, interface: u32) {
        let places = self.stations.entry(station).or_default();
        places.insert((id, interface));
    }

    /// It has it no more.
    pub(super) fn remove_station(&mut self, station: MacAddress, id: MemberId, interface: u32) {
        take_out(&mut self.stations, &station, &(id, interface));
    }

    /// A member says that it is on the node of this name.
    pub(super) fn add_node(&mut self, name: &Arc<str>, id: MemberId) {
        self.nodes.entry(name.clone()).or_default().insert(id);
        let mark = Mark::of(name, id.generation);
        self.marks.entry(mark).or_default().insert(id);
    }

    /// It does not say so any more.
    pub(super) fn remove_node(&mut self, name: &Arc<str>, id: MemberId) {
        take_out(&mut self.nodes, name, &id);
        take_out(&mut self.marks, &Mark::of(name, id.generation), &id);
    }

    /// Those that have an interface with this Ethernet address.
    pub(super) fn with_station(&self, station: MacAddress) -> impl Iterator<Item = MemberId> {
        let places = self.stations.get(&station).into_iter().flatten();
        places.map(|(id, _)| *id)
    }

    /// Those whose packets carry this mark.
    pub(super) fn with_mark(&self, mark: Mark) -> impl Iterator<Item = MemberId> {
        self.marks.get(&mark).into_iter().flatten().copied()
    }

    /// Those on the node of this name.
    pub(super) fn on_node(&self, name: &str) -> impl Iterator<Item = MemberId> {
        self.nodes.get(name).into_iter().flatten().copied()
    }

    /// Those on the nodes of a scope; `None`: all.
    pub(super) fn within(&self, scope: &Scope) -> Option<impl Iterator<Item = MemberId>> {
        let names = scope.nodes()?;
        Some(names.flat_map(|name| self.on_node(name)))
    }
}

fn take_out<K: Ord, V: Ord>(all: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = all.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            all.remove(key);
        }
    }
}
