//! What has been announced where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::{Announcement, Announcements};

/// The VIPs that were announced on each interface and are still answered there.
#[derive(Debug, Default)]
pub(super) struct Reached {
    by_interface: BTreeMap<u32, Announcements>,
    /// The interfaces of which that is not told yet.
    untold: BTreeSet<u32>,
}

impl Reached {
    /// A VIP is announced for another reason, where it is.
    pub(super) fn renew(&mut self, interface: u32, vip: IpAddr, announcement: &Arc<Announcement>) {
        let mut of_interface = self.by_interface.get(&interface).into_iter();
        if of_interface.any(|vips| vips.contains_key(&vip)) {
            self.add(interface, vip, announcement);
        }
    }

    /// A VIP was announced on an interface, perhaps again.
    pub(super) fn add(&mut self, interface: u32, vip: IpAddr, announcement: &Arc<Announcement>) {
        let vips = self.by_interface.entry(interface).or_default();
        if vips.get(&vip) != Some(announcement) {
            vips.insert(vip, announcement.clone());
            self.untold.insert(interface);
        }
    }

    /// It is not answered there any more.
    pub(super) fn remove(&mut self, interface: u32, vip: IpAddr) {
        if let Some(vips) = self.by_interface.get_mut(&interface)
            && vips.remove(&vip).is_some()
        {
            self.untold.insert(interface);
            if vips.is_empty() {
                self.by_interface.remove(&interface);
            }
        }
    }

    /// The next interface of which there is something to tell, and may be.
    pub(super) fn poll(&mut self, may_tell: impl Fn(u32) -> bool) -> Option<(u32, Announcements)> {
        let mut untold = self.untold.iter().copied();
        let interface = untold.find(|interface| may_tell(*interface))?;
        self.untold.remove(&interface);
        let vips = self.by_interface.get(&interface);
        Some((interface, vips.cloned().unwrap_or_default()))
    }
}
