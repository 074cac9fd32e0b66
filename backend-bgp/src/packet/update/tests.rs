//! RFC 7606, section by section.

use carillon_core::address::Family;

use super::*;
use crate::packet::tests::{context, decode, message};
use crate::packet::{DecodeContext, FamilySet, Message, MessageError, PeerType};

const EBGP: PeerType = PeerType::External;
const IBGP: PeerType = PeerType::Internal;

/// What comes of an UPDATE.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// Nothing is wrong.
    Good,
    /// The only fault is this one, and an attribute is discarded for it.
    Discard(Problem),
    /// The only fault is this one, and all routes are treated as withdrawn for it.
    Withdraw(Problem),
    /// UPDATE Message Error with this subcode and data.
    Reset(u8, Vec<u8>),
}
use Outcome::{Discard, Good, Reset, Withdraw};

/// The body of an UPDATE.
fn body(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
    [
        &length(withdrawn)[..],
        withdrawn,
        &length(attributes),
        attributes,
        nlri,
    ]
    .concat()
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    [&[flags, code, length], value].concat()
}

fn received(body: &[u8], context: DecodeContext) -> Result<Update, MessageError> {
    match decode(&message(2, body), context)? {
        Message::Update(update) => Ok(update),
        other => panic!("{other:?}"),
    }
}

fn outcome(body: &[u8], context: DecodeContext) -> Outcome {
    match received(body, context) {
        Err(error) => {
            let notification = error.notification();
            assert_eq!(notification.code, 3);
            Reset(notification.subcode, notification.data)
        }
        Ok(update) => match &update.faults[..] {
            [] => Good,
            [fault] if fault.approach == Approach::TreatAsWithdraw => {
                assert_eq!(update.announced, []);
                assert!(!update.withdrawn.is_empty());
                Withdraw(fault.problem)
            }
            [fault] => Discard(fault.problem),
            faults => panic!("{faults:?}"),
        },
    }
}

const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x00];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// 198.51.100.1/32.
const NLRI: &[u8] = &[32, 198, 51, 100, 1];
/// 2001:db8::/32 by 2001:db8::1.
const MP_REACH: &[u8] = &[
    0x80, 14, 26, 0, 2, 1, 16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32,
    0x20, 0x01, 0x0d, 0xb8,
];
/// 2001:db8::/32.
const MP_UNREACH: &[u8] = &[0x80, 15, 8, 0, 2, 1, 32, 0x20, 0x01, 0x0d, 0xb8];

/// A good announcement in which the attribute takes the place of the one of its type, or is added.
fn with(attribute: &[u8]) -> Vec<u8> {
    let attributes: Vec<u8> = [ORIGIN, AS_PATH, NEXT_HOP]
        .into_iter()
        .filter(|good| good[1] != attribute[1])
        .chain([attribute])
        .flatten()
        .copied()
        .collect();
    body(&[], &attributes, NLRI)
}

/// Checks rows of flags, type code, value, kind of peer, and outcome.
#[track_caller]
fn check(rows: &[(u8, u8, &[u8], PeerType, Outcome)]) {
    for (flags, code, value, peer_type, expected) in rows {
        let attribute = attribute(*flags, *code, value);
        let found = outcome(&with(&attribute), context(*peer_type));
        assert_eq!(found, *expected, "{attribute:?} from {peer_type:?}");
    }
}

#[test]
fn section_3b_lengths_of_the_parts() {
    for body in [
        vec![0, 1, 0, 0],
        vec![0xff, 0xff, 0, 0],
        vec![0, 2, 0, 0],
        vec![0, 0, 0, 1],
        vec![0, 0, 0xff, 0xff],
        [&[0, 0, 0, 26][..], ORIGIN, AS_PATH, NEXT_HOP, NLRI].concat(),
    ] {
        assert_eq!(outcome(&body, context(EBGP)), Reset(1, vec![]), "{body:?}");
    }
}

