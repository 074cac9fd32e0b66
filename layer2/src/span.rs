//! Where the VIPs lie, as coarsely as a kernel's filter can be told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;

#[cfg(test)]
mod tests;

/// Addresses from one to another.
pub type Span = RangeInclusive<IpAddr>;

/// The most spans there are; a filter with that many stays within the reach of its jumps.
pub const MOST: usize = 48;
/// The addresses that are alike but for these bits are one block, within which gaps do not count.
const BLOCK: u32 = 0xff;

/// Spans that cover all VIPs of a family that a wish speaks of, ascending and at most [`MOST`]; none
/// if it speaks of none. It costs as much as there are spans, not VIPs.
pub fn spans(set: &AnnouncementSet, family: Family) -> Vec<Span> {
    let end = match family {
        Family::V4 => IpAddr::from([0xff; 4]),
        Family::V6 => IpAddr::from([0xff; 16]),
    };
    let mut from = Some(match family {
        Family::V4 => IpAddr::from([0; 4]),
        Family::V6 => IpAddr::from([0; 16]),
    });
    let mut spans: Vec<Span> = Vec::new();
    while let Some(first) = from.and_then(|from| ends(set, from..=end).0) {
        let is_last = spans.len() + 1 >= MOST;
        let border = if is_last { end } else { block_end(first) };
        let last = ends(set, first..=border).1.unwrap_or(first);
        from = successor(border);
        match spans.last_mut() {
            Some(before) if successor(*before.end()) == Some(first) => {
                *before = *before.start()..=last;
            }
            Some(_) | None => spans.push(first..=last),
        }
    }
    spans
}

/// The first and the last VIP within a span.
fn ends(set: &AnnouncementSet, span: Span) -> (Option<IpAddr>, Option<IpAddr>) {
    let mut announced = set.by_vip.range(span.clone()).map(|(vip, _)| *vip);
    let mut watched = set.watched.range(span.clone()).copied();
    let mut asked = set.asked.range(span).map(|(address, _)| *address);
    let firsts = [announced.next(), watched.next(), asked.next()];
    // What is taken from one end is not found at the other.
    let lasts = [
        announced.next_back(),
        watched.next_back(),
        asked.next_back(),
    ];
    let last = firsts.into_iter().chain(lasts).flatten().max();
    (firsts.into_iter().flatten().min(), last)
}

fn block_end(vip: IpAddr) -> IpAddr {
    match vip {
        IpAddr::V4(vip) => Ipv4Addr::from_bits(vip.to_bits() | BLOCK).into(),
        IpAddr::V6(vip) => Ipv6Addr::from_bits(vip.to_bits() | u128::from(BLOCK)).into(),
    }
}

fn successor(vip: IpAddr) -> Option<IpAddr> {
    match vip {
        IpAddr::V4(vip) => Some(Ipv4Addr::from_bits(vip.to_bits().checked_add(1)?).into()),
        IpAddr::V6(vip) => Some(Ipv6Addr::from_bits(vip.to_bits().checked_add(1)?).into()),
    }
}
