//! Who a member is.

use std::fmt;
use std::net::SocketAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

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