#[test]
#[rustfmt::skip]
fn section_3c_flags() {
    check(&[
        // Well-known attributes: not optional, transitive.
        (0xc0, 1, &[0], EBGP, Withdraw(Problem::Flags)),
        (0x00, 1, &[0], EBGP, Withdraw(Problem::Flags)),
        (0x80, 1, &[0], EBGP, Withdraw(Problem::Flags)),
        (0xc0, 2, &[], EBGP, Withdraw(Problem::Flags)),
        (0xc0, 3, &[192, 0, 2, 1], EBGP, Withdraw(Problem::Flags)),
        (0xc0, 5, &[0; 4], IBGP, Withdraw(Problem::Flags)),
        // Optional ones.
        (0x40, 4, &[0; 4], EBGP, Withdraw(Problem::Flags)),
        (0xc0, 4, &[0; 4], EBGP, Withdraw(Problem::Flags)),
        (0x40, 8, &[0; 4], EBGP, Withdraw(Problem::Flags)),
        (0x80, 8, &[0; 4], EBGP, Withdraw(Problem::Flags)),
        (0xc0, 9, &[0; 4], IBGP, Withdraw(Problem::Flags)),
        (0x40, 10, &[0; 4], IBGP, Withdraw(Problem::Flags)),
        (0x80, 16, &[0; 8], EBGP, Withdraw(Problem::Flags)),
        (0x80, 32, &[0; 12], EBGP, Withdraw(Problem::Flags)),
        // Section 3 f: never more than discard for these.
        (0xc0, 6, &[], EBGP, Discard(Problem::Flags)),
        (0x80, 7, &[0, 0, 0, 1, 1, 1, 1, 1], EBGP, Discard(Problem::Flags)),
        // The partial bit, and the four that mean nothing.
        (0x60, 1, &[0], EBGP, Good),
        (0xe0, 8, &[0; 4], EBGP, Good),
        (0x4f, 1, &[0], EBGP, Good),
    ]);
}

#[test]
fn section_3d_missing_attributes() {
    let missing =
        |attributes: &[&[u8]], nlri| outcome(&body(&[], &attributes.concat(), nlri), context(EBGP));
    let withdraw = Withdraw(Problem::Missing);
    assert_eq!(missing(&[AS_PATH, NEXT_HOP], NLRI), withdraw);
    assert_eq!(missing(&[ORIGIN, NEXT_HOP], NLRI), withdraw);
    assert_eq!(missing(&[ORIGIN, AS_PATH], NLRI), withdraw);
    assert_eq!(missing(&[MP_REACH, AS_PATH], &[]), withdraw);
    assert_eq!(missing(&[MP_REACH, ORIGIN], &[]), withdraw);
    // NEXT_HOP belongs to the NLRI field only.
    assert_eq!(missing(&[MP_REACH, ORIGIN, AS_PATH], &[]), Good);
    assert_eq!(missing(&[MP_REACH, ORIGIN, AS_PATH], NLRI), withdraw);
    // Nothing is mandatory for withdrawals.
    assert_eq!(missing(&[MP_UNREACH], &[]), Good);
    assert_eq!(outcome(&body(NLRI, &[], &[]), context(EBGP)), Good);
    // Each of them is named.
    let update = received(&body(&[], &[], NLRI), context(EBGP)).unwrap();
    let codes: Vec<_> = update.faults.iter().map(|fault| fault.attribute).collect();
    assert_eq!(codes, [Some(1), Some(2), Some(3)]);
}

#[test]
fn section_3g_duplicates() {
    for twice in [ORIGIN, AS_PATH, NEXT_HOP, &[0x40, 1, 1, 77], &[0x00, 3, 0]] {
        let attributes = [ORIGIN, AS_PATH, NEXT_HOP, twice].concat();
        let found = outcome(&body(&[], &attributes, NLRI), context(EBGP));
        assert_eq!(found, Discard(Problem::Duplicate), "only the first counts");
    }
    let unknown = [0xc0, 200, 0];
    let attributes = [ORIGIN, AS_PATH, NEXT_HOP, &unknown, &unknown].concat();
    let found = outcome(&body(&[], &attributes, NLRI), context(EBGP));
    assert_eq!(found, Discard(Problem::Duplicate));
    for twice in [
        [MP_REACH, MP_REACH, ORIGIN, AS_PATH].concat(),
        [MP_UNREACH, MP_UNREACH].concat(),
    ] {
        let found = outcome(&body(&[], &twice, &[]), context(EBGP));
        assert_eq!(found, Reset(1, vec![]));
    }
}

