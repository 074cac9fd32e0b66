//! LARGE_COMMUNITY (RFC 8092).

use super::attribute_type::{AttributeType, OPTIONAL_TRANSITIVE, anyone, list_of};
use crate::packet::update::problem::Approach;

/// RFC 8092 section 6.
pub(crate) const LARGE_COMMUNITY: AttributeType = AttributeType {
    code: 32,
    name: "LARGE_COMMUNITY",
    flags: OPTIONAL_TRANSITIVE,
    expected: anyone,
    check: list_of::<12>,
    approach: Approach::TreatAsWithdraw,
};
