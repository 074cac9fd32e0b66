//! UPDATEs to send: as few as hold the prefixes, attributes encoded once.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::config::Community;
use ipnet::IpNet;

use super::attribute::{
    AS_PATH, AS4_PATH, COMMUNITIES, FLAG_EXTENDED_LENGTH, LOCAL_PREF, MP_REACH_NLRI,
    MP_UNREACH_NLRI, NEXT_HOP, OPTIONAL_NON_TRANSITIVE, OPTIONAL_TRANSITIVE, ORIGIN, WELL_KNOWN,
};
use crate::packet::cursor::{put_field8, put_field16};
use crate::packet::family::{SAFI_UNICAST, afi};
use crate::packet::header::{HEADER_LEN, MAX_LEN, MessageType, put_message};
use crate::packet::open::AS_TRANS;
use crate::packet::prefix;

#[cfg(test)]
mod tests;

/// Withdrawn Routes Length and Total Path Attribute Length.
const LENGTHS_LEN: usize = 4;
/// Flags, type and extended length of a multiprotocol attribute, AFI and SAFI.
const MULTIPROTOCOL_LEN: usize = 7;

/// The path attributes of routes to announce, which share one UPDATE if these are equal. ORIGIN is
/// always IGP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathAttributes {
    /// One AS_SEQUENCE, nearest AS first: our own AS number for an external peer, empty for an
    /// internal one (RFC 4271 section 5.1.2). No number may be 0.
    pub as_path: Vec<u32>,
    /// Where to send packets; its family is that of the routes.
    pub next_hop: IpAddr,
    /// LOCAL_PREF, for internal peers only (RFC 4271 section 5.1.5).
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: BTreeSet<Community>,
}

/// Routes that cannot be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The attributes leave no room for a prefix in a message of 4096 octets. Fewer communities
    /// help.
    #[error("path attributes of {octets} octets leave no room for a prefix, {limit} are possible")]
    TooLarge {
        /// Their size.
        octets: usize,
        /// What would have been possible.
        limit: usize,
    },
    /// The prefix and the next hop are of different families.
    #[error("{prefix} cannot be announced with next hop {next_hop} of the other address family")]
    Family {
        /// The prefix.
        prefix: IpNet,
        /// The next hop.
        next_hop: IpAddr,
    },
}

/// Writes UPDATEs that announce prefixes with one set of attributes.
#[derive(Clone, Debug)]
pub struct UpdateWriter {
    next_hop: IpAddr,
    /// All attributes but `MP_REACH_NLRI`, encoded.
    attributes: Vec<u8>,
}

impl UpdateWriter {
    /// Encodes the attributes for a peer with, or without, 4-octet AS numbers (RFC 6793).
    ///
    /// # Errors
    /// They are too large.
    pub fn new(attributes: &PathAttributes, four_octet_as: bool) -> Result<Self, EncodeError> {
        let writer = Self {
            next_hop: attributes.next_hop,
            attributes: encode_attributes(attributes, four_octet_as),
        };
        let octets = writer.attributes.len();
        let limit = MAX_LEN - writer.overhead() - prefix::longest(writer.family());
        if octets > limit {
            return Err(EncodeError::TooLarge { octets, limit });
        }
        Ok(writer)
    }

    fn family(&self) -> Family {
        Family::of(self.next_hop)
    }

    /// What a message takes beside attributes and prefixes.
    fn overhead(&self) -> usize {
        match self.next_hop {
            IpAddr::V4(_) => HEADER_LEN + LENGTHS_LEN,
            // … and length and value of the next hop, and the reserved octet.
            IpAddr::V6(_) => HEADER_LEN + LENGTHS_LEN + MULTIPROTOCOL_LEN + 1 + 16 + 1,
        }
    }

