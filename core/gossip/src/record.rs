//! What a member says of itself to all others. Each member writes its own records only, so no two
//! ever contradict each other; a record holds until its member replaces or withdraws it, or starts
//! anew.
//!
//! On the wire a key has a length, and a value is a list of numbered fields, each with its length
//! (`record/fields.rs`). A member stores and passes on what it does not know: a new kind of record is a
//! [`Key`], a new fact is a field with a number that was never used, and what is absent has a
//! default.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::MacAddress;

mod fields;
mod impediment;

pub use impediment::Impediment;

/// The longest key of a record of another member, in octets.
const MAX_KEY: usize = 64;

/// The octets of a value.
pub(crate) type Octets = Arc<[u8]>;

/// What a record is about. The order of the variants is their number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// The member's node: [`Node`].
    Node,
    /// One of its interfaces, by index: [`Interface`].
    Interface(u32),
    /// A VIP that it has: [`Claim`].
    Claim(IpAddr),
    /// A VIP that it asks the owner to hand over: [`Request`].
    Request(IpAddr),
}

/// What a record of another member is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AnyKey {
    Known(Key),
    /// Something that only later versions know.
    Unknown(Arc<[u8]>),
}

impl AnyKey {
    /// `None` if it is longer than a key may be.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.len() > MAX_KEY {
            return None;
        }
        Some(match postcard::take_from_bytes(octets) {
            Ok((key, [])) => Self::Known(key),
            Ok(_) | Err(_) => Self::Unknown(octets.into()),
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Known(key) => super::wire::encode(key),
            Self::Unknown(octets) => octets.to_vec(),
        }
    }

    pub(crate) fn known(&self) -> Option<Key> {
        match self {
            Self::Known(key) => Some(*key),
            Self::Unknown(_) => None,
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// See [`Key::Node`].
    Node(Node),
    /// See [`Key::Interface`].
    Interface(Interface),
    /// See [`Key::Claim`].
    Claim(Claim),
    /// See [`Key::Request`].
    Request(Request),
}

/// The node that a member runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name; nothing else tells nodes apart in an election.
    pub name: Arc<str>,
    /// The member announces IPv4 addresses that have one owner.
    pub ipv4: bool,
    /// The member announces IPv6 addresses that have one owner.
    pub ipv6: bool,
    /// It knows the services and who has which VIP, and may be given VIPs.
    pub is_ready: bool,
    /// Why it is not to have any; empty if it may.
    pub impediments: BTreeSet<Impediment>,
    /// What its daemon can do that not every daemon can, one bit for each; a bit that is not known
    /// here is passed on.
    pub capabilities: u64,
}

impl Node {
    /// The capability to repeat the nonce of a question in the answer (`mark.rs` of the core).
    pub const REPEATS_NONCE: u64 = 1;
    /// The capability to count by how much nodes are preferred for a VIP (`scope.rs` of the core).
    pub const KNOWS_WEIGHTS: u64 = 1 << 1;
}

/// An interface that a member can announce on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its Ethernet address.
    pub mac: MacAddress,
    /// Its subnets, of both families.
    pub subnets: Vec<IpNet>,
    /// The addresses that its node has on them for itself, some of them if there are many.
    pub hosts: Vec<IpAddr>,
    /// Its name, which is told once there has been a VIP for interfaces of certain names.
    pub named: Option<Named>,
}

/// What VIPs that are for interfaces of certain names have to know of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: Arc<str>,
    /// IPv4 addresses that have one owner can be announced on it.
    pub ipv4: bool,
    /// IPv6 addresses that have one owner can be announced on it.
    pub ipv6: bool,
}

/// A member's word that it has a VIP. Of several, the one with the highest term counts; of equal
/// terms, the one whose node comes first in the rendezvous order of the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Higher than the term of every claim that it replaces.
    pub term: u64,
    /// The member asks this one to take the VIP over.
    pub successor: Option<super::MemberId>,
}

impl Claim {
    /// The term of what was taken from a lost member without proof that others hear this one. It counts
    /// where nobody else claims the VIP, and so takes nothing from anybody when the two can talk again.
    pub const UNPROVEN: u64 = 0;

    /// Whether it has that term.
    pub fn is_unproven(&self) -> bool {
        self.term == Self::UNPROVEN
    }
}

/// A person's wish, told to the member at hand and meant for the one that has the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who is to have it.
    pub to: super::MemberId,
    /// The term of the claim that the person saw; one with another term is not meant.
    pub term: u64,
}
