//! Path attributes as they are received, and the rules of RFC 7606 for each.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |O|T|P|E|   0   |   Type Code   | Length (2 octets if E is set) |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       Value (variable)                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! O optional, T transitive, P partial, E extended length
//! ```

use std::net::Ipv4Addr;

use super::fault::{Approach, Fault, Problem};
use crate::packet::context::{DecodeContext, PeerType};
use crate::packet::cursor::Cursor;

pub(super) const ORIGIN: u8 = 1;
pub(super) const AS_PATH: u8 = 2;
pub(super) const NEXT_HOP: u8 = 3;
const MULTI_EXIT_DISC: u8 = 4;
pub(super) const LOCAL_PREF: u8 = 5;
const ATOMIC_AGGREGATE: u8 = 6;
const AGGREGATOR: u8 = 7;
pub(super) const COMMUNITIES: u8 = 8;
const ORIGINATOR_ID: u8 = 9;
const CLUSTER_LIST: u8 = 10;
pub(super) const MP_REACH_NLRI: u8 = 14;
pub(super) const MP_UNREACH_NLRI: u8 = 15;
const EXTENDED_COMMUNITIES: u8 = 16;
pub(super) const AS4_PATH: u8 = 17;
const AS4_AGGREGATOR: u8 = 18;
const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
const LARGE_COMMUNITIES: u8 = 32;

const FLAG_OPTIONAL: u8 = 0x80;
const FLAG_TRANSITIVE: u8 = 0x40;
pub(super) const FLAG_EXTENDED_LENGTH: u8 = 0x10;

/// The Optional and Transitive bits of the kinds of attributes (RFC 4271 section 5).
pub(super) const WELL_KNOWN: u8 = FLAG_TRANSITIVE;
pub(super) const OPTIONAL_TRANSITIVE: u8 = FLAG_OPTIONAL | FLAG_TRANSITIVE;
pub(super) const OPTIONAL_NON_TRANSITIVE: u8 = FLAG_OPTIONAL;

/// The name of an attribute that we recognize.
pub(super) fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        ORIGIN => "ORIGIN",
        AS_PATH => "AS_PATH",
        NEXT_HOP => "NEXT_HOP",
        MULTI_EXIT_DISC => "MULTI_EXIT_DISC",
        LOCAL_PREF => "LOCAL_PREF",
        ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
        AGGREGATOR => "AGGREGATOR",
        COMMUNITIES => "COMMUNITIES",
        ORIGINATOR_ID => "ORIGINATOR_ID",
        CLUSTER_LIST => "CLUSTER_LIST",
        MP_REACH_NLRI => "MP_REACH_NLRI",
        MP_UNREACH_NLRI => "MP_UNREACH_NLRI",
        EXTENDED_COMMUNITIES => "EXTENDED COMMUNITIES",
        AS4_PATH => "AS4_PATH",
        AS4_AGGREGATOR => "AS4_AGGREGATOR",
        IPV6_EXTENDED_COMMUNITIES => "IPv6 EXTENDED COMMUNITIES",
        LARGE_COMMUNITIES => "LARGE_COMMUNITY",
        _ => return None,
    })
}

/// One attribute, its value not looked at yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    flags: u8,
    pub(super) code: u8,
    pub(super) value: &'a [u8],
    /// The attribute as a whole: type, length and value.
    pub(super) octets: &'a [u8],
}

impl<'a> Attribute<'a> {
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