#[test]
fn section_3h_the_strongest_action_wins() {
    let discard = attribute(0x40, 6, &[1]);
    let withdraw = attribute(0x40, 1, &[9]);
    let reset = attribute(0x40, 99, &[]);
    let faults = [&withdraw[..], &discard, AS_PATH, NEXT_HOP].concat();
    let update = received(&body(&[], &faults, NLRI), context(EBGP)).unwrap();
    assert_eq!(update.announced, []);
    assert_eq!(update.withdrawn, ["198.51.100.1/32".parse().unwrap()]);
    assert_eq!(update.faults.len(), 2);
    let faults = [&withdraw[..], &discard, AS_PATH, NEXT_HOP, &reset].concat();
    let found = outcome(&body(&[], &faults, NLRI), context(EBGP));
    assert_eq!(found, Reset(2, reset));
}

#[test]
fn section_4_attributes_and_their_total_length() {
    let good = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    for tail in [
        &[0x40][..],
        &[0x40, 5],
        &[0xd0, 8, 0],             // no room for an extended length
        &[0xc0, 8, 4, 0, 0, 0],    // one octet short
        &[0xc0, 8, 255],           // far too long
        &[0xd0, 8, 0xff, 0xff, 0], // and with extended length
    ] {
        let attributes = [&good[..], tail].concat();
        let found = outcome(&body(&[], &attributes, NLRI), context(EBGP));
        assert_eq!(found, Withdraw(Problem::Truncated), "{tail:?}");
        // Without NLRI there is no telling what is to be withdrawn (section 5.2).
        let found = outcome(&body(&[], &attributes, &[]), context(EBGP));
        assert_eq!(found, Reset(1, vec![]), "{tail:?}");
    }
    // What hides behind the end is not looked for, and what was read before counts.
    let attributes = [ORIGIN, AS_PATH, &[0x40, 3, 5, 192, 0, 2, 1]].concat();
    let update = received(&body(&[], &attributes, NLRI), context(EBGP)).unwrap();
    let problems: Vec<_> = update.faults.iter().map(|fault| fault.problem).collect();
    assert_eq!(problems, [Problem::Truncated, Problem::Missing]);
}

#[test]
fn section_5_2_errors_without_nlri() {
    let without_nlri = |attribute: &[u8]| outcome(&body(NLRI, attribute, &[]), context(IBGP));
    for (attribute, subcode) in [
        (attribute(0x40, 1, &[3]), 6),
        (attribute(0x40, 1, &[]), 5),
        (attribute(0xc0, 1, &[0]), 4),
        (attribute(0x40, 2, &[9, 1, 0, 0, 0, 1]), 11),
        (attribute(0x40, 2, &[2, 1]), 11),
        (attribute(0x40, 3, &[0; 4]), 8),
        (attribute(0x40, 3, &[1]), 5),
        (attribute(0x40, 5, &[1]), 5),
        (attribute(0xc0, 8, &[1]), 5),
    ] {
        assert_eq!(without_nlri(&attribute), Reset(subcode, attribute));
    }
    assert_eq!(
        without_nlri(&attribute(0x40, 6, &[1])),
        Discard(Problem::Length)
    );
}

#[test]
fn section_5_3_prefixes() {
    let attributes = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let bad: &[&[u8]] = &[
        &[33, 1, 2, 3, 4, 5],
        &[255],
        &[8],
        &[32, 1, 2, 3],
        &[24, 198, 51, 100, 32, 1],
        &[0, 0, 0, 1],
    ];
    for prefix in bad {
        let found = outcome(&body(&[], &attributes, prefix), context(EBGP));
        assert_eq!(found, Reset(10, vec![]), "{prefix:?}");
        let found = outcome(&body(prefix, &[], &[]), context(EBGP));
        assert_eq!(found, Reset(10, vec![]), "{prefix:?}");
    }
    // The trailing bits do not count.
    let nlri = [0, 1, 0xff, 9, 10, 0xff, 32, 1, 2, 3, 4];
    let update = received(&body(&[], &attributes, &nlri), context(EBGP)).unwrap();
    let expected = ["0.0.0.0/0", "128.0.0.0/1", "10.128.0.0/9", "1.2.3.4/32"];
    assert_eq!(update.announced, expected.map(|net| net.parse().unwrap()));
}

