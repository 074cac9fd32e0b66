//! What members say to each other, inside the seal.
//!
//! A datagram begins with the token (8 octets) that its receiver has asked its sender to use, and a
//! counter (a varint); see [`super::session`]. Token 0 is for those who have none yet, and only
//! [`Hello`] follows it.
//!
//! Each member understands the messages of its own version and of the one before it, and shows in
//! [`Hello::run`] which that is; what two members say to each other is of the lower version of both.
//! Later versions may append something to a hello or a message: what follows is passed over.
//!
//! Version 2 differs from version 1 in [`Message::Records`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::MemberId;
use super::identity::Identity;
use super::record::{AnyKey, Octets};
use super::seal::OVERHEAD;

#[cfg(test)]
mod tests;
mod v1;

/// The version of the messages that this member speaks.
pub(crate) const VERSION: u8 = 2;
/// In the run of a member of version 2 or later, above the octet with that version.
const MAGIC: u32 = 0x4352_4c4e;

/// No datagram is longer, sealed: it passes every network of IPv6.
pub(crate) const MAX_DATAGRAM: usize = 1200;
/// Token, counter, and the parts of a message beside its content.
const HEAD: usize = 90;
/// The items of a [`Records`], and what foca sends, are not longer than this.
pub(crate) const MAX_CONTENT: usize = MAX_DATAGRAM - OVERHEAD - HEAD;

/// A member makes itself known, and asks for datagrams that carry its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) from: MemberId,
    /// Drawn by lot at the start: tells two runs of the same generation apart. From version 2 on,
    /// only the upper 24 bits are ([`run`]).
    pub(crate) run: u64,
    pub(crate) token: u64,
}

/// A run of a member that speaks this version. Version 1 knows nothing of versions and takes all of
/// it for a lot; so it can be told to everybody.
pub(crate) fn run(lot: u64, version: u8) -> u64 {
    match version {
        0 | 1 => lot,
        _ => (lot << 40) | (u64::from(MAGIC) << 8) | u64::from(version),
    }
}