    /// Whether the Optional and Transitive bits are these. The Partial bit is no error that RFC
    /// 7606 knows, and the low bits "MUST be ignored when received".
    pub(super) fn has_flags(&self, expected: u8) -> bool {
        self.flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE) == expected
    }

    /// A fault of this attribute.
    pub(super) fn fault(&self, problem: Problem, approach: Approach) -> Fault {
        Fault {
            attribute: Some(self.code),
            problem,
            approach,
        }
    }

    /// Judges any attribute but `MP_REACH_NLRI` and `MP_UNREACH_NLRI` (RFC 7606 sections 3 and 7).
    pub(super) fn judge(&self, context: DecodeContext) -> Result<(), Fault> {
        let Some(rule) = Rule::of(self.code, context) else {
            return self.judge_unknown();
        };
        if !rule.expected {
            return Err(self.fault(Problem::Unexpected, Approach::AttributeDiscard));
        }
        if !self.has_flags(rule.flags) {
            return Err(self.fault(Problem::Flags, rule.approach));
        }
        (rule.check)(self.value, context).map_err(|problem| self.fault(problem, rule.approach))
    }

    /// "If any of the well-known mandatory attributes are not recognized, then the Error Subcode
    /// MUST be set to Unrecognized Well-known Attribute" (RFC 4271 section 6.3, not revised); an
    /// optional one is passed over.
    fn judge_unknown(&self) -> Result<(), Fault> {
        if self.flags & FLAG_OPTIONAL == 0 {
            return Err(self.fault(Problem::Unrecognized, Approach::SessionReset));
        }
        Ok(())
    }
}

/// What RFC 7606 says of one type of attribute.
struct Rule {
    /// The Optional and Transitive bits.
    flags: u8,
    /// What is done with a malformed one.
    approach: Approach,
    /// The syntax of the value.
    check: Check,
    /// Whether such a peer may send it at all; otherwise it is discarded unseen.
    expected: bool,
}

type Check = fn(&[u8], DecodeContext) -> Result<(), Problem>;

impl Rule {
    fn new(flags: u8, approach: Approach, check: Check) -> Self {
        Self {
            flags,
            approach,
            check,
            expected: true,
        }
    }

    fn only_if(mut self, expected: bool) -> Self {
        self.expected = expected;
        self
    }

    fn of(code: u8, context: DecodeContext) -> Option<Self> {
        use Approach::{AttributeDiscard, TreatAsWithdraw};
        let internal = context.peer_type == PeerType::Internal;
        let old_speaker = !context.four_octet_as;
        Some(match code {
            // 7.1 to 7.5
            ORIGIN => Self::new(WELL_KNOWN, TreatAsWithdraw, origin),
            AS_PATH => Self::new(WELL_KNOWN, TreatAsWithdraw, as_path),
            NEXT_HOP => Self::new(WELL_KNOWN, TreatAsWithdraw, next_hop),
            MULTI_EXIT_DISC => Self::new(OPTIONAL_NON_TRANSITIVE, TreatAsWithdraw, exactly::<4>),
            LOCAL_PREF => Self::new(WELL_KNOWN, TreatAsWithdraw, exactly::<4>).only_if(internal),
            // 7.6 and 7.7, and section 3 f
            ATOMIC_AGGREGATE => Self::new(WELL_KNOWN, AttributeDiscard, exactly::<0>),
            AGGREGATOR => Self::new(OPTIONAL_TRANSITIVE, AttributeDiscard, aggregator),
            // 7.8 to 7.10
            COMMUNITIES => Self::new(OPTIONAL_TRANSITIVE, TreatAsWithdraw, list_of::<4>),
            ORIGINATOR_ID => {
                Self::new(OPTIONAL_NON_TRANSITIVE, TreatAsWithdraw, exactly::<4>).only_if(internal)
            }
            CLUSTER_LIST => {
                Self::new(OPTIONAL_NON_TRANSITIVE, TreatAsWithdraw, list_of::<4>).only_if(internal)
            }
            // 7.14 and 7.15, RFC 8092 section 6
            EXTENDED_COMMUNITIES => Self::new(OPTIONAL_TRANSITIVE, TreatAsWithdraw, list_of::<8>),
            IPV6_EXTENDED_COMMUNITIES => {
                Self::new(OPTIONAL_TRANSITIVE, TreatAsWithdraw, list_of::<20>)
            }
            LARGE_COMMUNITIES => Self::new(OPTIONAL_TRANSITIVE, TreatAsWithdraw, list_of::<12>),
            // RFC 6793 section 6
            AS4_PATH => {
                Self::new(OPTIONAL_TRANSITIVE, AttributeDiscard, as4_path).only_if(old_speaker)
            }
            AS4_AGGREGATOR => Self::new(OPTIONAL_TRANSITIVE, AttributeDiscard, as4_aggregator)
                .only_if(old_speaker),
            _ => return None,
        })
    }
}

