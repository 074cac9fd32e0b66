//! What is announced to the peer, as far as it has acknowledged that.

use std::net::IpAddr;

use carillon_core::announcement::Announcements;
use ipnet::IpNet;

use super::{Session, State};
use crate::reach::Vips;

impl Session {
    /// How often the session has been Established with this time; `None` while it is not, or is being
    /// ended.
    pub(crate) fn establishment(&self) -> Option<u64> {
        let is_up = self.state == State::Established && self.farewell.is_none();
        is_up.then_some(self.counters.established)
    }

    /// Which of the VIPs whose routes were wished for last reach the peer, once everything
    /// [is settled](Self::is_settled).
    pub(crate) fn reached(&self, vips: &Vips) -> Announcements {
        if self.establishment().is_none() {
            return Announcements::new();
        }
        let mut reached = vips.of(self.rib.families());
        for prefix in self.rib.withheld() {
            let withheld = behind(prefix, &reached);
            for vip in withheld.into_iter().filter(|vip| !self.rib.covers(*vip)) {
                reached.remove(&vip);
            }
        }
        reached
    }
}

/// The VIPs for which a route is, perhaps among others.
fn behind(prefix: IpNet, vips: &Announcements) -> Vec<IpAddr> {
    let vips = vips.range(prefix.network()..=prefix.broadcast());
    vips.map(|(vip, _)| *vip).collect()
}