/// The version that a run shows.
pub(crate) fn version_of(run: u64) -> u8 {
    let [.., a, b, c, d, version] = run.to_be_bytes();
    if u32::from_be_bytes([a, b, c, d]) == MAGIC && version > 1 {
        version
    } else {
        1
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The answer to a [`Hello`].
    Welcome(Hello),
    /// The end of the introduction.
    Confirm,
    /// A later run of the receiver's address has this generation; it must choose a higher one.
    Stale(u64),
    /// Of foca.
    Swim(Vec<u8>),
    /// The receiver is to watch the sender, who says this every so many milliseconds.
    Heartbeat(u32),
    /// The receiver is not to watch the sender any more.
    EndOfWatch,
    /// To be answered at once.
    Probe,
    /// The answer, and whether the receiver is to watch the sender.
    ProbeAck(bool),
    /// The receiver is to probe this member, from whom the sender has heard nothing for so many
    /// milliseconds.
    ProbeFor(MemberId, u32),
    /// The answer: this long ago (in milliseconds), something was heard from it.
    ProbedFor(MemberId, u32),
    /// The sender has found it lost.
    Lost(Identity),
    /// The sender leaves.
    Goodbye,
    /// A hash of which records of live members the sender has.
    Digest(u64),
    /// Up to which version the sender has the records of which members.
    Vector(Vector),
    /// The sender wants the records of this member that are newer than this version, and knows that
    /// withdrawals up to the other version are forgotten.
    Pull(MemberId, u64, u64),
    /// [`Self::Records`] as version 1 has them, without what it does not know.
    ReducedRecords(Records),
    /// All records of a member whose versions lie in a range.
    Records(Records),
}

impl Message {
    /// What is said to a member of this version.
    pub(crate) fn for_version(&self, version: u8) -> Option<Cow<'_, Self>> {
        match self {
            Self::Records(records) if version < 2 => {
                let reduced = v1::reduce(records)?;
                Some(Cow::Owned(Self::ReducedRecords(reduced)))
            }
            Self::Welcome(_)
            | Self::Confirm
            | Self::Stale(_)
            | Self::Swim(_)
            | Self::Heartbeat(_)
            | Self::EndOfWatch
            | Self::Probe
            | Self::ProbeAck(_)
            | Self::ProbeFor(..)
            | Self::ProbedFor(..)
            | Self::Lost(_)
            | Self::Goodbye
            | Self::Digest(_)
            | Self::Vector(_)
            | Self::Pull(..)
            | Self::ReducedRecords(_)
            | Self::Records(_) => Some(Cow::Borrowed(self)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vector {
    pub(crate) versions: Vec<(MemberId, u64)>,
    /// How many more datagrams belong to it.
    pub(crate) more: u16,
    /// The receiver is to send its own.
    pub(crate) asks: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) member: MemberId,
    /// All that the member still says, and that it began to say after this version …
    pub(crate) after: u64,
    /// … and not after this one.
    pub(crate) to: u64,
    /// The last version that the sender has.
    pub(crate) latest: u64,
    /// Withdrawals up to this version are forgotten.
    pub(crate) floor: u64,
    /// The last datagram of an answer.
    pub(crate) last: bool,
    /// One after the other.
    pub(crate) items: Vec<u8>,
}

impl Records {
    /// What they say; `None` if they are malformed.
    pub(crate) fn decode(&self) -> Option<Vec<Record>> {
        decode_items(&self.items, self.after)
    }

    /// The same of [`Message::ReducedRecords`].
    pub(crate) fn decode_reduced(&self) -> Option<Vec<Record>> {
        v1::decode_items(&self.items, self.after)
    }

    /// As a member of version 1 would pass them on.
    pub(crate) fn reduce(&self) -> Option<Self> {
        v1::reduce(self)
    }
}

/// One record of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) version: u64,
    pub(crate) key: AnyKey,
    /// `None`: it was withdrawn.
    pub(crate) value: Option<Octets>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item<'a> {
    /// By how much its version is higher than that of the item before it.
    step: u64,
    key: &'a [u8],
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Content<'a> {
    /// That of the item before it.
    Same,
    Value(&'a [u8]),
    Withdrawn,
}

/// An item of a [`Records`]; `is_same` if its value is that of the one before it.
pub(crate) fn encode_item(
    step: u64,
    key: &AnyKey,
    value: Option<&Octets>,
    is_same: bool,
) -> Vec<u8> {
    let content = match value {
        Some(_) | None if is_same => Content::Same,
        Some(value) => Content::Value(value),
        None => Content::Withdrawn,
    };
    let key = &key.encode();
    encode(&Item { step, key, content })
}

fn decode_items(mut octets: &[u8], after: u64) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut version = after;
    let mut before: Option<Option<Octets>> = None;
    while !octets.is_empty() {
        let (item, rest) = postcard::take_from_bytes::<Item>(octets).ok()?;
        let value = match item.content {
            Content::Same => before?,
            Content::Value(value) => Some(value.into()),
            Content::Withdrawn => None,
        };
        version = next(version, item.step)?;
        before = Some(value.clone());
        let key = AnyKey::decode(item.key)?;
        records.push(Record {
            version,
            key,
            value,
        });
        octets = rest;
    }
    Some(records)
}

/// The version of an item; `None` if it is not higher than that of the item before it.
fn next(version: u64, step: u64) -> Option<u64> {
    version.checked_add(step).filter(|_| step > 0)
}

/// What a datagram says.
#[derive(Debug)]
pub(crate) enum Plain {
    Hello(Hello),
    Said {
        token: u64,
        counter: u64,
        /// `None`: not understood.
        message: Option<Message>,
    },
}

/// Never fails on what is defined here.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
}

pub(crate) fn encode_plain(token: u64, counter: u64, message: &Message) -> Vec<u8> {
    [
        token.to_le_bytes().as_slice(),
        &encode(&counter),
        &encode(message),
    ]
    .concat()
}

pub(crate) fn encode_hello(hello: &Hello) -> Vec<u8> {
    [0_u64.to_le_bytes().as_slice(), &encode(hello)].concat()
}

pub(crate) fn decode(plaintext: &[u8]) -> Option<Plain> {
    let (token, rest) = plaintext.split_first_chunk()?;
    let token = u64::from_le_bytes(*token);
    if token == 0 {
        let (hello, _) = postcard::take_from_bytes(rest).ok()?;
        return Some(Plain::Hello(hello));
    }
    let (counter, rest) = postcard::take_from_bytes(rest).ok()?;
    let message = postcard::take_from_bytes(rest).ok();
    Some(Plain::Said {
        token,
        counter,
        message: message.map(|(message, _)| message),
    })
}
