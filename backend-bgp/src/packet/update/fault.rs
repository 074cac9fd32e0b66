//! What can be wrong with a path attribute, and what the receiver does about it (RFC 7606).

use std::fmt;

use super::attribute::{self, AS_PATH, MP_REACH_NLRI, MP_UNREACH_NLRI, NEXT_HOP, ORIGIN};
use crate::packet::notification::Reason;

/// How an error is handled (RFC 7606 section 2), weakest first: with several errors "the approach
/// with the strongest action MUST be used".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approach {
    /// Go on as if the attribute were not there.
    AttributeDiscard,
    /// Go on as if the routes of the message had been withdrawn.
    TreatAsWithdraw,
    /// End the session.
    SessionReset,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The Optional or Transitive bit contradicts the type (RFC 7606 section 3 c).
    Flags,
    /// The length is not one that the type can have.
    Length,
    /// The value means nothing.
    Value,
    /// Not the first of its type (RFC 7606 section 3 g).
    Duplicate,
    /// A mandatory attribute is not there (RFC 7606 section 3 d).
    Missing,
    /// A peer of this kind has no business to send it.
    Unexpected,
    /// Of an address family that was not negotiated.
    Family,
    /// A well-known attribute that is not known (RFC 4271 section 6.3).
    Unrecognized,
    /// The last attribute is longer than the attributes in total, or too short to be one (RFC 7606
    /// section 4).
    Truncated,
}

/// One error of an UPDATE. Its `Display` is made for a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The attribute's type code; `None` where the fault belongs to no attribute.
    pub attribute: Option<u8>,
    /// What is wrong.
    pub problem: Problem,
    /// How it was handled.
    pub approach: Approach,
}

impl Fault {
    /// The error subcode for it, should the session end (RFC 4271 section 6.3).
    pub(in crate::packet) fn reason(self) -> Reason {
        match self.problem {
            Problem::Flags => Reason::AttributeFlags,
            Problem::Length => match self.attribute {
                Some(AS_PATH) => Reason::MalformedAsPath,
                // RFC 4760 section 7.
                Some(MP_REACH_NLRI | MP_UNREACH_NLRI) => Reason::OptionalAttribute,
                _ => Reason::AttributeLength,
            },
            Problem::Value => match self.attribute {
                Some(ORIGIN) => Reason::InvalidOrigin,
                Some(AS_PATH) => Reason::MalformedAsPath,
                Some(NEXT_HOP) => Reason::InvalidNextHop,
                _ => Reason::OptionalAttribute,
            },
            Problem::Missing => Reason::MissingWellKnown,
            Problem::Unexpected | Problem::Family => Reason::OptionalAttribute,
            Problem::Unrecognized => Reason::UnrecognizedWellKnown,
            Problem::Duplicate | Problem::Truncated => Reason::MalformedAttributeList,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute.map(|code| (code, attribute::name(code))) {
            None => f.write_str("path attributes")?,
            Some((_, Some(name))) => f.write_str(name)?,
            Some((code, None)) => write!(f, "attribute {code}")?,
        }
        f.write_str(match self.problem {
            Problem::Flags => " with wrong flags",
            Problem::Length => " of wrong length",
            Problem::Value => " with an invalid value",
            Problem::Duplicate => " repeated",
            Problem::Missing => " missing",
            Problem::Unexpected => " not expected from this peer",
            Problem::Family => " of an address family that was not negotiated",
            Problem::Unrecognized => " is marked well-known and is not known",
            Problem::Truncated => " cut short",
        })?;
        f.write_str(match self.approach {
            Approach::AttributeDiscard => ": discarded",
            Approach::TreatAsWithdraw => ": routes treated as withdrawn",
            Approach::SessionReset => ": session reset",
        })
    }
}
