//! What is said on a segment, whatever the protocol.

use std::net::IpAddr;

use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;

/// What a received packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The station that speaks.
    pub station: MacAddress,
    /// The address that it says it has.
    pub claim: Option<IpAddr>,
    /// It is for this node alone, as an answer is, and not for all.
    pub is_direct: bool,
    /// What it asks.
    pub question: Option<Question>,
    /// That of another daemon, if one speaks.
    pub mark: Option<Mark>,
    /// The nonce of the question or of the one that is answered, with the mark; zero if there is none.
    pub nonce: u32,
}

/// Somebody wants to know who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The address.
    pub target: IpAddr,
    /// Whom to tell.
    pub asker: Asker,
    /// What the answer is to repeat.
    pub nonce: u32,
}

/// Somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The Ethernet address to answer to.
    pub mac: MacAddress,
    /// The address to answer to; unspecified if the asker has none, since it wants to know whether
    /// the target is free.
    pub address: IpAddr,
}

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// To all: this VIP is here.
    Announcement(IpAddr),
    /// To one who asked: this VIP is here.
    Answer(Question),
    /// To all: who has this VIP?
    Probe(IpAddr),
    /// To one station: has it this address? With the nonce that an answer has to repeat.
    Inquiry(IpAddr, MacAddress, u32),
}