#[test]
fn sections_5_3_and_7_11_mp_reach() {
    let reach = |flags, value: &[u8]| {
        let attribute = attribute(flags, 14, value);
        let attributes = [&attribute, ORIGIN, AS_PATH].concat();
        (
            outcome(&body(&[], &attributes, &[]), context(EBGP)),
            attribute,
        )
    };
    let value = |family: u8, next_hop: usize, tail: &[u8]| {
        let length = u8::try_from(next_hop).unwrap();
        [&[0, family, 1, length][..], &vec![1; next_hop], tail].concat()
    };
    for good in [
        value(2, 16, &[0]),
        value(
            2,
            16,
            &[
                0, 128, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
            ],
        ),
        value(2, 32, &[0, 0]),
        value(1, 4, &[0, 8, 10]),
        // The reserved octet "MUST be set to 0, and SHOULD be ignored upon receipt".
        value(2, 16, &[77, 0]),
    ] {
        assert_eq!(reach(0x80, &good).0, Good, "{good:?}");
    }
    for bad in [
        vec![],
        vec![0, 2],
        vec![0, 2, 1],
        vec![0, 2, 1, 0],
        vec![0, 2, 1, 0, 0],
        value(2, 4, &[0]),
        value(2, 15, &[0]),
        value(2, 17, &[0]),
        value(2, 24, &[0]),
        value(1, 16, &[0]),
        value(2, 16, &[]),
        value(2, 16, &[0, 129]),
        value(2, 16, &[0, 128, 1]),
        value(1, 4, &[0, 33, 1, 2, 3, 4, 5]),
        [&[0, 2, 1, 200][..], &[1; 16], &[0]].concat(),
    ] {
        let (found, attribute) = reach(0x80, &bad);
        assert_eq!(found, Reset(9, attribute), "{bad:?}");
    }
}

#[test]
fn section_5_3_multiprotocol_flags_and_mp_unreach() {
    for flags in [0xc0, 0x40, 0x00] {
        let reach = [&[flags], &MP_REACH[1..]].concat();
        let attributes = [&reach, ORIGIN, AS_PATH].concat();
        let found = outcome(&body(&[], &attributes, &[]), context(EBGP));
        assert_eq!(found, Withdraw(Problem::Flags));
    }
    for (flags, value, subcode) in [
        (0x80, &[][..], 9),
        (0x80, &[0, 2], 9),
        (0x80, &[0, 2, 1, 129], 9),
        (0x80, &[0, 2, 1, 8], 9),
        (0xc0, &[0, 2, 1], 4),
    ] {
        let unreach = attribute(flags, 15, value);
        let found = outcome(&body(&[], &unreach, &[]), context(EBGP));
        assert_eq!(found, Reset(subcode, unreach));
    }
}

#[test]
fn section_7_1_origin() {
    check(&[
        (0x40, 1, &[0], EBGP, Good),
        (0x40, 1, &[1], EBGP, Good),
        (0x40, 1, &[2], IBGP, Good),
        (0x40, 1, &[3], EBGP, Withdraw(Problem::Value)),
        (0x40, 1, &[255], EBGP, Withdraw(Problem::Value)),
        (0x40, 1, &[], EBGP, Withdraw(Problem::Length)),
        (0x40, 1, &[0, 0], EBGP, Withdraw(Problem::Length)),
    ]);
}

