//! CLUSTER_LIST (RFC 4456).

use super::attribute_type::{AttributeType, OPTIONAL_NON_TRANSITIVE, internal, list_of};
use crate::packet::update::problem::Approach;

/// RFC 7606 section 7.10.
pub(crate) const CLUSTER_LIST: AttributeType = AttributeType {
    code: 10,
    name: "CLUSTER_LIST",
    flags: OPTIONAL_NON_TRANSITIVE,
    expected: internal,
    check: list_of::<4>,
    approach: Approach::TreatAsWithdraw,
};
