//! NEXT_HOP (RFC 4271 section 5.1.3), and next hops of either family.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::attribute_type::{AttributeType, WELL_KNOWN, anyone};
use crate::packet::context::DecodeContext;
use crate::packet::update::problem::{Approach, Problem};

/// RFC 7606 section 7.3.
pub(crate) const NEXT_HOP: AttributeType = AttributeType {
    code: 3,
    name: "NEXT_HOP",
    flags: WELL_KNOWN,
    expected: anyone,
    check,
    approach: Approach::TreatAsWithdraw,
};

/// Where packets to announced addresses are sent. Its family is not always that of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6 {
        /// The global one.
        global: Ipv6Addr,
        /// The link-local one, where the peer is on the same link (RFC 2545 section 3).
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    /// How many octets it takes on the wire.
    pub(crate) fn wire_len(self) -> usize {
        match self {
            Self::V4(_) => 4,
            Self::V6 { link_local, .. } => 16 + link_local.map_or(0, |_| 16),
        }
    }

    /// Appends it.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => out.extend(address.octets()),
            Self::V6 { global, link_local } => {
                out.extend(global.octets());
                out.extend(link_local.iter().flat_map(Ipv6Addr::octets));
            }
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6 {
                global,
                link_local: None,
            } => write!(f, "{global}"),
            Self::V6 {
                global,
                link_local: Some(link_local),
            } => write!(f, "{global} and {link_local}"),
        }
    }
}

/// "Syntactic correctness means that the NEXT_HOP attribute represents a valid IP host address"
/// (RFC 4271 section 6.3).
fn check(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    let octets: [u8; 4] = value.try_into().map_err(|_| Problem::Length)?;
    let address = Ipv4Addr::from(octets);
    let reserved = matches!(octets, [0 | 240..=255, ..]);
    if reserved || address.is_loopback() || address.is_multicast() {
        return Err(Problem::Value);
    }
    Ok(())
}
