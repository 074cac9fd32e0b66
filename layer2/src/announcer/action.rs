//! What the machine wants of its owner.

use std::net::IpAddr;

use carillon_core::backend::BackendEvent;
use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;

use crate::message::Saying;

/// What the machine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something is to be said on this interface.
    Say {
        /// Its index.
        interface: u32,
        /// What.
        saying: Saying,
    },
    /// Another station says it has a VIP that is announced or watched here: see
    /// [`BackendEvent::Conflict`].
    Conflict {
        /// The index of the interface where it was heard.
        interface: u32,
        /// The address.
        vip: IpAddr,
        /// The station.
        station: MacAddress,
        /// Its mark, if it is a daemon.
        mark: Option<Mark>,
    },
    /// The rest of the daemon is to be told.
    Tell(BackendEvent),
}

/// On which interface questions for a VIP have to come in.
///
/// This may take long with many VIPs, and neighbours that remember the VIP need it not: it comes after
/// all [`Action`]s, and may be done little by little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its index.
    pub interface: u32,
    /// The address.
    pub vip: IpAddr,
    /// Whether they have to from now on, or need not any more.
    pub wanted: bool,
}

impl Listening {
    pub(super) fn new(interface: u32, vip: IpAddr, wanted: bool) -> Self {
        Self {
            interface,
            vip,
            wanted,
        }
    }
}
