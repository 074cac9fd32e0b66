//! What members say to each other, inside the seal.
//!
//! A datagram begins with the token (8 octets) that its receiver has asked its sender to use, and a
//! counter (a varint); see [`super::session`]. Token 0 is for those who have none yet, and only
//! [`Hello`] follows it.

use serde::{Deserialize, Serialize};

use super::MemberId;
use super::identity::Identity;
use super::record::{Key, Value};
use super::seal::OVERHEAD;

/// No datagram is longer, sealed: it passes every network of IPv6.
pub(crate) const MAX_DATAGRAM: usize = 1200;
/// Token, counter, and the parts of a message beside its content.
const HEAD: usize = 90;
/// The items of a [`Message::Records`], and what foca sends, are not longer than this.
pub(crate) const MAX_CONTENT: usize = MAX_DATAGRAM - OVERHEAD - HEAD;

/// A member makes itself known, and asks for datagrams that carry its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) from: MemberId,
    /// Drawn by lot at the start: tells two runs of the same generation apart.
    pub(crate) run: u64,
    pub(crate) token: u64,
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
    /// All records of a member whose versions lie in a range.
    Records(Records),
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
    /// [`Item`]s, one after the other.
    pub(crate) items: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// By how much its version is higher than that of the item before it.
    pub(crate) step: u64,
    pub(crate) key: Key,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// That of the item before it.
    Same,
    Value(Value),
    Withdrawn,
}

/// What a datagram says.
#[derive(Debug)]
pub(crate) enum Plain {
    Hello(Hello),
    Said {
        token: u64,
        counter: u64,
        message: Message,
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
        return exactly(rest).map(Plain::Hello);
    }
    let (counter, rest) = postcard::take_from_bytes(rest).ok()?;
    exactly(rest).map(|message| Plain::Said {
        token,
        counter,
        message,
    })
}

fn exactly<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(octets).ok()?;
    rest.is_empty().then_some(value)
}

/// The items of a [`Records`]; `None` if they are not what they should be.
pub(crate) fn decode_items(mut octets: &[u8]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !octets.is_empty() {
        let (item, rest) = postcard::take_from_bytes(octets).ok()?;
        items.push(item);
        octets = rest;
    }
    Some(items)
}
