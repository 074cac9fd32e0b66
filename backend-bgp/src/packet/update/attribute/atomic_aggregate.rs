//! ATOMIC_AGGREGATE (RFC 4271 section 5.1.6).

use super::attribute_type::{AttributeType, WELL_KNOWN, anyone, exactly};
use crate::packet::update::problem::Approach;

/// RFC 7606 sections 3 f and 7.6.
pub(crate) const ATOMIC_AGGREGATE: AttributeType = AttributeType {
    code: 6,
    name: "ATOMIC_AGGREGATE",
    flags: WELL_KNOWN,
    expected: anyone,
    check: exactly::<0>,
    approach: Approach::AttributeDiscard,
};
