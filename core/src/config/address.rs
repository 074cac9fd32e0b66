//! The notation of address blocks: `198.51.100.0/24` and
//! `198.51.100.10-198.51.100.20`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::error::quote;
use crate::address::Family;

mod special;
#[cfg(test)]
mod tests;

pub use special::Special;

/// Why a text names no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither form.
    #[error(
        "{} is not a CIDR or a range: write for example 198.51.100.0/24 or \
         198.51.100.10-198.51.100.20",
        quote(.0)
    )]
    Syntax(String),
    /// An address alone.
    #[error(
        "{} is one address, not a CIDR or a range: write {}/{} if you mean just it",
        quote(.0), .1, Family::of(*.1).bits()
    )]
    NoLength(String, IpAddr),
    /// The part after the slash is out of bounds.
    #[error(
        "{} is not a CIDR or a range: the prefix length of {} is 0 to {}, write for example {}",
        quote(.0), .1, .1.bits(), example(*.1)
    )]
    Length(String, Family),
    /// One side of the dash is no address.
    #[error(
        "{} is not a CIDR or a range: {} is not an IP address, write for example \
         198.51.100.10-198.51.100.20",
        quote(.0), quote(.1)
    )]
    Side(String, String),
    /// MetalLB up to v0.10 takes this for no addresses at all, later versions refuse it.
    #[error("{} is a range that ends before it starts: did you mean {}-{}?", quote(.0), .2, .1)]
    Backwards(String, IpAddr, IpAddr),
    /// MetalLB takes this for no addresses at all; nobody can have meant that.
    #[error(
        "{} is a range from {} to {}: both sides must be of the same family",
        quote(.0), Family::of(*.1), Family::of(*.2)
    )]
    Mixed(String, IpAddr, IpAddr),
    /// MetalLB gives such addresses out; nobody can reach them.
    #[error(
        "{} has addresses of {}, which no host can have ({}): {}",
        quote(.0), .1.block, .1.meaning, .2
    )]
    Special(String, Special, String),
}

fn example(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.51.100.0/24 or 198.51.100.10-198.51.100.20",
        Family::V6 => "2001:db8::/64 or 2001:db8::10-2001:db8::20",
    }
}

/// The blocks that an entry of a pool's `addresses` stands for: one for a CIDR, whose host bits are
/// cleared; for a range the fewest that cover exactly it, ascending. Never empty, at most 254.
///
/// # Errors
/// The text names no addresses.
pub fn parse(text: &str) -> Result<Vec<IpNet>, AddressError> {
    match text.split_once('-') {
        Some((start, end)) => range(text, start, end),
        None => cidr(text).map(|block| vec![block]),
    }
}

/// Checks that the blocks of an entry have only addresses that a host can have.
///
/// # Errors
/// Some are special, as those of multicast groups.
pub fn check_hosts(text: &str, blocks: &[IpNet]) -> Result<(), AddressError> {
    match special::among(blocks) {
        Some(special) => {
            let remedy = special::remedy(special, blocks);
            Err(AddressError::Special(text.to_owned(), special, remedy))
        }
        None => Ok(()),
    }
}

/// An IP address, where one that is IPv4 mapped into IPv6 is IPv4.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

fn cidr(text: &str) -> Result<IpNet, AddressError> {
    let syntax = || AddressError::Syntax(text.to_owned());
    let Some((address, length)) = text.split_once('/') else {
        let address = parse_ip(text).ok_or_else(syntax)?;
        return Err(AddressError::NoLength(text.to_owned(), address));
    };
    let address: IpAddr = address.parse().map_err(|_| syntax())?;
    let family = Family::of(address);
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(syntax());
    }
    let block = length
        .parse()
        .ok()
        .and_then(|length| IpNet::new(address, length).ok());
    let block = block.ok_or_else(|| AddressError::Length(text.to_owned(), family))?;
    Ok(unmapped(block.trunc()))
}

/// A block of IPv4 addresses that are mapped into IPv6 (`::ffff:198.51.100.0/120`) as IPv4.
fn unmapped(block: IpNet) -> IpNet {
    let as_v4 = |block: Ipv6Net| {
        let length = block.prefix_len().checked_sub(96)?;
        IpNet::new(block.addr().to_ipv4_mapped()?.into(), length).ok()
    };
    match block {
        IpNet::V4(_) => block,
        IpNet::V6(v6) => as_v4(v6).unwrap_or(block),
    }
}

fn range(text: &str, start: &str, end: &str) -> Result<Vec<IpNet>, AddressError> {
    let side = |side: &str| {
        let side = side.trim();
        parse_ip(side).ok_or_else(|| AddressError::Side(text.to_owned(), side.to_owned()))
    };
    let (start, end) = (side(start)?, side(end)?);
    let backwards = || AddressError::Backwards(text.to_owned(), start, end);
    match (start, end) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Ok(Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Ok(Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect())
        }
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Err(backwards()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(AddressError::Mixed(text.to_owned(), start, end))
        }
    }
}
