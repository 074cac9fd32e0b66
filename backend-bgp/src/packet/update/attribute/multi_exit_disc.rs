//! MULTI_EXIT_DISC (RFC 4271 section 5.1.4).

use super::attribute_type::{AttributeType, OPTIONAL_NON_TRANSITIVE, anyone, exactly};
use crate::packet::update::problem::Approach;

/// RFC 7606 section 7.4.
pub(crate) const MULTI_EXIT_DISC: AttributeType = AttributeType {
    code: 4,
    name: "MULTI_EXIT_DISC",
    flags: OPTIONAL_NON_TRANSITIVE,
    expected: anyone,
    check: exactly::<4>,
    approach: Approach::TreatAsWithdraw,
};