    /// Appends one UPDATE that announces as many of the prefixes as fit in it, and leaves the
    /// others in the iterator; without prefixes it appends nothing. Returns how many it announces.
    ///
    /// # Errors
    /// The next prefix is of the wrong family; nothing is appended, and it is still the next.
    pub fn announce<I>(
        &self,
        prefixes: &mut Peekable<I>,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError>
    where
        I: Iterator<Item = IpNet>,
    {
        let next_hop = self.next_hop;
        match prefixes.peek() {
            None => return Ok(0),
            Some(prefix) if Family::of(prefix.addr()) != self.family() => {
                return Err(EncodeError::Family {
                    prefix: *prefix,
                    next_hop,
                });
            }
            Some(_) => {}
        }
        let room = MAX_LEN - self.overhead() - self.attributes.len();
        let mut count = 0;
        put_message(MessageType::Update, out, |out| {
            out.extend([0, 0]);
            match next_hop {
                IpAddr::V4(_) => {
                    put_field16(out, |out| out.extend(&self.attributes));
                    count = put_prefixes(Family::V4, prefixes, room, out);
                }
                // "The MP_REACH_NLRI or MP_UNREACH_NLRI attribute (if present) SHALL be encoded as
                // the very first path attribute" (RFC 7606 section 5.1).
                IpAddr::V6(next_hop) => put_field16(out, |out| {
                    put_multiprotocol(MP_REACH_NLRI, Family::V6, out, |out| {
                        put_field8(out, |out| out.extend(next_hop.octets()));
                        out.push(0);
                        count = put_prefixes(Family::V6, prefixes, room, out);
                    });
                    out.extend(&self.attributes);
                }),
            }
        });
        Ok(count)
    }
}

/// Appends one UPDATE that withdraws as many of the prefixes as fit in it and are of the family of
/// the first, and leaves the others in the iterator; without prefixes it appends nothing. Returns
/// how many it withdraws.
pub fn put_withdrawal<I>(prefixes: &mut Peekable<I>, out: &mut Vec<u8>) -> usize
where
    I: Iterator<Item = IpNet>,
{
    let Some(family) = prefixes.peek().map(|prefix| Family::of(prefix.addr())) else {
        return 0;
    };
    let room = MAX_LEN - HEADER_LEN - LENGTHS_LEN;
    let mut count = 0;
    put_message(MessageType::Update, out, |out| match family {
        Family::V4 => {
            put_field16(out, |out| count = put_prefixes(family, prefixes, room, out));
            out.extend([0, 0]);
        }
        Family::V6 => {
            out.extend([0, 0]);
            put_field16(out, |out| {
                put_multiprotocol(MP_UNREACH_NLRI, family, out, |out| {
                    count = put_prefixes(family, prefixes, room - MULTIPROTOCOL_LEN, out);
                });
            });
        }
    });
    count
}

/// Appends an End-of-RIB marker: an UPDATE without anything for IPv4 unicast, and one with nothing
/// but an empty `MP_UNREACH_NLRI` for other families (RFC 4724 section 2).
pub fn put_end_of_rib(family: Family, out: &mut Vec<u8>) {
    put_message(MessageType::Update, out, |out| {
        out.extend([0, 0]);
        put_field16(out, |out| match family {
            Family::V4 => {}
            Family::V6 => put_multiprotocol(MP_UNREACH_NLRI, family, out, |_| ()),
        });
    });
}

fn encode_attributes(attributes: &PathAttributes, four_octet_as: bool) -> Vec<u8> {
    const ORIGIN_IGP: u8 = 0;
    let as_path = &attributes.as_path;
    let mut out = Vec::new();
    put_attribute(WELL_KNOWN, ORIGIN, &[ORIGIN_IGP], &mut out);
    put_attribute(
        WELL_KNOWN,
        AS_PATH,
        &encode_as_path(as_path, four_octet_as),
        &mut out,
    );
    if let IpAddr::V4(next_hop) = attributes.next_hop {
        put_attribute(WELL_KNOWN, NEXT_HOP, &next_hop.octets(), &mut out);
    }
    if let Some(local_pref) = attributes.local_pref {
        put_attribute(WELL_KNOWN, LOCAL_PREF, &local_pref.to_be_bytes(), &mut out);
    }
    if !attributes.communities.is_empty() {
        let value: Vec<u8> = attributes
            .communities
            .iter()
            .flat_map(|community| community.0.to_be_bytes())
            .collect();
        put_attribute(OPTIONAL_TRANSITIVE, COMMUNITIES, &value, &mut out);
    }
    // Not to be sent if all AS numbers fit in two octets (RFC 6793 section 4.2.2).
    if !four_octet_as && as_path.iter().any(|asn| *asn > u16::MAX.into()) {
        let value = encode_as_path(as_path, true);
        put_attribute(OPTIONAL_TRANSITIVE, AS4_PATH, &value, &mut out);
    }
    out
}

/// AS_SEQUENCEs of at most 255 AS numbers each. Numbers that two octets cannot hold become
/// AS_TRANS.
fn encode_as_path(path: &[u32], four_octet_as: bool) -> Vec<u8> {
    const AS_SEQUENCE: u8 = 2;
    const LONGEST: usize = 255;
    let mut out = Vec::new();
    for segment in path.chunks(LONGEST) {
        out.extend([AS_SEQUENCE, u8::try_from(segment.len()).unwrap_or(u8::MAX)]);
        for asn in segment {
            if four_octet_as {
                out.extend(asn.to_be_bytes());
            } else {
                out.extend(u16::try_from(*asn).unwrap_or(AS_TRANS).to_be_bytes());
            }
        }
    }
    out
}

fn put_attribute(flags: u8, code: u8, value: &[u8], out: &mut Vec<u8>) {
    if let Ok(length) = u8::try_from(value.len()) {
        out.extend([flags, code, length]);
        out.extend(value);
    } else {
        out.extend([flags | FLAG_EXTENDED_LENGTH, code]);
        put_field16(out, |out| out.extend(value));
    }
}

/// Appends a multiprotocol attribute, whose length is not known before and therefore extended.
fn put_multiprotocol(code: u8, family: Family, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend([OPTIONAL_NON_TRANSITIVE | FLAG_EXTENDED_LENGTH, code]);
    put_field16(out, |out| {
        out.extend(afi(family).to_be_bytes());
        out.push(SAFI_UNICAST);
        body(out);
    });
}

/// Appends prefixes of the family while they fit in `room`, and returns how many.
fn put_prefixes<I>(
    family: Family,
    prefixes: &mut Peekable<I>,
    room: usize,
    out: &mut Vec<u8>,
) -> usize
where
    I: Iterator<Item = IpNet>,
{
    let end = out.len() + room;
    let mut count = 0;
    while let Some(prefix) = prefixes.next_if(|prefix| {
        Family::of(prefix.addr()) == family && out.len() + prefix::wire_len(*prefix) <= end
    }) {
        prefix::put(prefix, out);
        count += 1;
    }
    count
}
