//! OPEN (RFC 4271 section 4.2) and its capabilities (RFC 5492).

use std::net::Ipv4Addr;

use carillon_core::address::Family;

/// An OPEN message, its capabilities understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS number: that of the 4-octet capability if it is there (RFC 6793), else the 2-octet field.
    pub asn: u32,
    /// The proposed hold time in seconds: 0, or at least 3.
    pub hold_time: u16,
    /// The BGP identifier, not 0 (RFC 6286).
    pub router_id: Ipv4Addr,
    /// The capabilities that we understand.
    pub capabilities: Capabilities,
}

/// The capabilities that an announcer cares for; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Unicast families by Multiprotocol Extensions (RFC 4760), in the order received.
    pub families: Vec<Family>,
    /// Multiprotocol capabilities were present at all; without any, a peer speaks IPv4 unicast only.
    pub multiprotocol: bool,
    /// 4-octet AS numbers (RFC 6793).
    pub four_octet_as: bool,
    /// Route refresh (RFC 2918).
    pub route_refresh: bool,
}
