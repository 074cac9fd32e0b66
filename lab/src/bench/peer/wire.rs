//! As much of BGP's wire format (RFC 4271 section 4) as a receiver needs. Written apart from
//! Carillon's own codec, so that a mistake there cannot hide here.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail, ensure};
use ipnet::Ipv4Net;

/// Marker, length and type.
pub const HEADER: usize = 19;
/// The two length fields of an UPDATE.
pub const UPDATE_LENGTHS: usize = 4;
/// The longest message (without RFC 8654).
pub const LONGEST: usize = 4096;
/// The AS number that stands for one that does not fit into two bytes (RFC 6793).
const AS_TRANS: u16 = 23456;
const HOLD_TIME: u16 = 180;

/// A received message, as far as it matters here.
#[derive(Debug, PartialEq)]
pub enum Message<'a> {
    /// OPEN; whoever connects is welcome.
    Open,
    /// UPDATE, without its header.
    Update(&'a [u8]),
    /// NOTIFICATION.
    Notification {
        /// Error code.
        code: u8,
        /// Error subcode.
        subcode: u8,
    },
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH; there is nothing to send.
    RouteRefresh,
}

/// Takes the first message off `bytes`: the message and what follows it. `None` when it is not
/// complete yet.
pub fn next(bytes: &[u8]) -> Result<Option<(Message<'_>, &[u8])>> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
        return Ok(None);
    };
    let &[0xff, .., high, low, kind] = header else {
        bail!("a message header without a marker");
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    ensure!(
        (HEADER..=LONGEST).contains(&length),
        "a message of {length} bytes"
    );
    let Some((body, rest)) = rest.split_at_checked(length - HEADER) else {
        return Ok(None);
    };
    let message = match (kind, body) {
        (1, _) => Message::Open,
        (2, body) => Message::Update(body),
        (3, &[code, subcode, ..]) => Message::Notification { code, subcode },
        (4, _) => Message::Keepalive,
        (5, _) => Message::RouteRefresh,
        _ => bail!("a message of type {kind} with {} bytes", body.len()),
    };
    Ok(Some((message, rest)))
}

/// An UPDATE for IPv4 unicast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Length of the whole message with its header.
    pub bytes: usize,
    /// Length of the path attributes.
    pub attribute_bytes: usize,
    /// The prefixes that it announces.
    pub announced: Vec<Ipv4Net>,
    /// The prefixes that it withdraws.
    pub withdrawn: Vec<Ipv4Net>,
}

impl Update {
    /// Reads the body of an UPDATE.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let (withdrawn, rest) = field(body).context("withdrawn routes overrun the UPDATE")?;
        let (attributes, nlri) = field(rest).context("path attributes overrun the UPDATE")?;
        Ok(Self {
            bytes: HEADER + body.len(),
            attribute_bytes: attributes.len(),
            announced: prefixes(nlri)?,
            withdrawn: prefixes(withdrawn)?,
        })
    }

    /// Whether it is the End-of-RIB marker of IPv4 unicast (RFC 4724 section 2).
    pub fn is_end_of_rib(&self) -> bool {
        self.bytes == HEADER + UPDATE_LENGTHS
    }
}

/// A field that begins with its length in two bytes, and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn prefixes(mut bytes: &[u8]) -> Result<Vec<Ipv4Net>> {
    let mut prefixes = Vec::with_capacity(bytes.len() / 5);
    while let Some((&length, rest)) = bytes.split_first() {
        let (significant, rest) = rest
            .split_at_checked(usize::from(length).div_ceil(8))
            .context("a prefix overruns the UPDATE")?;
        let mut octets = [0; 4];
        for (to, from) in octets.iter_mut().zip(significant) {
            *to = *from;
        }
        prefixes.push(Ipv4Net::new(octets.into(), length)?);
        bytes = rest;
    }
    Ok(prefixes)
}

/// OPEN with the capabilities IPv4 unicast (RFC 4760) and 4-byte AS numbers (RFC 6793).
pub fn open(asn: u32, router_id: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, d] = asn.to_be_bytes();
    let capabilities = [1, 4, 0, 1, 0, 1, 65, 4, a, b, c, d];
    let mut body = vec![4];
    body.extend(u16::try_from(asn).unwrap_or(AS_TRANS).to_be_bytes());
    body.extend(HOLD_TIME.to_be_bytes());
    body.extend(router_id.octets());
    body.extend([14, 2, 12]);
    body.extend(capabilities);
    message(1, &body)
}

/// KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    message(4, &[])
}

/// End-of-RIB for IPv4 unicast.
pub fn end_of_rib() -> Vec<u8> {
    message(2, &[0, 0, 0, 0])
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX);
    let mut message = vec![0xff; 16];
    message.extend(length.to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}

/// The fewest messages that `prefixes` /32s with `attribute_bytes` of attributes each fit into, and
/// their bytes.
pub fn packed_minimum(prefixes: usize, attribute_bytes: usize) -> (usize, usize) {
    let fixed = HEADER + UPDATE_LENGTHS + attribute_bytes;
    let messages = prefixes.div_ceil((LONGEST - fixed) / 5);
    (messages, messages * fixed + prefixes * 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_off_one_by_one() {
        let mut bytes = keepalive();
        bytes.extend(message(3, &[6, 4]));
        let (first, rest) = next(&bytes).unwrap().unwrap();
        assert_eq!((first, rest.len()), (Message::Keepalive, 21));
        assert_eq!(next(&rest[..20]).unwrap(), None);
        let cease = Message::Notification {
            code: 6,
            subcode: 4,
        };
        assert_eq!(next(rest).unwrap(), Some((cease, &[][..])));
        assert_eq!(next(&[]).unwrap(), None);
    }

    #[test]
    fn a_bad_header_ends_the_session() {
        assert!(next(&[0; 19]).is_err());
        let mut short = keepalive();
        short[17] = 18;
        assert!(next(&short).is_err());
    }

    #[test]
    fn update_is_read() {
        let body = [
            &[0, 4, 24, 192, 0, 2][..],
            &[0, 4, 0x40, 1, 1, 0],
            &[32, 198, 51, 100, 1],
        ]
        .concat();
        let update = Update::parse(&body).unwrap();
        assert_eq!(update.withdrawn, ["192.0.2.0/24".parse().unwrap()]);
        assert_eq!(update.announced, ["198.51.100.1/32".parse().unwrap()]);
        assert_eq!((update.bytes, update.attribute_bytes), (19 + body.len(), 4));
        assert!(!update.is_end_of_rib());
        assert!(Update::parse(&[0, 0, 0, 0]).unwrap().is_end_of_rib());
        assert!(Update::parse(&[0, 9, 1]).is_err());
        assert!(Update::parse(&[0, 0, 0, 0, 33, 1, 1, 1, 1, 1]).is_err());
    }

    #[test]
    fn minimum_of_the_reference() {
        // ORIGIN, AS_PATH with one 4-byte AS, NEXT_HOP: 20 bytes, 810 prefixes per message.
        assert_eq!(packed_minimum(810, 20).0, 1);
        assert_eq!(packed_minimum(1, 20), (1, 48));
        assert_eq!(packed_minimum(100_000, 20), (124, 124 * 43 + 500_000));
    }
}
