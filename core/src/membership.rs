//! Which other daemons are there, and what they say of themselves.

pub mod record;

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One run of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberId {
    /// Where it is reached.
    pub address: SocketAddr,
    /// Grows with every start at the same address.
    pub generation: u64,
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}

/// Why a member is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It was not heard any more.
    Lost,
    /// It said goodbye.
    Left,
}
