//! The facts a backend needs to announce VIPs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{AdvertisementNames, Config, PoolName};
use crate::interface::{InterfaceNames, Interfaces, MacAddress};
use crate::mark::Mark;
use crate::node::Node;

/// How this node must announce a VIP. Those that are announced alike may share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The pool it belongs to, a key of [`Config::pools`].
    pub pool: PoolName,
    /// The advertisements of the backend's own kind that say how it is announced.
    pub advertisements: AdvertisementNames,
    /// When this differs from before, neighbours that remember another owner must be told anew, as
    /// loud as at first. 0 where every eligible node announces.
    pub round: u64,
}

/// Announcements by VIP. A clone costs a pointer, and the difference to the map that it was made from
/// as much as what changed.
pub type Announcements = imbl::OrdMap<IpAddr, Arc<Announcement>>;

/// Stations of a segment that are asked, each by a frame to it alone, whether they have an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Their Ethernet addresses.
    pub stations: BTreeSet<MacAddress>,
    /// Whose answers count.
    pub respondent: Respondent,
    /// When this differs from before, they are asked anew: nothing is known of what they answer.
    pub round: u32,
}

/// Who has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respondent {
    /// A daemon: an answer counts only if it carries a [`Mark`] and the
    /// nonce of the question. The kernel of a node may answer for
    /// a VIP although no daemon runs there any more.
    Daemon,
    /// One of a version whose answers do not repeat the nonce of a question ([`crate::mark`]).
    FormerDaemon,
    /// The host itself, for an address of its own.
    Host,
}

/// Everything one backend must announce from this node: the whole wish, not a change to it.
///
/// The map is persistent: a clone costs a pointer, and the difference to the set before costs as
/// much as what changed.
#[derive(Clone, Debug)]
pub struct AnnouncementSet {
    /// Grows with every set; reported back by [`crate::backend::BackendEvent::Applied`].
    pub generation: u64,
    /// The configuration in force: pools, and the settings of every backend.
    pub config: Arc<Config>,
    /// The node that this daemon runs on.
    pub node: Arc<Node>,
    /// The announcements by VIP.
    pub by_vip: Announcements,
    /// The interfaces that VIPs can be announced on; empty for a backend that has no use of them
    /// ([`crate::backend::Caps::uses_interfaces`]).
    pub interfaces: Arc<Interfaces>,
    /// The names of the interfaces of those VIPs that are for some only, be they announced or not.
    pub interfaces_of: imbl::OrdMap<IpAddr, InterfaceNames>,
    /// VIPs that another station of the segment has, as far as is known. The backend keeps asking
    /// for them and reports each answer as [`crate::backend::BackendEvent::Conflict`].
    pub watched: imbl::OrdSet<IpAddr>,
    /// Addresses with the stations that are to be asked for them again and again, VIPs or not. The
    /// backend reports [`crate::backend::BackendEvent::Answered`] and
    /// [`crate::backend::BackendEvent::Unanswered`].
    pub asked: imbl::OrdMap<IpAddr, Arc<Asked>>,
    /// What other daemons recognise this one by.
    pub mark: Mark,
}

impl AnnouncementSet {
    /// The set of a daemon that has read nothing yet.
    pub fn empty(node: Arc<Node>) -> Self {
        Self {
            generation: 0,
            config: Arc::default(),
            mark: Mark::of(&node.name, 0),
            node,
            by_vip: Announcements::new(),
            interfaces: Arc::default(),
            interfaces_of: imbl::OrdMap::new(),
            watched: imbl::OrdSet::new(),
            asked: imbl::OrdMap::new(),
        }
    }
}