#[test]
#[rustfmt::skip]
fn section_7_2_as_path() {
    check(&[
        (0x40, 2, &[], EBGP, Good),
        (0x40, 2, &[2, 1, 0, 0, 0, 1], EBGP, Good),
        (0x40, 2, &[1, 1, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 0, 0, 0, 2], EBGP, Good),
        // Unrecognized segment types.
        (0x40, 2, &[0, 1, 0, 0, 0, 1], EBGP, Withdraw(Problem::Value)),
        (0x40, 2, &[5, 1, 0, 0, 0, 1], EBGP, Withdraw(Problem::Value)),
        // Overrun, underrun, a segment without AS numbers.
        (0x40, 2, &[2, 2, 0, 0, 0, 1], EBGP, Withdraw(Problem::Length)),
        (0x40, 2, &[2, 1, 0, 0, 1], EBGP, Withdraw(Problem::Length)),
        (0x40, 2, &[2, 255], EBGP, Withdraw(Problem::Length)),
        (0x40, 2, &[2, 1, 0, 0, 0, 1, 2], EBGP, Withdraw(Problem::Length)),
        (0x40, 2, &[2], EBGP, Withdraw(Problem::Length)),
        (0x40, 2, &[2, 0], EBGP, Withdraw(Problem::Length)),
        // RFC 5065: confederations, from within our AS only.
        (0x40, 2, &[3, 1, 0, 0, 0, 1], EBGP, Withdraw(Problem::Value)),
        (0x40, 2, &[4, 1, 0, 0, 0, 1], EBGP, Withdraw(Problem::Value)),
        (0x40, 2, &[3, 1, 0, 0, 0, 1, 4, 1, 0, 0, 0, 1], IBGP, Good),
        // RFC 7607.
        (0x40, 2, &[2, 1, 0, 0, 0, 0], EBGP, Withdraw(Problem::Value)),
        (0x40, 2, &[2, 2, 0, 0, 0, 1, 0, 0, 0, 0], IBGP, Withdraw(Problem::Value)),
    ]);
}

#[test]
fn section_7_3_next_hop() {
    let bad: &[&[u8]] = &[&[], &[1, 2, 3], &[1, 2, 3, 4, 5], &[1; 16]];
    for value in bad {
        check(&[(0x40, 3, value, EBGP, Withdraw(Problem::Length))]);
    }
    for value in [
        [0; 4],
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [224, 0, 0, 5],
        [240, 0, 0, 1],
        [255; 4],
    ] {
        check(&[(0x40, 3, &value, EBGP, Withdraw(Problem::Value))]);
    }
    for value in [
        [1, 1, 1, 1],
        [10, 0, 0, 255],
        [169, 254, 0, 1],
        [223, 255, 255, 254],
    ] {
        check(&[(0x40, 3, &value, EBGP, Good)]);
    }
    // RFC 4760 section 3: ignored if the NLRI field is empty.
    let attributes = [MP_REACH, ORIGIN, AS_PATH, &[0x40, 3, 1, 0]].concat();
    assert_eq!(outcome(&body(&[], &attributes, &[]), context(EBGP)), Good);
}

#[test]
#[rustfmt::skip]
fn sections_7_4_to_7_7() {
    check(&[
        // MULTI_EXIT_DISC
        (0x80, 4, &[0; 4], EBGP, Good),
        (0x80, 4, &[0; 3], EBGP, Withdraw(Problem::Length)),
        (0x80, 4, &[], IBGP, Withdraw(Problem::Length)),
        // LOCAL_PREF, discarded from external peers whatever it is like
        (0x40, 5, &[0; 4], IBGP, Good),
        (0x40, 5, &[0; 5], IBGP, Withdraw(Problem::Length)),
        (0x40, 5, &[0; 4], EBGP, Discard(Problem::Unexpected)),
        (0xc0, 5, &[0; 3], EBGP, Discard(Problem::Unexpected)),
        // ATOMIC_AGGREGATE
        (0x40, 6, &[], EBGP, Good),
        (0x40, 6, &[0], EBGP, Discard(Problem::Length)),
        // AGGREGATOR, AS 0 by RFC 7607
        (0xc0, 7, &[0, 0, 0, 1, 192, 0, 2, 1], EBGP, Good),
        (0xc0, 7, &[0, 1, 192, 0, 2, 1], EBGP, Discard(Problem::Length)),
        (0xc0, 7, &[], EBGP, Discard(Problem::Length)),
        (0xc0, 7, &[0, 0, 0, 1, 192, 0, 2, 1, 0], EBGP, Discard(Problem::Length)),
        (0xc0, 7, &[0, 0, 0, 0, 192, 0, 2, 1], EBGP, Discard(Problem::Value)),
    ]);
}

