//! A received attribute, taken apart and judged.

use super::attribute::{self, FLAG_EXTENDED_LENGTH, FLAG_OPTIONAL, TYPE_FLAGS};
use super::problem::{Approach, Problem};
use crate::packet::context::DecodeContext;
use crate::packet::cursor::Cursor;

/// One attribute, its value not looked at yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawAttribute<'a> {
    flags: u8,
    pub(super) code: u8,
    pub(super) value: &'a [u8],
    /// The attribute as a whole: type, length and value.
    pub(super) octets: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// The next attribute; `None` if what is left cannot be one.
    pub(super) fn take(cursor: &mut Cursor<'a>) -> Option<Self> {
        let whole = cursor.rest();
        let flags = cursor.u8()?;
        let code = cursor.u8()?;
        let value = if flags & FLAG_EXTENDED_LENGTH == 0 {
            cursor.field8()?
        } else {
            cursor.field16()?
        };
        let octets = whole.get(..whole.len() - cursor.rest().len())?;
        Some(Self {
            flags,
            code,
            value,
            octets,
        })
    }

    /// Judges it (RFC 7606 sections 3 and 7); of `MP_REACH_NLRI` and `MP_UNREACH_NLRI` the flags
    /// only.
    pub(super) fn judge(&self, context: DecodeContext) -> Result<(), (Problem, Approach)> {
        let Some(known) = attribute::type_of(self.code) else {
            return self.judge_unknown();
        };
        if !(known.expected)(context) {
            return Err((Problem::Unexpected, Approach::AttributeDiscard));
        }
        // The Partial bit is no error that RFC 7606 knows, and the low bits "MUST be ignored when
        // received".
        if self.flags & TYPE_FLAGS != known.flags {
            return Err((Problem::Flags, known.approach));
        }
        (known.check)(self.value, context).map_err(|problem| (problem, known.approach))
    }

    /// "If any of the well-known mandatory attributes are not recognized, then the Error Subcode
    /// MUST be set to Unrecognized Well-known Attribute" (RFC 4271 section 6.3, not revised); an
    /// optional one is passed over.
    fn judge_unknown(&self) -> Result<(), (Problem, Approach)> {
        if self.flags & FLAG_OPTIONAL == 0 {
            return Err((Problem::Unrecognized, Approach::SessionReset));
        }
        Ok(())
    }
}
