//! Whole messages: round trips, another implementation's opinion, and what happens to damaged ones.

use std::collections::BTreeSet;

use carillon_core::address::Family;
use carillon_core::config::Community;

use super::attribute::{Communities, LocalPref};
use super::*;

mod differential;
mod hostile;
mod mutation;
mod round_trip;
mod strategies;

/// A session in which everything is negotiated.
pub(super) fn context(peer_type: PeerType) -> DecodeContext {
    DecodeContext {
        peer_type,
        four_octet_as: true,
        families: FamilySet::from_iter([Family::V4, Family::V6]),
    }
}

/// A message with this type code and body.
pub(super) fn message(code: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    let header = [&[0xff; 16][..], &length.to_be_bytes(), &[code]].concat();
    [&header, body].concat()
}

/// Decodes octets that are exactly one message.
pub(super) fn decode(octets: &[u8], context: DecodeContext) -> Result<Message, MessageError> {
    let frame = Frame::parse(octets)?.expect("a whole message");
    assert_eq!(frame.size(), octets.len());
    Message::decode(frame, context)
}

/// Takes octets apart into messages.
pub(super) fn split(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(frame) = Frame::parse(octets).unwrap() {
        let (message, rest) = octets.split_at(frame.size());
        messages.push(message);
        octets = rest;
    }
    assert!(octets.is_empty(), "{} octets left over", octets.len());
    messages
}

/// The UPDATEs in these octets, decoded.
pub(super) fn decode_updates(octets: &[u8], context: DecodeContext) -> Vec<Update> {
    split(octets)
        .into_iter()
        .map(|octets| match decode(octets, context) {
            Ok(Message::Update(update)) => update,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// What announcements have to say beside prefixes.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    pub(super) as_path: Vec<u32>,
    pub(super) next_hop: NextHop,
    pub(super) local_pref: Option<u32>,
    pub(super) communities: BTreeSet<Community>,
}

impl Announcement {
    /// The family of the next hop.
    pub(super) fn family(&self) -> Family {
        match self.next_hop {
            NextHop::V4(_) => Family::V4,
            NextHop::V6 { .. } => Family::V6,
        }
    }

    /// A writer of it for a peer to whom all attributes are told.
    pub(super) fn writer(&self, four_octet_as: bool) -> Result<UpdateWriter, EncodeError> {
        let attributes = Attributes::default()
            .with(self.local_pref.map(LocalPref))
            .with(Communities::new(self.communities.iter().copied()));
        UpdateWriter::new(
            self.family(),
            self.next_hop,
            &self.as_path,
            attributes.for_peer(PeerType::Internal),
            four_octet_as,
        )
    }
}
