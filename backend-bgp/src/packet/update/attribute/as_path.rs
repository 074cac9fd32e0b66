//! AS_PATH (RFC 4271 section 5.1.2) and AS4_PATH (RFC 6793).
//!
//! ```text
//! +--------------+--------------+---------------------------------+
//! | Segment Type | Number of AS | AS numbers (2 or 4 octets each) |
//! +--------------+--------------+---------------------------------+
//! ```

use super::attribute_type::{
    AttributeType, OPTIONAL_TRANSITIVE, WELL_KNOWN, anyone, internal, old_speaker,
};
use crate::packet::asn;
use crate::packet::context::DecodeContext;
use crate::packet::cursor::Cursor;
use crate::packet::update::problem::{Approach, Problem};

const AS_SET: u8 = 1;
const AS_SEQUENCE: u8 = 2;
const AS_CONFED_SEQUENCE: u8 = 3;
const AS_CONFED_SET: u8 = 4;

/// RFC 7606 section 7.2.
pub(crate) const AS_PATH: AttributeType = AttributeType {
    code: 2,
    name: "AS_PATH",
    flags: WELL_KNOWN,
    expected: anyone,
    check: check_as_path,
    approach: Approach::TreatAsWithdraw,
};

/// The whole path beside an AS_PATH that has no room for it (RFC 6793 section 6).
pub(crate) const AS4_PATH: AttributeType = AttributeType {
    code: 17,
    name: "AS4_PATH",
    flags: OPTIONAL_TRANSITIVE,
    expected: old_speaker,
    check: check_as4_path,
    approach: Approach::AttributeDiscard,
};

/// Appends the AS_PATH of a sequence of AS numbers, the nearest first. Without `four_octet_as`
/// numbers that two octets cannot hold become AS_TRANS.
pub(crate) fn put(path: &[u32], four_octet_as: bool, out: &mut Vec<u8>) {
    AS_PATH.put(out, |out| put_segments(path, four_octet_as, out));
}

/// Appends the AS4_PATH that belongs to it, if there must be one: it is not to be sent if all AS
/// numbers fit in two octets (RFC 6793 section 4.2.2).
pub(crate) fn put_as4(path: &[u32], four_octet_as: bool, out: &mut Vec<u8>) {
    if !four_octet_as && path.iter().any(|asn| *asn > u16::MAX.into()) {
        AS4_PATH.put(out, |out| put_segments(path, true, out));
    }
}

/// AS_SEQUENCEs of at most 255 AS numbers each.
fn put_segments(path: &[u32], four_octet_as: bool, out: &mut Vec<u8>) {
    const LONGEST: usize = 255;
    for segment in path.chunks(LONGEST) {
        out.extend([AS_SEQUENCE, u8::try_from(segment.len()).unwrap_or(u8::MAX)]);
        for asn in segment {
            asn::put(*asn, four_octet_as, out);
        }
    }
}

fn check_as_path(value: &[u8], context: DecodeContext) -> Result<(), Problem> {
    check_segments(value, context.four_octet_as, internal(context))
}

/// Malformed also if "the attribute length … is too small (i.e., less than 6)"; segments of
/// confederations are to be passed over, not to be judged (RFC 6793 section 6).
fn check_as4_path(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if value.len() < 6 {
        return Err(Problem::Length);
    }
    check_segments(value, true, true)
}

/// Malformed: "an unrecognized segment type", a segment longer than what is there, a single octet
/// left over, a length of zero (RFC 7606 section 7.2); segments of confederations from another AS
/// (RFC 5065 section 5); AS number 0 (RFC 7607 section 2).
fn check_segments(value: &[u8], four_octet_as: bool, confederation: bool) -> Result<(), Problem> {
    let mut cursor = Cursor::new(value);
    while !cursor.is_empty() {
        match cursor.u8() {
            Some(AS_SET | AS_SEQUENCE) => {}
            Some(AS_CONFED_SEQUENCE | AS_CONFED_SET) if confederation => {}
            _ => return Err(Problem::Value),
        }
        let count = cursor.u8().ok_or(Problem::Length)?;
        if count == 0 {
            return Err(Problem::Length);
        }
        for _ in 0..count {
            if asn::take(&mut cursor, four_octet_as).ok_or(Problem::Length)? == 0 {
                return Err(Problem::Value);
            }
        }
    }
    Ok(())
}
