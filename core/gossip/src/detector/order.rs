//! The rendezvous order of a member: who watches it, and who is asked about it.

use super::super::wire::encode;
use super::MemberId;
use crate::hash::fnv64;

/// Those that take part, without this member, ascending by address.
pub(crate) trait Alive: Iterator<Item = MemberId> + Clone {}

impl<I: Iterator<Item = MemberId> + Clone> Alive for I {}

/// The first in the rendezvous order of a member. Those who agree on who takes part agree on it.
pub(super) fn first_of(
    member: MemberId,
    alive: impl Alive,
    without: &[MemberId],
    count: usize,
) -> Vec<MemberId> {
    let others = alive.filter(|other| *other != member && !without.contains(other));
    let mut first: Vec<(u64, MemberId)> = Vec::with_capacity(count + 1);
    for ranked in others.map(|other| (rank(member, other), other)) {
        let place = first.partition_point(|before| *before < ranked);
        if place < count {
            first.insert(place, ranked);
            first.truncate(count);
        }
    }
    first.into_iter().map(|(_, other)| other).collect()
}

/// Where another one stands in the rendezvous order of a member.
pub(super) fn rank(member: MemberId, other: MemberId) -> u64 {
    hash(&encode(&(member, other)))
}

/// FNV-1a, with the finish of splitmix64 so that all bits depend on all octets.
pub(crate) fn hash(octets: &[u8]) -> u64 {
    let fnv = fnv64(octets);
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
