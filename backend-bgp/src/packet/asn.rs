//! AS numbers on the wire: of two octets, or of four (RFC 6793).

use super::cursor::Cursor;

/// Stands in 2-octet fields for an AS number that does not fit there (RFC 6793 section 9).
pub(super) const AS_TRANS: u16 = 23456;

/// Takes an AS number; `None` if it is not there.
pub(super) fn take(cursor: &mut Cursor<'_>, four_octets: bool) -> Option<u32> {
    if four_octets {
        cursor.u32()
    } else {
        cursor.u16().map(u32::from)
    }
}

/// Appends an AS number.
pub(super) fn put(asn: u32, four_octets: bool, out: &mut Vec<u8>) {
    if four_octets {
        out.extend(asn.to_be_bytes());
    } else {
        out.extend(u16::try_from(asn).unwrap_or(AS_TRANS).to_be_bytes());
    }
}
