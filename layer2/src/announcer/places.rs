//! Where each VIP is announced.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::{Announcement, Announcements};
use carillon_core::few::Few;

use super::reached::Reached;

/// One interface where a VIP is announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) interface: u32,
    /// The number of its newest burst; entries of older ones are void.
    pub(super) burst: u64,
    /// That of its first.
    pub(super) taken: u64,
}

/// Those of all VIPs; a VIP may have none.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_vip: HashMap<IpAddr, Few<Place>>,
    /// Those where it has been announced.
    reached: Reached,
}

impl Places {
    /// A VIP is to be announced.
    pub(super) fn add(&mut self, vip: IpAddr) {
        self.by_vip.insert(vip, Few::default());
    }

    /// It is not any more; the interfaces where it was.
    pub(super) fn remove(&mut self, vip: IpAddr) -> Vec<u32> {
        let places = self.by_vip.remove(&vip).unwrap_or_default();
        let left: Vec<u32> = places.iter().map(|place| place.interface).collect();
        for interface in &left {
            self.reached.remove(*interface, vip);
        }
        left
    }

    /// A VIP is to be announced on no other interfaces than these; those where it was.
    pub(super) fn retain(&mut self, vip: IpAddr, wanted: &[u32]) -> Vec<u32> {
        let is_wanted = |place: &&Place| wanted.contains(&place.interface);
        let (stay, leave): (Vec<Place>, Vec<Place>) = self.of(vip).iter().partition(is_wanted);
        if !leave.is_empty() {
            self.by_vip.insert(vip, stay.into());
        }
        let left = leave.into_iter().map(|place| place.interface);
        left.inspect(|interface| self.reached.remove(*interface, vip))
            .collect()
    }

    /// A VIP that is to be announced is to be on one more interface.
    pub(super) fn insert(&mut self, vip: IpAddr, place: Place) {
        if let Some(places) = self.by_vip.get_mut(&vip) {
            *places = places.iter().copied().chain([place]).collect();
        }
    }

    /// A VIP is to be announced anew: by the burst that `start` starts on each interface.
    pub(super) fn restart(&mut self, vip: IpAddr, mut start: impl FnMut(u32) -> u64) {
        if let Some(places) = self.by_vip.get_mut(&vip) {
            let started = places.iter().map(|place| Place {
                burst: start(place.interface),
                ..*place
            });
            *places = started.collect();
        }
    }

    /// A VIP was announced on an interface for this reason, perhaps again.
    pub(super) fn announced(&mut self, vip: IpAddr, interface: u32, why: &Arc<Announcement>) {
        self.reached.add(interface, vip, why);
    }

    /// A VIP is announced for another reason, wherever it is.
    pub(super) fn renew(&mut self, vip: IpAddr, why: &Arc<Announcement>) {
        let places = self.by_vip.get(&vip).into_iter().flatten();
        for place in places {
            self.reached.renew(place.interface, vip, why);
        }
    }

    /// See [`Reached::poll`].
    pub(super) fn poll_reached(
        &mut self,
        may_tell: impl Fn(u32) -> bool,
    ) -> Option<(u32, Announcements)> {
        self.reached.poll(may_tell)
    }

    /// Whether a VIP is to be announced.
    pub(super) fn contains(&self, vip: IpAddr) -> bool {
        self.by_vip.contains_key(&vip)
    }

    /// The VIPs, in no order.
    pub(super) fn vips(&self) -> Vec<IpAddr> {
        self.by_vip.keys().copied().collect()
    }

    pub(super) fn of(&self, vip: IpAddr) -> &[Place] {
        self.by_vip.get(&vip).map_or(&[], |places| places)
    }

    /// That of a VIP on this interface.
    pub(super) fn at(&self, vip: IpAddr, interface: u32) -> Option<Place> {
        let mut places = self.of(vip).iter();
        places.find(|place| place.interface == interface).copied()
    }
}
