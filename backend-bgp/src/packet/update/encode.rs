//! UPDATEs to send: as few as hold the prefixes, attributes encoded once.

use std::iter::Peekable;

use carillon_core::address::Family;
use ipnet::IpNet;

use super::attribute::as_path::AS4_PATH;
use super::attribute::multiprotocol::UNREACH_LEN;
use super::attribute::next_hop::{NEXT_HOP, NextHop};
use super::attribute::{Attribute, as_path, multiprotocol, origin};
use crate::packet::cursor::put_field16;
use crate::packet::header::{HEADER_LEN, MAX_LEN, MessageType, put_message};
use crate::packet::prefix;

#[cfg(test)]
mod tests;

/// Withdrawn Routes Length and Total Path Attribute Length.
const LENGTHS_LEN: usize = 4;

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
    /// Routes of this family cannot have such a next hop in this session.
    #[error("{family} routes cannot be announced with next hop {next_hop}")]
    NextHop {
        /// The family of the routes.
        family: Family,
        /// The next hop.
        next_hop: NextHop,
    },
    /// The prefix is not of the family whose UPDATEs are written.
    #[error("{prefix} cannot be announced among {family} routes")]
    Family {
        /// The prefix.
        prefix: IpNet,
        /// The family of the others.
        family: Family,
    },
}

/// Where an UPDATE has the routes that it announces.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the field for IPv4 routes; their next hop is an attribute of its own.
    Nlri,
    /// In the attribute `MP_REACH_NLRI`, with this next hop.
    MpReach(NextHop),
}

impl Place {
    /// Octets that are neither prefixes nor other attributes.
    fn overhead(self) -> usize {
        let reach = match self {
            Self::Nlri => 0,
            Self::MpReach(next_hop) => multiprotocol::reach_len(next_hop),
        };
        HEADER_LEN + LENGTHS_LEN + reach
    }
}

/// Writes UPDATEs that announce prefixes of one family with one set of attributes.
#[derive(Clone, Debug)]
pub struct UpdateWriter {
    family: Family,
    place: Place,
    /// All attributes but `MP_REACH_NLRI`, encoded.
    attributes: Vec<u8>,
}

impl UpdateWriter {
    /// Encodes the attributes for a peer with, or without, 4-octet AS numbers (RFC 6793). The AS
    /// path is one AS_SEQUENCE, nearest AS first: our own AS number for an external peer, empty for
    /// an internal one (RFC 4271 section 5.1.2); no number may be 0. ORIGIN is always IGP. The other
    /// attributes are those of [`super::Attributes::for_peer`].
    ///
    /// # Errors
    /// They are too large, or the routes cannot have that next hop.
    pub fn new(
        family: Family,
        next_hop: NextHop,
        as_path: &[u32],
        attributes: &[Attribute],
        four_octet_as: bool,
    ) -> Result<Self, EncodeError> {
        let mut encoded = Vec::new();
        origin::put(&mut encoded);
        as_path::put(as_path, four_octet_as, &mut encoded);
        let place = match (family, next_hop) {
            (Family::V4, NextHop::V4(_)) => {
                NEXT_HOP.put(&mut encoded, |out| next_hop.put(out));
                Place::Nlri
            }
            (Family::V6, NextHop::V6 { .. }) => Place::MpReach(next_hop),
            // An IPv6 next hop for IPv4 routes takes a capability that is not offered (RFC 8950).
            (Family::V4, NextHop::V6 { .. }) | (Family::V6, NextHop::V4(_)) => {
                return Err(EncodeError::NextHop { family, next_hop });
            }
        };
        // "The sender of an UPDATE message SHOULD order path attributes within the UPDATE message in
        // ascending order of attribute type" (RFC 4271 section 5).
        let is_before = |attribute: &Attribute| attribute.code() < AS4_PATH.code;
        let (before, after) = attributes.split_at(attributes.partition_point(is_before));
        for attribute in before {
            attribute.put(&mut encoded);
        }
        as_path::put_as4(as_path, four_octet_as, &mut encoded);
        for attribute in after {
            attribute.put(&mut encoded);
        }

        let octets = encoded.len();
        let limit = MAX_LEN - place.overhead() - prefix::longest(family);
        if octets > limit {
            return Err(EncodeError::TooLarge { octets, limit });
        }
        Ok(Self {
            family,
            place,
            attributes: encoded,
        })
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
        let family = self.family;
        match prefixes.peek() {
            None => return Ok(0),
            Some(prefix) if Family::of(prefix.addr()) != family => {
                return Err(EncodeError::Family {
                    prefix: *prefix,
                    family,
                });
            }
            Some(_) => {}
        }
        let room = MAX_LEN - self.place.overhead() - self.attributes.len();
        let mut count = 0;
        put_message(MessageType::Update, out, |out| {
            out.extend([0, 0]);
            match self.place {
                Place::Nlri => {
                    put_field16(out, |out| out.extend(&self.attributes));
                    count = put_prefixes(family, prefixes, room, out);
                }
                // "The MP_REACH_NLRI or MP_UNREACH_NLRI attribute (if present) SHALL be encoded as
                // the very first path attribute" (RFC 7606 section 5.1).
                Place::MpReach(next_hop) => put_field16(out, |out| {
                    multiprotocol::put_reach(family, next_hop, out, |out| {
                        count = put_prefixes(family, prefixes, room, out);
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
                multiprotocol::put_unreach(family, out, |out| {
                    count = put_prefixes(family, prefixes, room - UNREACH_LEN, out);
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
            Family::V6 => multiprotocol::put_unreach(family, out, |_| ()),
        });
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
