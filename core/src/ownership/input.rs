//! What the machine is told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_gossip::record::{Impediment, Key, Value};
use carillon_gossip::{Departure, MemberId};

use crate::address::Family;
use crate::interface::{Interfaces, MacAddress};
use crate::mark::Mark;

use super::Scope;

/// What happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// A VIP that one node at a time may announce, and which nodes that can be; `None` if it is none
    /// any more.
    Candidate(IpAddr, Option<Scope>),
    /// Whether this node is not to take a VIP though it may have it: it does not pass its traffic on yet.
    HeldBack(IpAddr, bool),
    /// The interfaces of this node that VIPs can be announced on.
    Interfaces(Arc<Interfaces>),
    /// The families of which this node cannot announce any VIP at the moment, though it has interfaces.
    Unable(BTreeSet<Family>),
    /// Whether there is this reason why this node is not to have VIPs.
    Impediment(Impediment, bool),
    /// The services have been read.
    Synced,
    /// What the others say is known: [`Input::Record`] has been told of all that existed.
    Settled,
    /// There are no others, and never will be.
    Alone,
    /// This member is known to the others by this from now on.
    Renamed(MemberId),
    /// A member is there.
    MemberUp(MemberId),
    /// A member is gone; its records stay known.
    MemberDown {
        /// Which.
        member: MemberId,
        /// Why.
        why: Departure,
    },
    /// A member is silent, and may be found lost soon.
    Suspect(MemberId),
    /// Whether none of the others has been heard for so long that it would be lost if it were alone.
    Deaf(bool),
    /// A station that was asked for a VIP, [`super::Output::Ask`], has answered, or has not.
    Answer {
        /// The VIP.
        vip: IpAddr,
        /// The station's Ethernet address.
        station: MacAddress,
        /// Whether it has answered.
        has_answered: bool,
    },
    /// A frame of another station came in on the interface of this index.
    Heard(u32),
    /// Other hosts of this node's subnets with the Ethernet address of each, such as routers; those
    /// first that are most likely there. As long as [`super::Output::Neighbours`] says so.
    Neighbours(Vec<(IpAddr, MacAddress)>),
    /// A record of another member, or that it has withdrawn it.
    Record {
        /// Whose.
        member: MemberId,
        /// About what.
        key: Key,
        /// What it says.
        value: Option<Value>,
    },
    /// Another station of the segment announces a VIP that this node announces or watches.
    Conflict {
        /// The VIP.
        vip: IpAddr,
        /// The station's Ethernet address.
        station: MacAddress,
        /// That by which it is heard to be a daemon like this one.
        mark: Option<Mark>,
        /// The Ethernet address of this node where it was heard.
        local: MacAddress,
    },
    /// A VIP that this member holds is on the wire.
    Applied {
        /// The VIP.
        vip: IpAddr,
        /// The round of the [`super::Holding::Here`] that is, or a later one than that.
        round: u64,
    },
    /// The daemon is to stop: everything is handed over, and then comes [`super::Output::Left`].
    Leaving,
}
