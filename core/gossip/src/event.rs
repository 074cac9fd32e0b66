//! What the owner of a [`super::Membership`] is told.

use super::MemberId;
use super::record::{Key, Value};
use super::status::Note;

/// Why a member does not take part any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It is not heard any more, or another run took its place.
    Lost,
    /// It has said so.
    Left,
}

/// What the owner of a [`super::Membership`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member takes part.
    MemberUp(MemberId),
    /// A member takes part no more.
    MemberDown {
        /// Which.
        member: MemberId,
        /// Why.
        why: Departure,
    },
    /// A member is silent, or somebody else says so, and is probed.
    Suspect(MemberId),
    /// Whether none of the others has been heard for as long as it takes to find one lost. Told
    /// before the loss of one.
    Deaf(bool),
    /// A record of another member is new, or was withdrawn. Those of members that are down remain,
    /// until a later generation comes up; members that are not up yet may have some.
    Record {
        /// Whose.
        member: MemberId,
        /// Of what.
        key: Key,
        /// What it says.
        value: Option<Value>,
    },
    /// Told once: the records that at least one other member knew are all here, or there is nobody
    /// to be found.
    Settled,
    /// This member has another generation from now on, [`super::Membership::id`].
    Renamed(MemberId),
    /// What people should know. Each is told once.
    Note(Note),
}
