//! Who a member is, and what it is told.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Profile;

/// No generation is higher: it is the time of a start in seconds, or a little more.
pub(super) const MAX_GENERATION: u64 = 1 << 62;

/// One run of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberId {
    /// Where it is reached.
    pub address: SocketAddr,
    /// Grows with every start at the same address.
    #[serde(deserialize_with = "generation")]
    pub generation: u64,
}

/// A generation that leaves room for higher ones: what somebody says may not keep a member from
/// taking a later one.
fn generation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let generation = u64::deserialize(deserializer)?;
    if generation > MAX_GENERATION {
        return Err(D::Error::custom("the generation is too high"));
    }
    Ok(generation)
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}

/// What a member is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where others reach it.
    pub address: SocketAddr,
    /// The time of the start, in seconds since 1970. If it turns out that the address was used with
    /// a higher one, that is overtaken: [`super::Event::Renamed`].
    pub generation: u64,
    /// Members of one name form a cluster.
    pub cluster: String,
    /// How fast the loss of members that have VIPs is found.
    pub profile: Profile,
    /// How long to wait for an answer of others before acting alone, from the first
    /// [`super::Membership::join`] on.
    pub alone_after: Duration,
}
