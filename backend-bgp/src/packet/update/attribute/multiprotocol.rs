//! `MP_REACH_NLRI` and `MP_UNREACH_NLRI` (RFC 4760 sections 3 and 4).
//!
//! ```text
//! +-----------------------------------------------+
//! | Address Family Identifier (2 octets)          |
//! +-----------------------------------------------+
//! | Subsequent Address Family Identifier (1)      |
//! +-----------------------------------------------+
//! | Length of Next Hop Network Address (1 octet)  |  these three in
//! | Network Address of Next Hop (variable)        |  MP_REACH_NLRI
//! | Reserved (1 octet)                            |  only
//! +-----------------------------------------------+
//! | NLRI or Withdrawn Routes (variable)           |
//! +-----------------------------------------------+
//! ```

use carillon_core::address::Family;
use ipnet::IpNet;

use super::attribute_type::{AttributeType, OPTIONAL_NON_TRANSITIVE, anyone};
use super::next_hop::NextHop;
use crate::packet::cursor::{Cursor, put_field8};
use crate::packet::family::{FamilySet, SAFI_UNICAST, afi, unicast};
use crate::packet::prefix;
use crate::packet::update::problem::{Approach, Problem};

/// Routes of other families than IPv4 unicast, with their next hop. Its value is judged by
/// [`decode`]: an error in it is worse than one of another attribute.
pub(crate) const MP_REACH_NLRI: AttributeType = AttributeType {
    code: 14,
    name: "MP_REACH_NLRI",
    flags: OPTIONAL_NON_TRANSITIVE,
    expected: anyone,
    check: |_, _| Ok(()),
    approach: Approach::TreatAsWithdraw,
};

/// Withdrawn routes of other families.
pub(crate) const MP_UNREACH_NLRI: AttributeType = AttributeType {
    code: 15,
    name: "MP_UNREACH_NLRI",
    ..MP_REACH_NLRI
};

/// What [`put_unreach`] takes beside prefixes: flags, type and extended length, AFI and SAFI.
pub(crate) const UNREACH_LEN: usize = 7;

/// What [`put_reach`] takes beside prefixes: also the next hop, its length, and the reserved octet.
pub(crate) fn reach_len(next_hop: NextHop) -> usize {
    UNREACH_LEN + 1 + next_hop.wire_len() + 1
}

/// Appends an `MP_REACH_NLRI` with the prefixes that `prefixes` writes.
pub(crate) fn put_reach(
    family: Family,
    next_hop: NextHop,
    out: &mut Vec<u8>,
    prefixes: impl FnOnce(&mut Vec<u8>),
) {
    put(MP_REACH_NLRI, family, out, |out| {
        put_field8(out, |out| next_hop.put(out));
        out.push(0);
        prefixes(out);
    });
}

/// Appends an `MP_UNREACH_NLRI` with the prefixes that `prefixes` writes.
pub(crate) fn put_unreach(family: Family, out: &mut Vec<u8>, prefixes: impl FnOnce(&mut Vec<u8>)) {
    put(MP_UNREACH_NLRI, family, out, prefixes);
}

/// The length is not known before, and therefore extended.
fn put(
    attribute: AttributeType,
    family: Family,
    out: &mut Vec<u8>,
    rest: impl FnOnce(&mut Vec<u8>),
) {
    attribute.put_extended(out, |out| {
        out.extend(afi(family).to_be_bytes());
        out.push(SAFI_UNICAST);
        rest(out);
    });
}

/// The family and the prefixes in the value of an `MP_REACH_NLRI` (`reach`) or `MP_UNREACH_NLRI`.
///
/// # Errors
/// [`Problem::Family`] if the family is none of `families`; then nothing else is looked at.
pub(crate) fn decode(
    reach: bool,
    value: &[u8],
    families: FamilySet,
) -> Result<(Family, Vec<IpNet>), Problem> {
    let mut cursor = Cursor::new(value);
    let (Some(afi), Some(safi)) = (cursor.u16(), cursor.u8()) else {
        return Err(Problem::Length);
    };
    let family = unicast(afi, safi)
        .filter(|family| families.contains(*family))
        .ok_or(Problem::Family)?;
    if reach {
        let next_hop = cursor.field8().ok_or(Problem::Length)?;
        let _reserved = cursor.u8().ok_or(Problem::Length)?;
        if !is_next_hop_len(family, next_hop.len()) {
            return Err(Problem::Value);
        }
    }
    let prefixes = prefix::decode_all(family, cursor.rest()).ok_or(Problem::Value)?;
    Ok((family, prefixes))
}

/// The lengths of next hops: IPv4 by RFC 4760, IPv6 by RFC 2545 section 3 (a global address, or
/// that and a link-local one).
fn is_next_hop_len(family: Family, length: usize) -> bool {
    match family {
        Family::V4 => length == 4,
        Family::V6 => matches!(length, 16 | 32),
    }
}
