//! ORIGIN (RFC 4271 section 5.1.1).

use super::attribute_type::{AttributeType, WELL_KNOWN, anyone};
use crate::packet::context::DecodeContext;
use crate::packet::update::problem::{Approach, Problem};

const IGP: u8 = 0;

/// RFC 7606 section 7.1.
pub(crate) const ORIGIN: AttributeType = AttributeType {
    code: 1,
    name: "ORIGIN",
    flags: WELL_KNOWN,
    expected: anyone,
    check,
    approach: Approach::TreatAsWithdraw,
};

/// Appends that of all our routes, which come from within the AS.
pub(crate) fn put(out: &mut Vec<u8>) {
    ORIGIN.put(out, |out| out.push(IGP));
}

/// IGP, EGP or INCOMPLETE.
fn check(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    match value {
        [0..=2] => Ok(()),
        [_] => Err(Problem::Value),
        _ => Err(Problem::Length),
    }
}