#[test]
#[rustfmt::skip]
fn sections_7_8_to_7_10_and_7_14_to_7_15() {
    // Lists: type code, octets of an element, peers of which it is expected.
    for (flags, code, element, peer_type) in [
        (0xc0, 8, 4, EBGP),
        (0x80, 10, 4, IBGP),
        (0xc0, 16, 8, EBGP),
        (0xc0, 25, 20, EBGP),
        (0xc0, 32, 12, EBGP),
    ] {
        check(&[
            (flags, code, &vec![1; element], peer_type, Good),
            (flags, code, &vec![1; element * 3], peer_type, Good),
            (flags, code, &[], peer_type, Withdraw(Problem::Length)),
            (flags, code, &vec![1; element - 1], peer_type, Withdraw(Problem::Length)),
            (flags, code, &vec![1; element + 1], peer_type, Withdraw(Problem::Length)),
        ]);
    }
    check(&[
        (0x80, 9, &[1; 4], IBGP, Good),
        (0x80, 9, &[1; 5], IBGP, Withdraw(Problem::Length)),
        (0x80, 9, &[1; 4], EBGP, Discard(Problem::Unexpected)),
        (0x80, 9, &[], EBGP, Discard(Problem::Unexpected)),
        (0x80, 10, &[1; 4], EBGP, Discard(Problem::Unexpected)),
        (0x80, 10, &[], EBGP, Discard(Problem::Unexpected)),
    ]);
}

/// RFC 6793 section 6.
#[test]
#[rustfmt::skip]
fn two_octet_as_numbers() {
    let context = DecodeContext {
        four_octet_as: false,
        ..context(EBGP)
    };
    let rows: &[(u8, u8, &[u8], Outcome)] = &[
        (0x40, 2, &[2, 1, 0xfc, 0x00], Good),
        (0x40, 2, &[2, 1, 0, 0], Withdraw(Problem::Value)),
        (0x40, 2, &[2, 1, 0xfc], Withdraw(Problem::Length)),
        (0xc0, 7, &[0, 1, 192, 0, 2, 1], Good),
        (0xc0, 7, &[0, 0, 192, 0, 2, 1], Discard(Problem::Value)),
        (0xc0, 7, &[0, 0, 0, 1, 192, 0, 2, 1], Discard(Problem::Length)),
        // AS4_PATH
        (0xc0, 17, &[2, 1, 0, 1, 0, 0], Good),
        (0xc0, 17, &[2, 1, 0, 1, 0, 0, 3, 1, 0, 1, 0, 1], Good),
        (0xc0, 17, &[], Discard(Problem::Length)),
        (0xc0, 17, &[2, 1, 0, 1], Discard(Problem::Length)),
        (0xc0, 17, &[2, 2, 0, 1, 0, 0], Discard(Problem::Length)),
        (0xc0, 17, &[2, 0, 0, 1, 0, 0], Discard(Problem::Length)),
        (0xc0, 17, &[9, 1, 0, 1, 0, 0], Discard(Problem::Value)),
        (0xc0, 17, &[2, 1, 0, 0, 0, 0], Discard(Problem::Value)),
        // AS4_AGGREGATOR
        (0xc0, 18, &[0, 1, 0, 0, 192, 0, 2, 1], Good),
        (0xc0, 18, &[0, 1, 192, 0, 2, 1], Discard(Problem::Length)),
        (0xc0, 18, &[0, 0, 0, 0, 192, 0, 2, 1], Discard(Problem::Value)),
    ];
    for (flags, code, value, expected) in rows {
        let attribute = attribute(*flags, *code, value);
        // The AS_PATH of the others has two octets, too.
        let path = [0x40, 2, 4, 2, 1, 0xfc, 0x00];
        let attributes = if *code == 2 {
            [ORIGIN, NEXT_HOP, &attribute].concat()
        } else {
            [ORIGIN, NEXT_HOP, &path, &attribute].concat()
        };
        let found = outcome(&body(&[], &attributes, NLRI), context);
        assert_eq!(found, *expected, "{attribute:?}");
    }
    // "MUST NOT be carried in an UPDATE message between NEW BGP speakers", and is discarded then.
    check(&[
        (0xc0, 17, &[2, 1, 0, 1, 0, 0], EBGP, Discard(Problem::Unexpected)),
        (0xc0, 18, &[], EBGP, Discard(Problem::Unexpected)),
    ]);
}

