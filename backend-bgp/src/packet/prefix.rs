//! Prefixes on the wire (RFC 4271 section 4.3, RFC 4760 section 5).
//!
//! ```text
//! +---------------------------+
//! |   Length (1 octet)        |  in bits
//! +---------------------------+
//! |   Prefix (variable)       |  as many octets as hold that many bits
//! +---------------------------+
//! ```

use std::net::IpAddr;

use carillon_core::address::Family;
use ipnet::IpNet;

use super::cursor::Cursor;

/// The octets of the longest prefix of a family on the wire.
pub(super) fn longest(family: Family) -> usize {
    1 + usize::from(family.bits() / 8)
}

/// The octets that a prefix takes on the wire.
pub(super) fn wire_len(prefix: IpNet) -> usize {
    1 + usize::from(prefix.prefix_len().div_ceil(8))
}

/// Appends a prefix. Bits behind its length are written as zero.
pub(super) fn put(prefix: IpNet, out: &mut Vec<u8>) {
    let octets = wire_len(prefix) - 1;
    out.push(prefix.prefix_len());
    match prefix.network() {
        IpAddr::V4(network) => out.extend(network.octets().get(..octets).unwrap_or_default()),
        IpAddr::V6(network) => out.extend(network.octets().get(..octets).unwrap_or_default()),
    }
}

/// All prefixes of a field; `None` if it is syntactically incorrect (RFC 7606 section 5.3): a
/// length is too great for the family, or the last prefix is cut short. The value of the trailing
/// bits is irrelevant; they are cleared.
pub(super) fn decode_all(family: Family, field: &[u8]) -> Option<Vec<IpNet>> {
    let mut cursor = Cursor::new(field);
    let mut prefixes = Vec::new();
    while !cursor.is_empty() {
        let length = cursor.u8()?;
        let octets = cursor.take(length.div_ceil(8).into())?;
        let prefix = IpNet::new(address(family, octets)?, length).ok()?;
        prefixes.push(prefix.trunc());
    }
    Some(prefixes)
}

fn address(family: Family, octets: &[u8]) -> Option<IpAddr> {
    match family {
        Family::V4 => padded::<4>(octets).map(IpAddr::from),
        Family::V6 => padded::<16>(octets).map(IpAddr::from),
    }
}

fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(padded)
}
