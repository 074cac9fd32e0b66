//! LOCAL_PREF (RFC 4271 section 5.1.5).

use std::fmt;

use super::attribute_type::{AttributeType, Value, WELL_KNOWN, exactly, internal};
use crate::packet::context::PeerType;
use crate::packet::update::problem::Approach;

/// The preference of a route within the AS; the highest is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalPref(pub u32);

impl Value for LocalPref {
    /// RFC 7606 section 7.5.
    const TYPE: AttributeType = AttributeType {
        code: 5,
        name: "LOCAL_PREF",
        flags: WELL_KNOWN,
        expected: internal,
        check: exactly::<4>,
        approach: Approach::TreatAsWithdraw,
    };

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_be_bytes());
    }

    fn merge(&mut self, other: &Self) {
        *self = *other.max(self);
    }

    /// "A BGP speaker MUST NOT include this attribute in UPDATE messages it sends to external
    /// peers" (RFC 4271 section 5.1.5).
    fn is_for(peer_type: PeerType) -> bool {
        peer_type == PeerType::Internal
    }
}

impl fmt::Display for LocalPref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local preference {}", self.0)
    }
}