fn exactly<const N: usize>(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if value.len() == N {
        Ok(())
    } else {
        Err(Problem::Length)
    }
}

/// A list of elements of N octets, at least one.
fn list_of<const N: usize>(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if !value.is_empty() && value.len().is_multiple_of(N) {
        Ok(())
    } else {
        Err(Problem::Length)
    }
}

/// IGP, EGP or INCOMPLETE.
fn origin(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    match value {
        [0..=2] => Ok(()),
        [_] => Err(Problem::Value),
        _ => Err(Problem::Length),
    }
}

/// "Syntactic correctness means that the NEXT_HOP attribute represents a valid IP host address"
/// (RFC 4271 section 6.3).
fn next_hop(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    let octets: [u8; 4] = value.try_into().map_err(|_| Problem::Length)?;
    let address = Ipv4Addr::from(octets);
    let reserved = matches!(octets, [0 | 240..=255, ..]);
    if reserved || address.is_loopback() || address.is_multicast() {
        return Err(Problem::Value);
    }
    Ok(())
}

fn as_path(value: &[u8], context: DecodeContext) -> Result<(), Problem> {
    let confederation = context.peer_type == PeerType::Internal;
    segments(value, context.four_octet_as, confederation)
}

/// Malformed also if "the attribute length … is too small (i.e., less than 6)"; segments of
/// confederations are to be passed over, not to be judged (RFC 6793 section 6).
fn as4_path(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    if value.len() < 6 {
        return Err(Problem::Length);
    }
    segments(value, true, true)
}

/// ```text
/// +--------------+--------------+---------------------------------+
/// | Segment Type | Number of AS | AS numbers (2 or 4 octets each) |
/// +--------------+--------------+---------------------------------+
/// ```
///
/// Malformed: "an unrecognized segment type", a segment longer than what is there, a single octet
/// left over, a length of zero (RFC 7606 section 7.2); segments of confederations from another AS
/// (RFC 5065 section 5); AS number 0 (RFC 7607 section 2).
fn segments(value: &[u8], four_octet_as: bool, confederation: bool) -> Result<(), Problem> {
    const AS_SET: u8 = 1;
    const AS_SEQUENCE: u8 = 2;
    const AS_CONFED_SEQUENCE: u8 = 3;
    const AS_CONFED_SET: u8 = 4;

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
            if asn(&mut cursor, four_octet_as).ok_or(Problem::Length)? == 0 {
                return Err(Problem::Value);
            }
        }
    }
    Ok(())
}

fn asn(cursor: &mut Cursor<'_>, four_octet_as: bool) -> Option<u32> {
    if four_octet_as {
        cursor.u32()
    } else {
        cursor.u16().map(u32::from)
    }
}

fn aggregator(value: &[u8], context: DecodeContext) -> Result<(), Problem> {
    aggregator_of(value, context.four_octet_as)
}

fn as4_aggregator(value: &[u8], _: DecodeContext) -> Result<(), Problem> {
    aggregator_of(value, true)
}

/// An AS number, not 0 (RFC 7607 section 2), and an IPv4 address.
fn aggregator_of(value: &[u8], four_octet_as: bool) -> Result<(), Problem> {
    let mut cursor = Cursor::new(value);
    let asn = asn(&mut cursor, four_octet_as).ok_or(Problem::Length)?;
    if cursor.rest().len() != 4 {
        return Err(Problem::Length);
    }
    if asn == 0 {
        return Err(Problem::Value);
    }
    Ok(())
}
