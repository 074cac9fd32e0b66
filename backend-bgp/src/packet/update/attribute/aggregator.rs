//! AGGREGATOR (RFC 4271 section 5.1.7) and AS4_AGGREGATOR (RFC 6793).

use super::attribute_type::{AttributeType, OPTIONAL_TRANSITIVE, anyone, old_speaker};
use crate::packet::asn;
use crate::packet::context::DecodeContext;
use crate::packet::cursor::Cursor;
use crate::packet::update::problem::{Approach, Problem};

/// RFC 7606 sections 3 f and 7.7.
pub(crate) const AGGREGATOR: AttributeType = AttributeType {
    code: 7,
    name: "AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    expected: anyone,
    check: |value, context| check(value, context.four_octet_as),
    approach: Approach::AttributeDiscard,
};

/// RFC 6793 section 6.
pub(crate) const AS4_AGGREGATOR: AttributeType = AttributeType {
    code: 18,
    name: "AS4_AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    expected: old_speaker,
    check: |value, _: DecodeContext| check(value, true),
    approach: Approach::AttributeDiscard,
};

/// An AS number, not 0 (RFC 7607 section 2), and an IPv4 address.
fn check(value: &[u8], four_octet_as: bool) -> Result<(), Problem> {
    let mut cursor = Cursor::new(value);
    let asn = asn::take(&mut cursor, four_octet_as).ok_or(Problem::Length)?;
    if cursor.rest().len() != 4 {
        return Err(Problem::Length);
    }
    if asn == 0 {
        return Err(Problem::Value);
    }
    Ok(())
}
