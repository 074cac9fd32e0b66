//! What was wrong with a received UPDATE, and what was done about it.

use std::fmt;

use super::attribute::as_path::AS_PATH;
use super::attribute::multiprotocol::{MP_REACH_NLRI, MP_UNREACH_NLRI};
use super::attribute::next_hop::NEXT_HOP;
use super::attribute::origin::ORIGIN;
use super::attribute::{self, AttributeType};
use super::problem::{Approach, Problem};
use crate::packet::notification::Reason;

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
        let is = |types: &[AttributeType]| types.iter().any(|one| self.attribute == Some(one.code));
        match self.problem {
            Problem::Flags => Reason::AttributeFlags,
            Problem::Length | Problem::Value if is(&[AS_PATH]) => Reason::MalformedAsPath,
            // RFC 4760 section 7.
            Problem::Length if is(&[MP_REACH_NLRI, MP_UNREACH_NLRI]) => Reason::OptionalAttribute,
            Problem::Length => Reason::AttributeLength,
            Problem::Value if is(&[ORIGIN]) => Reason::InvalidOrigin,
            Problem::Value if is(&[NEXT_HOP]) => Reason::InvalidNextHop,
            Problem::Value | Problem::Unexpected | Problem::Family => Reason::OptionalAttribute,
            Problem::Missing => Reason::MissingWellKnown,
            Problem::Unrecognized => Reason::UnrecognizedWellKnown,
            Problem::Duplicate | Problem::Truncated => Reason::MalformedAttributeList,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute.map(|code| (code, attribute::type_of(code))) {
            None => f.write_str("path attributes")?,
            Some((_, Some(known))) => f.write_str(known.name)?,
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
