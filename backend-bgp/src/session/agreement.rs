//! What both ends of a connection have agreed on, and which families it offers: those for which there
//! is a next hop.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::config::Peer;
use carillon_core::hash::fnv32;

use crate::packet::{Capabilities, DecodeContext, FamilySet, NextHop, Open, PeerType};
use crate::timer::SHORTEST_KEEPALIVE;

/// The OPENs of a connection, and what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    /// Our end of the connection.
    pub(super) local: IpAddr,
    /// The OPEN that we send.
    pub(super) ours: Open,
    /// The OPEN that the peer sent, once it is accepted.
    pub(super) theirs: Option<Open>,
}

impl Agreement {
    /// The beginning of one, on a new connection from this address. It offers the families that have
    /// a next hop; `None` if there are none.
    pub(super) fn new(peer: &Peer, local: IpAddr, fallback: Ipv4Addr) -> Option<Self> {
        let families: FamilySet = [Family::V4, Family::V6]
            .into_iter()
            .filter(|family| next_hop(local, *family).is_some())
            .collect();
        if families.is_empty() {
            return None;
        }
        let router_id = peer.router_id.unwrap_or(match local {
            IpAddr::V4(local) => local,
            IpAddr::V6(_) => fallback,
        });
        let ours = Open {
            asn: peer.my_asn,
            hold_time: peer.hold_time.as_secs().try_into().unwrap_or(u16::MAX),
            router_id,
            capabilities: Capabilities {
                multiprotocol: Some(families),
                four_octet_as: true,
                route_refresh: true,
            },
        };
        Some(Self {
            local,
            ours,
            theirs: None,
        })
    }

    /// How messages are to be read and written.
    pub(super) fn context(&self) -> DecodeContext {
        match &self.theirs {
            Some(theirs) => self.ours.negotiated(theirs),
            None => DecodeContext::default(),
        }
    }

    /// Where the peer is to send packets to routes of this family; `None` if nothing is known that
    /// it can reach.
    pub(super) fn next_hop(&self, family: Family) -> Option<NextHop> {
        next_hop(self.local, family)
    }

    /// The AS path of our routes: our own AS for an external peer, none for an internal one (RFC
    /// 4271 section 5.1.2).
    pub(super) fn as_path(&self) -> &[u32] {
        match self.context().peer_type {
            PeerType::Internal => &[],
            PeerType::External => std::slice::from_ref(&self.ours.asn),
        }
    }

    /// The smaller of both hold times (RFC 4271 section 4.2), if the peer's is known.
    pub(super) fn hold_time(&self) -> Option<Duration> {
        let theirs = self.theirs.as_ref()?.hold_time;
        Some(Duration::from_secs(self.ours.hold_time.min(theirs).into()))
    }

    /// How often to send a KEEPALIVE: a third of the hold time, or more often where that is
    /// configured, but "not more frequently than one per second" (RFC 4271 section 4.4). `None`
    /// for never.
    pub(super) fn keepalive_time(&self, peer: &Peer) -> Option<Duration> {
        let third = self.hold_time().filter(|time| !time.is_zero())? / 3;
        let wanted = peer.keepalive_time.unwrap_or(third);
        Some(wanted.min(third).max(SHORTEST_KEEPALIVE))
    }
}

/// The next hop of routes of this family in a session from this address: the address itself, for
/// the peer demonstrably reaches it. "Only the global IPv6 address of the next hop" is told (RFC
/// 2545 section 3), for a link-local one is of no use to routers beyond the link.
fn next_hop(local: IpAddr, family: Family) -> Option<NextHop> {
    match (family, local) {
        (Family::V4, IpAddr::V4(local)) => Some(NextHop::V4(local)),
        (Family::V6, IpAddr::V6(local)) if !local.is_unicast_link_local() => Some(NextHop::V6 {
            global: local,
            link_local: None,
        }),
        (Family::V4 | Family::V6, IpAddr::V4(_) | IpAddr::V6(_)) => None,
    }
}

/// The BGP identifier of a node for sessions that have no IPv4 address: any number but 0 that stays
/// the same will do (RFC 6286), so it is a hash (FNV-1a) of the node's name. It looks like the
/// address of a host, 1.0.0.0 to 126.255.255.255, for routers that still want one (RFC 4271 section
/// 6.2).
pub(crate) fn router_id_of(node: &str) -> Ipv4Addr {
    Ipv4Addr::from(0x0100_0000 + fnv32(node.as_bytes()) % 0x7e00_0000)
}
