//! What people should be told.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_gossip::MemberId;

use crate::interface::MacAddress;

use super::Why;
use super::other::Intrusion;

/// Something that people should be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// This node has a VIP from now on.
    Took {
        /// The VIP.
        vip: IpAddr,
        /// Why.
        why: Why,
    },
    /// This node has a VIP no more.
    GaveUp {
        /// The VIP.
        vip: IpAddr,
        /// The node that has it now, if there is one.
        to: Option<Arc<str>>,
    },
    /// Another station announces a VIP that this node has and keeps.
    Conflict {
        /// The VIP.
        vip: IpAddr,
        /// The station.
        station: MacAddress,
        /// Its node, if it is one of the cluster.
        node: Option<Arc<str>>,
        /// What sort of station it is.
        kind: Intrusion,
    },
    /// Another daemon announces VIPs of ours and is no member of the cluster. Told once.
    Outsider {
        /// One of the VIPs.
        vip: IpAddr,
        /// Its station.
        station: MacAddress,
    },
    /// The node that was to take a VIP has not.
    NotTaken {
        /// The VIP.
        vip: IpAddr,
        /// The node.
        by: Arc<str>,
    },
    /// Another daemon says to be of this node. Told when it is first heard, or again.
    Namesake {
        /// The other daemon.
        member: MemberId,
        /// The name of the node.
        name: Arc<str>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took { vip, why } => write!(f, "{vip} is announced here: {why}"),
            Self::GaveUp { vip, to: Some(to) } => write!(f, "{vip} is with {to} now"),
            Self::GaveUp { vip, to: None } => {
                write!(f, "{vip} is not announced any more: no node may have it")
            }
            Self::Conflict {
                vip,
                station,
                kind: Intrusion::Unanswering,
                ..
            } => write!(
                f,
                "{vip} is announced here, and somebody says in the name of the daemon at {station} to have \
                 it as well, but does not answer: either that node does not hear this one, or the frames \
                 are forged"
            ),
            Self::Conflict {
                vip,
                station,
                node: Some(node),
                ..
            } => write!(
                f,
                "{vip} is announced here, and by {node} ({station}) as well, which should not"
            ),
            Self::Conflict {
                vip,
                station,
                node: None,
                ..
            } => write!(
                f,
                "{vip} is announced here, and by {station} as well, which belongs to no node of \
                 this cluster: find that host and take the address from it"
            ),
            Self::Outsider { vip, station } => write!(
                f,
                "another daemon, at {station}, announces {vip} and cannot be talked to; all need \
                 the same secret and cluster name, and the UDP port of the gossip open between \
                 them. Until then, of two that announce an address one stops"
            ),
            Self::NotTaken { vip, by } => {
                write!(f, "{vip} stays here: {by} was to take it, but has not")
            }
            Self::Namesake { member, name } => write!(
                f,
                "the daemon at {member} has the node name {name} as well: give one of them another \
                 with --node-name"
            ),
        }
    }
}
