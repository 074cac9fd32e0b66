//! What holds for a type of attribute.

use std::fmt;

use crate::packet::context::{DecodeContext, PeerType};
use crate::packet::cursor::put_field16;
use crate::packet::update::problem::{Approach, Problem};

/// Who does not know it may pass over it.
pub(crate) const FLAG_OPTIONAL: u8 = 0x80;
const FLAG_TRANSITIVE: u8 = 0x40;
/// The length has two octets.
pub(crate) const FLAG_EXTENDED_LENGTH: u8 = 0x10;
/// The bits that follow from the type.
pub(crate) const TYPE_FLAGS: u8 = FLAG_OPTIONAL | FLAG_TRANSITIVE;

/// The Optional and Transitive bits of the kinds of attributes (RFC 4271 section 5).
pub(crate) const WELL_KNOWN: u8 = FLAG_TRANSITIVE;
pub(crate) const OPTIONAL_TRANSITIVE: u8 = FLAG_OPTIONAL | FLAG_TRANSITIVE;
pub(crate) const OPTIONAL_NON_TRANSITIVE: u8 = FLAG_OPTIONAL;

/// A type of attribute, and what RFC 7606 says of a received one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeType {
    /// Its code.
    pub(crate) code: u8,
    /// Its name in the registry.
    pub(crate) name: &'static str,
    /// The Optional and Transitive bits.
    pub(crate) flags: u8,
    /// Whether such a peer may send it at all; otherwise it is discarded unseen.
    pub(crate) expected: fn(DecodeContext) -> bool,
    /// The syntax of the value.
    pub(crate) check: fn(&[u8], DecodeContext) -> Result<(), Problem>,
    /// What is done with a malformed one.
    pub(crate) approach: Approach,
}

impl AttributeType {
    /// Appends an attribute with the value that `value` writes.
    pub(crate) fn put(&self, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
        let mut octets = Vec::new();
        value(&mut octets);
        if let Ok(length) = u8::try_from(octets.len()) {
            out.extend([self.flags, self.code, length]);
            out.extend(octets);
        } else {
            self.put_extended(out, |out| out.extend(octets));
        }
    }

    /// Appends an attribute whose length takes two octets, however short it is.
    pub(crate) fn put_extended(&self, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
        out.extend([self.flags | FLAG_EXTENDED_LENGTH, self.code]);
        put_field16(out, value);
    }
}

/// The value of an attribute that routes are given. Its `Display` is what an operator reads.
pub(crate) trait Value: fmt::Display {
    /// Its type.
    const TYPE: AttributeType;

    /// Appends it as it stands in a message.
    fn put(&self, out: &mut Vec<u8>);

    /// Makes it that of a route which both values are meant for.
    fn merge(&mut self, other: &Self);

    /// Whether peers of this kind are told.
    fn is_for(peer_type: PeerType) -> bool {
        match peer_type {
            PeerType::Internal | PeerType::External => true,
        }
    }
}

/// Any peer may send it.
pub(crate) fn anyone(_: DecodeContext) -> bool {
    true
}

/// It is for peers within one AS.
pub(crate) fn internal(context: DecodeContext) -> bool {
    context.peer_type == PeerType::Internal
}

/// It is for speakers without 4-octet AS numbers: "MUST NOT be carried in an UPDATE message between
/// NEW BGP speakers" (RFC 6793 section 6).
pub(crate) fn old_speaker(context: DecodeContext) -> bool {
    !context.four_octet_as
}

/// N octets.
pub(crate) fn exactly<const N: usize>(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if value.len() == N {
        Ok(())
    } else {
        Err(Problem::Length)
    }
}

/// A list of elements of N octets, at least one.
pub(crate) fn list_of<const N: usize>(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if !value.is_empty() && value.len().is_multiple_of(N) {
        Ok(())
    } else {
        Err(Problem::Length)
    }
}