#[test]
fn unrecognized_attributes() {
    check(&[
        // Optional ones are passed over, whatever is in them.
        (0xc0, 23, &[0xff; 3], EBGP, Good),
        (0xc0, 40, &[1, 0, 200], EBGP, Good),
        (0xc0, 35, &[0; 4], EBGP, Good),
        (0xe0, 255, &[], EBGP, Good),
        (0x80, 129, &[1], EBGP, Good),
        (0x80, 0, &[], EBGP, Good),
        // RFC 4271 section 6.3, with the attribute as data.
        (0x40, 99, &[7], EBGP, Reset(2, vec![0x40, 99, 1, 7])),
        (0x00, 0, &[], EBGP, Reset(2, vec![0, 0, 0])),
    ]);
}

#[test]
fn families_that_were_not_negotiated_are_ignored() {
    let only = |family| DecodeContext {
        families: FamilySet::from_iter([family]),
        ..context(EBGP)
    };
    let ignored = Discard(Problem::Family);
    for attribute in [MP_REACH, MP_UNREACH, &[0xc0, 14, 5, 0, 2, 1, 9, 9]] {
        let found = outcome(&body(&[], attribute, &[]), only(Family::V4));
        assert_eq!(found, ignored, "{attribute:?}");
    }
    // EVPN is never negotiated; its broken content is not looked at.
    let evpn = attribute(0x80, 14, &[0, 25, 70, 4, 1, 2]);
    assert_eq!(outcome(&body(&[], &evpn, &[]), context(EBGP)), ignored);
    // An error beside it needs no reset: the message does announce something.
    let attributes = [&evpn[..], &[0x40, 1, 1, 7]].concat();
    let update = received(&body(&[], &attributes, &[]), context(EBGP)).unwrap();
    assert_eq!(update.faults.len(), 2);

    let attributes = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let body = body(NLRI, &attributes, NLRI);
    let update = received(&body, only(Family::V6)).unwrap();
    assert_eq!((update.announced, update.withdrawn), (vec![], vec![]));
    assert_eq!(outcome(&body, only(Family::V6)), ignored);
}

#[test]
fn end_of_rib() {
    let unreach4 = [0x80, 15, 3, 0, 1, 1];
    let unreach6 = [0x80, 15, 3, 0, 2, 1];
    let extended = [0x90, 15, 0, 3, 0, 2, 1];
    let end = |withdrawn: &[u8], attributes: &[u8]| {
        received(&body(withdrawn, attributes, &[]), context(EBGP))
            .unwrap()
            .end_of_rib
    };
    assert_eq!(end(&[], &[]), Some(Family::V4));
    assert_eq!(end(&[], &unreach4), Some(Family::V4));
    assert_eq!(end(&[], &unreach6), Some(Family::V6));
    assert_eq!(end(&[], &extended), Some(Family::V6));
    assert_eq!(end(NLRI, &[]), None);
    assert_eq!(end(NLRI, &unreach6), None);
    assert_eq!(end(&[], MP_UNREACH), None);
    assert_eq!(end(&[], ORIGIN), None);
    assert_eq!(end(&[], &[&unreach6, ORIGIN].concat()), None);
    assert_eq!(end(&[], &attribute(0x80, 15, &[0, 25, 70])), None);
    let v6_only = DecodeContext {
        families: FamilySet::from_iter([Family::V6]),
        ..context(EBGP)
    };
    let update = received(&body(&[], &[], &[]), v6_only).unwrap();
    assert_eq!(update, Update::default());
}

#[test]
fn an_update_may_do_everything_at_once() {
    let attributes = [MP_UNREACH, ORIGIN, AS_PATH, NEXT_HOP, MP_REACH].concat();
    let update = received(&body(&[8, 10], &attributes, NLRI), context(IBGP)).unwrap();
    let nets = |nets: [&str; 2]| nets.map(|net| net.parse().unwrap());
    assert_eq!(update.announced, nets(["198.51.100.1/32", "2001:db8::/32"]));
    assert_eq!(update.withdrawn, nets(["10.0.0.0/8", "2001:db8::/32"]));
    assert_eq!((update.faults, update.end_of_rib), (vec![], None));
}

#[test]
fn faults_read_well() {
    let body = with(&attribute(0x40, 1, &[]));
    let update = received(&body, context(EBGP)).unwrap();
    assert_eq!(
        update.faults[0].to_string(),
        "ORIGIN of wrong length: routes treated as withdrawn"
    );
    let error = received(&with(&attribute(0x40, 99, &[])), context(EBGP)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attribute 99 is marked well-known and is not known: session reset"
    );
}
