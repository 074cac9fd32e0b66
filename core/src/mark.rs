//! What the daemons of different nodes recognise each other by on a segment, even if they cannot talk
//! to each other.
//!
//! Every packet about a VIP that a daemon sends carries a mark, where other stations pass it over: in
//! the padding of an ARP frame, in an option of an NDP message. It proves nothing, as nothing does in
//! ARP and NDP; whoever can forge it can take the VIP without it, too.
//!
//! ```text
//!  0       4         5      6      10    14      18
//!  ┌───────┬─────────┬──────┬──────┬─────┬───────┐
//!  │ magic │ version │ zero │ rank │ run │ nonce │
//!  └───────┴─────────┴──────┴──────┴─────┴───────┘
//! ```
//!
//! A question to one station has a nonce that nobody can guess, and its answer repeats that: whoever
//! does not get the question cannot answer it. It is zero in everything else, and in what daemons say
//! that know of none.

use sha2::{Digest, Sha256};

use crate::interface::MacAddress;

#[cfg(test)]
mod tests;

const MAGIC: [u8; 4] = *b"CRLN";
const VERSION: u8 = 1;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Of the name of the node, so that it is the same for ever and on all interfaces.
    rank: u32,
    /// The last bits of [`carillon_gossip::MemberId::generation`].
    run: u32,
}

impl Mark {
    /// How many octets it is encoded in, the nonce included.
    pub const LENGTH: usize = 18;

    /// That of a run of the daemon of a node.
    pub fn of(node: &str, generation: u64) -> Self {
        let digest = Sha256::digest(node);
        let rank = digest.first_chunk().copied();
        Self {
            rank: u32::from_be_bytes(rank.unwrap_or_default()),
            run: last_bits(generation),
        }
    }

    /// Whether it is one of the run with this generation.
    pub fn is_of_run(self, generation: u64) -> bool {
        self.run == last_bits(generation)
    }

    /// Of two daemons that know no more of each other than their marks and stations, whether the
    /// first may keep a VIP that both have. Each of them comes to the same result.
    pub fn precedes(one: (Self, MacAddress), other: (Self, MacAddress)) -> bool {
        (one.0.rank, one.1) < (other.0.rank, other.1)
    }

    /// Its octets, with a nonce.
    pub fn encode(self, nonce: u32) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        let head = MAGIC.into_iter().chain([VERSION, 0]);
        let all = head.chain(self.rank.to_be_bytes());
        let all = all.chain(self.run.to_be_bytes());
        let all = all.chain(nonce.to_be_bytes());
        for (place, octet) in octets.iter_mut().zip(all) {
            *place = octet;
        }
        octets
    }

    /// What these octets begin with, if that is a mark of this version, and the nonce.
    pub fn decode(octets: &[u8]) -> Option<(Self, u32)> {
        let (magic, rest) = octets.split_first_chunk::<4>()?;
        let ([version, _], rest) = rest.split_first_chunk::<2>()?;
        let (rank, rest) = rest.split_first_chunk::<4>()?;
        let (run, rest) = rest.split_first_chunk::<4>()?;
        let nonce = rest.first_chunk::<4>().copied().unwrap_or_default();
        let mark = Self {
            rank: u32::from_be_bytes(*rank),
            run: u32::from_be_bytes(*run),
        };
        let is_ours = *magic == MAGIC && *version == VERSION;
        is_ours.then_some((mark, u32::from_be_bytes(nonce)))
    }
}

/// Enough to tell runs apart.
fn last_bits(generation: u64) -> u32 {
    let [.., a, b, c, d] = generation.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
