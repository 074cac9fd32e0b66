//! What the machine wants to be done.

use std::net::IpAddr;
use std::sync::Arc;

use carillon_gossip::MemberId;
use carillon_gossip::record::{Key, Value};

use crate::announcement::Asked;

use super::{Holding, Note};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Who has a VIP now, as the speaker and the backends are to know.
    Hold {
        /// The VIP.
        vip: IpAddr,
        /// Who has it.
        holding: Holding,
    },
    /// A record of this member is to be told to the others, or withdrawn.
    Publish {
        /// About what.
        key: Key,
        /// What it says.
        value: Option<Value>,
    },
    /// Stations of the segment are to be asked for an address; `None`: not any more.
    Ask {
        /// The address, which need not be a VIP.
        address: IpAddr,
        /// Whom, and whose answers count.
        asked: Option<Arc<Asked>>,
    },
    /// Whether [`super::Input::Neighbours`] is wanted.
    Neighbours(bool),
    /// Whether this member has any VIP.
    Owner(bool),
    /// This member is on the segment with what is ours, as if it had lost us: whether it can be
    /// talked to is to be found out now, [`carillon_gossip::Membership::doubt`].
    Doubt(MemberId),
    /// Something that people should be told.
    Note(Note),
    /// After [`super::Input::Leaving`]: nothing is left here that another could take.
    Left,
}
