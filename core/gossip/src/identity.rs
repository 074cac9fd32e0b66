//! Which run of a member foca talks about.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::MemberId;

/// A [`MemberId`] as foca knows it. A member that was declared down wrongly comes back under the
/// next renewal of the same generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) id: MemberId,
    pub(crate) renewal: u32,
}

impl Identity {
    pub(crate) fn new(id: MemberId) -> Self {
        Self { id, renewal: 0 }
    }
}

impl foca::Identity for Identity {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        let renewal = self.renewal.checked_add(1)?;
        Some(Self { renewal, ..*self })
    }

    fn addr(&self) -> SocketAddr {
        self.id.address
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        let rank = |identity: &Self| (identity.id.generation, identity.renewal);
        rank(self) > rank(adversary)
    }
}
