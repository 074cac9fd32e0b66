//! Where each VIP is announced.

use std::collections::HashMap;
use std::net::IpAddr;

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
pub(super) struct Places(HashMap<IpAddr, Vec<Place>>);

impl Places {
    /// A VIP is to be announced.
    pub(super) fn add(&mut self, vip: IpAddr) {
        self.0.insert(vip, Vec::new());
    }

    /// It is not any more; where it was.
    pub(super) fn remove(&mut self, vip: IpAddr) -> Vec<Place> {
        self.0.remove(&vip).unwrap_or_default()
    }

    /// The VIPs, in no order.
    pub(super) fn vips(&self) -> Vec<IpAddr> {
        self.0.keys().copied().collect()
    }

    pub(super) fn of(&self, vip: IpAddr) -> &[Place] {
        self.0.get(&vip).map_or(&[], Vec::as_slice)
    }

    /// Those of a VIP that is to be announced.
    pub(super) fn of_mut(&mut self, vip: IpAddr) -> Option<&mut Vec<Place>> {
        self.0.get_mut(&vip)
    }

    /// That of a VIP on this interface.
    pub(super) fn at(&self, vip: IpAddr, interface: u32) -> Option<Place> {
        let mut places = self.of(vip).iter();
        places.find(|place| place.interface == interface).copied()
    }
}
