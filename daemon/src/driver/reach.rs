//! To whom each VIP is announced, as the backends say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::Announcements;

use crate::status::Reached;

/// The VIPs of each neighbour that has any, by backend and name. They are the maps of the backends.
#[derive(Debug, Default)]
pub(super) struct Reach(BTreeMap<(&'static str, Arc<str>), Announcements>);

impl Reach {
    /// These VIPs reach a neighbour now, and no others.
    pub(super) fn set(&mut self, backend: &'static str, neighbor: &Arc<str>, vips: &Announcements) {
        let key = (backend, neighbor.clone());
        if vips.is_empty() {
            self.0.remove(&key);
        } else {
            self.0.insert(key, vips.clone());
        }
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
