//! What both ends of a connection have agreed on.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::config::Peer;
use carillon_core::hash::fnv32;

use crate::packet::{Capabilities, DecodeContext, FamilySet, Open};
use crate::timer::SHORTEST_KEEPALIVE;

/// The OPENs of a connection, and what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Agreement {
    /// Our end of the connection; also the next hop of all routes.
    pub(super) local: IpAddr,
    /// The OPEN that we send.
    pub(super) ours: Open,
    /// The OPEN that the peer sent, once it is accepted.
    pub(super) theirs: Option<Open>,
}

impl Agreement {
    /// The beginning of one, on a new connection. Routes of the connection's own family are
    /// offered, for only of that family it has a next hop.
    pub(super) fn new(peer: &Peer, local: IpAddr, fallback: Ipv4Addr) -> Self {
        let router_id = peer.router_id.unwrap_or(match local {
            IpAddr::V4(local) => local,
            IpAddr::V6(_) => fallback,
        });
        let ours = Open {
            asn: peer.my_asn,
            hold_time: peer.hold_time.as_secs().try_into().unwrap_or(u16::MAX),
            router_id,
            capabilities: Capabilities {
                multiprotocol: Some(FamilySet::from_iter([Family::of(local)])),
                four_octet_as: true,
                route_refresh: true,
            },
        };
        Self {
            local,
            ours,
            theirs: None,
        }
    }

    /// How messages are to be read and written.
    pub(super) fn context(&self) -> DecodeContext {
        match &self.theirs {
            Some(theirs) => self.ours.negotiated(theirs),
            None => DecodeContext::default(),
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

/// Whether routers beyond the link can use it: "only the global IPv6 address of the next hop" is
/// told (RFC 2545 section 3), and a link-local one is none.
pub(super) fn is_next_hop(address: IpAddr) -> bool {
    !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The BGP identifier of a node for sessions that have no IPv4 address: any number but 0 that stays
/// the same will do (RFC 6286), so it is a hash (FNV-1a) of the node's name. It looks like the
/// address of a host, 1.0.0.0 to 126.255.255.255, for routers that still want one (RFC 4271 section
/// 6.2).
pub(crate) fn router_id_of(node: &str) -> Ipv4Addr {
    Ipv4Addr::from(0x0100_0000 + fnv32(node.as_bytes()) % 0x7e00_0000)
}
