//! ORIGINATOR_ID (RFC 4456).

use super::attribute_type::{AttributeType, OPTIONAL_NON_TRANSITIVE, exactly, internal};
use crate::packet::update::problem::Approach;

/// RFC 7606 section 7.9.
pub(crate) const ORIGINATOR_ID: AttributeType = AttributeType {
    code: 9,
    name: "ORIGINATOR_ID",
    flags: OPTIONAL_NON_TRANSITIVE,
    expected: internal,
    check: exactly::<4>,
    approach: Approach::TreatAsWithdraw,
};
