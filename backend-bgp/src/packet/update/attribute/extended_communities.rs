//! EXTENDED COMMUNITIES (RFC 4360) and their IPv6 form (RFC 5701).

use super::attribute_type::{AttributeType, OPTIONAL_TRANSITIVE, anyone, list_of};
use crate::packet::update::problem::Approach;

/// RFC 7606 section 7.14.
pub(crate) const EXTENDED_COMMUNITIES: AttributeType = AttributeType {
    code: 16,
    name: "EXTENDED COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    expected: anyone,
    check: list_of::<8>,
    approach: Approach::TreatAsWithdraw,
};

/// RFC 7606 section 7.15.
pub(crate) const IPV6_EXTENDED_COMMUNITIES: AttributeType = AttributeType {
    code: 25,
    name: "IPv6 EXTENDED COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    expected: anyone,
    check: list_of::<20>,
    approach: Approach::TreatAsWithdraw,
};
