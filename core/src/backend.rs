//! The seam between the core and the ways of announcing.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::address::Family;
use crate::announcement::{AnnouncementSet, Announcements};
use crate::interface::MacAddress;
use crate::mark::Mark;

#[cfg(any(test, feature = "testing"))]
pub mod contract;
#[cfg(any(test, feature = "testing"))]
pub mod mock;
mod status;
#[cfg(test)]
mod tests;

pub use status::{BackendStatus, Counter, Detail, Fact, NeighborStatus, Route, Value};

/// How long the rest of a daemon may be silent before what others judge the node by falls silent, too:
/// its heartbeats, and what it says on the wire of addresses with one owner. Both at once, for others
/// who hear no heartbeats ask on the wire.
pub const SILENCE: Duration = Duration::from_millis(500);

/// A future that owns all it needs, as [`Backend`] returns them.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One way of announcing to the network that this node serves a set of addresses.
///
/// The core hands over the whole desired state and the backend finds the difference. Every
/// implementation passes `contract::check` and `contract::check_neighbor`.
pub trait Backend: Send {
    /// What this backend is and can do; constant over its life.
    fn caps(&self) -> Caps;

    /// Makes `desired` the state to reach. Idempotent, complete, never blocks; a newer set replaces
    /// an older one that has not been reached.
    fn set(&mut self, desired: Arc<AnnouncementSet>);

    /// The next thing the backend has to say.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<BackendEvent>;

    /// The state of now, for people and machines. Resolves soon even when neighbours do not
    /// answer.
    fn status(&self, detail: Detail) -> BoxFuture<BackendStatus>;

    /// Resolves when each task of the backend has come round once since the call: soon, unless one of
    /// them hangs. To be asked often, and therefore cheap.
    ///
    /// # Errors
    /// One of them has died; the text says which.
    fn pulse(&self) -> BoxFuture<Result<(), String>>;

    /// Withdraws everything, tells the neighbours why where the protocol can, and ends. Resolves
    /// when that is on the wire or cannot be put there.
    fn shutdown(self: Box<Self>, ending: Ending) -> BoxFuture<()>;
}

/// What a backend is and can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// As written in configuration and logs.
    pub name: &'static str,
    /// Who may announce a VIP at one time.
    pub ownership: Ownership,
    /// It announces on the interfaces of this node, and has to know them:
    /// [`AnnouncementSet::interfaces`].
    pub uses_interfaces: bool,
}

/// What a backend has to know of the end of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why, for those neighbours that can be told.
    pub reason: String,
}

/// How many nodes may announce one VIP at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Exactly one node of the network segment; the backend is for VIPs of this family only.
    Exclusive(Family),
    /// Every eligible node; the network balances over them.
    Shared,
}

impl Ownership {
    /// Whether the backend is for VIPs of a family.
    pub fn has(self, family: Family) -> bool {
        match self {
            Self::Exclusive(only) => only == family,
            Self::Shared => true,
        }
    }

    /// Whether only one node may.
    pub fn is_exclusive(self) -> bool {
        match self {
            Self::Exclusive(_) => true,
            Self::Shared => false,
        }
    }
}

/// What a backend reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// All of this generation is on the wire, with every neighbour that can be reached.
    Applied {
        /// [`AnnouncementSet::generation`].
        generation: u64,
    },
    /// What a neighbour has is this and nothing else: it has acknowledged that, or, where a protocol
    /// knows no such thing, it is on the wire to it. Told before [`BackendEvent::Applied`], when a
    /// neighbour has all that it is to have and had something else before, and when it is lost: as
    /// seldom, and not for each VIP.
    Reaches {
        /// As in [`NeighborStatus::name`].
        neighbor: Arc<str>,
        /// Its VIPs: the map of the set itself, where it has all of that.
        vips: Announcements,
    },
    /// A neighbour came up.
    NeighborUp {
        /// As in [`NeighborStatus::name`].
        neighbor: String,
    },
    /// Another station of the segment says that it has a VIP that this node announces or watches.
    /// Told at most once a second for each VIP and station.
    Conflict {
        /// The address.
        vip: IpAddr,
        /// The Ethernet address of the other station.
        station: MacAddress,
        /// That by which it is heard to be a daemon like this one.
        mark: Option<Mark>,
        /// The Ethernet address of this node there.
        local: MacAddress,
        /// The interface on which it was heard.
        interface: Arc<str>,
    },
    /// A station that is asked for an address has answered as it has to, for the first time or after
    /// [`BackendEvent::Unanswered`].
    Answered {
        /// The address.
        vip: IpAddr,
        /// The station's Ethernet address.
        station: MacAddress,
    },
    /// A station that is asked for an address has not answered several questions in a row. It is
    /// asked further.
    Unanswered {
        /// The address.
        vip: IpAddr,
        /// The station's Ethernet address.
        station: MacAddress,
    },
    /// A frame of another station has come in, as long as anybody is asked for anything or a VIP is
    /// watched. Told now and then.
    Heard {
        /// The index of the interface.
        interface: u32,
    },
    /// The interfaces, by index, of those that it was given, on which it can announce: frames come in
    /// and go out there. Before the first time they are all taken to be such.
    Able(Arc<BTreeSet<u32>>),
    /// A neighbour was lost, or an attempt to reach it failed.
    NeighborDown {
        /// As in [`NeighborStatus::name`].
        neighbor: String,
        /// What happened, and what would help where that is known.
        reason: String,
    },
}
