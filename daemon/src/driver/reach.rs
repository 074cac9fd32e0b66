//! To whom each VIP is announced, as the backends say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::Announcements;
use imbl::ordmap::DiffItem;

use crate::status::Reached;

/// The VIPs of each neighbour that has any, by backend and name. They are the maps of the backends.
#[derive(Debug, Default)]
pub(super) struct Reach(BTreeMap<(&'static str, Arc<str>), Announcements>);

impl Reach {
    /// These VIPs reach a neighbour now, and no others. Returns those that did not, or do no longer; the
    /// cost is theirs.
    pub(super) fn set(
        &mut self,
        backend: &'static str,
        neighbor: &Arc<str>,
        vips: &Announcements,
    ) -> Vec<IpAddr> {
        let key = (backend, neighbor.clone());
        let before = if vips.is_empty() {
            self.0.remove(&key)
        } else {
            self.0.insert(key, vips.clone())
        };
        let before = before.unwrap_or_default();
        let changes = before.diff(vips).filter_map(|change| match change {
            DiffItem::Add(vip, _) | DiffItem::Remove(vip, _) => Some(*vip),
            DiffItem::Update { .. } => None,
        });
        changes.collect()
    }

    /// All that reach anybody.
    pub(super) fn vips(&self) -> impl Iterator<Item = IpAddr> {
        self.0.values().flat_map(|vips| vips.keys().copied())
    }

    /// The neighbours of a backend that an address reaches.
    pub(super) fn by(&self, backend: &str, address: IpAddr) -> impl Iterator<Item = &Arc<str>> {
        let neighbors = self.0.iter();
        let reached =
            neighbors.filter(move |((by, _), vips)| *by == backend && vips.contains_key(&address));
        reached.map(|((_, neighbor), _)| neighbor)
    }

    /// To whom an address is announced.
    pub(super) fn of(&self, address: IpAddr) -> impl Iterator<Item = Reached> {
        let neighbors = self.0.iter();
        let reached = neighbors.filter(move |(_, vips)| vips.contains_key(&address));
        reached.map(move |((backend, neighbor), _)| Reached {
            address,
            backend: (*backend).to_owned(),
            neighbor: neighbor.to_string(),
        })
    }
}
