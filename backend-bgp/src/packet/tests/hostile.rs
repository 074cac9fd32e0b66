//! Messages of the shapes that made other implementations crash, hang, or drop sessions
//! (2022–2026): FRR, BIRD, GoBGP and others stumbled over each of these in one way or another.

use super::{context, decode, message};
use crate::packet::update::Approach;
use crate::packet::*;

/// What comes of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// It is understood.
    Fine,
    /// An UPDATE in which this was the strongest action.
    Handled(Approach),
    /// It ends the session with this code and subcode.
    Reset(u8, u8),
}
use Outcome::{Fine, Handled, Reset};

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;

/// ORIGIN, AS_PATH and NEXT_HOP.
const GOOD: &[u8] = &[
    0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x00, 0x40, 3, 4, 192, 0, 2, 1,
];

#[track_caller]
fn check(name: &str, code: u8, body: &[u8], expected: Outcome) {
    let found = match decode(&message(code, body), context(PeerType::External)) {
        Err(error) => {
            let notification = error.notification();
            Reset(notification.code, notification.subcode)
        }
        Ok(Message::Update(update)) => update
            .faults
            .iter()
            .map(|fault| fault.approach)
            .max()
            .map_or(Fine, Handled),
        Ok(Message::Notification(notification)) => {
            assert!(!notification.to_string().chars().any(char::is_control));
            Fine
        }
        Ok(_) => Fine,
    };
    assert_eq!(found, expected, "{name}");
}

fn open(parameters: &[u8]) -> Vec<u8> {
    [&[4, 0xfc, 0x01, 0, 90, 192, 0, 2, 1][..], parameters].concat()
}

/// An UPDATE with these attributes that announces 198.51.100.1/32.
fn update(attributes: &[&[u8]]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&[0, 0], &length, &attributes[..], &[32, 198, 51, 100, 1]].concat()
}

#[test]
#[rustfmt::skip]
fn opens() {
    let cases: &[(&str, &[u8], Outcome)] = &[
        ("ends with a parameter type", &[1, 2], Reset(2, 0)),
        ("ends with a parameter length", &[2, 2, 200], Reset(2, 0)),
        ("ends with the extended marker", &[255, 255], Reset(2, 0)),
        ("ends with half an extended length", &[255, 255, 1], Reset(2, 0)),
        ("ends with an extended parameter's type", &[255, 255, 0, 1, 2], Reset(2, 0)),
        ("extended parameter cut in its length", &[255, 255, 0, 2, 2, 0], Reset(2, 0)),
        ("extended length of 65535", &[255, 255, 255, 255, 2, 0, 0], Reset(2, 0)),
        ("extended marker with length 0", &[0, 255, 0, 0], Reset(2, 0)),
        ("length 255 of which nothing is there", &[255], Reset(2, 0)),
        ("capability length 255", &[4, 2, 2, 1, 255], Reset(2, 0)),
        ("capability list of one octet", &[3, 2, 1, 73], Reset(2, 0)),
        ("software version longer than said", &[6, 2, 4, 75, 2, 200, b'x'], Fine),
        ("software version longer than there", &[6, 2, 4, 75, 3, 200, b'x'], Reset(2, 0)),
        ("empty host name", &[4, 2, 2, 73, 0], Fine),
        ("host name with a length beyond it", &[6, 2, 4, 73, 2, 99, 99], Fine),
        ("graceful restart of one octet", &[5, 2, 3, 64, 1, 0], Fine),
        ("role of no octets", &[4, 2, 2, 9, 0], Fine),
        ("add-path of 3 octets", &[7, 2, 5, 69, 3, 0, 1, 1], Fine),
        ("long-lived graceful restart cut short", &[6, 2, 4, 71, 2, 0, 1], Fine),
    ];
    for (name, parameters, expected) in cases {
        check(name, OPEN, &open(parameters), *expected);
    }
    let thousand = [2, 2, 2, 0].repeat(1000);
    let extended = [&[255, 255, 15, 160][..], &[2, 0, 1, 0].repeat(1000)].concat();
    check(
        "a length that wraps",
        OPEN,
        &open(&[&[160][..], &thousand].concat()),
        Reset(2, 0),
    );
    check(
        "a thousand cut capabilities",
        OPEN,
        &open(&extended),
        Reset(2, 0),
    );
}

#[test]
#[rustfmt::skip]
fn attributes() {
    let withdraw = Handled(Approach::TreatAsWithdraw);
    let discard = Handled(Approach::AttributeDiscard);
    let cases: &[(&str, &[&[u8]], Outcome)] = &[
        ("tunnel encapsulation, corrupt", &[GOOD, &[0xc0, 23, 4, 0, 1, 0, 200]], Fine),
        ("tunnel encapsulation, empty", &[GOOD, &[0xc0, 23, 0]], Fine),
        ("prefix SID with a TLV beyond it", &[GOOD, &[0xc0, 40, 3, 1, 0, 255]], Fine),
        ("prefix SID of one octet", &[GOOD, &[0xc0, 40, 1, 1]], Fine),
        ("next hop capabilities, cut TLV", &[GOOD, &[0xc0, 39, 2, 0, 3]], Fine),
        ("only to customer of 3 octets", &[GOOD, &[0xc0, 35, 3, 0, 0, 1]], Fine),
        ("attribute set in itself", &[GOOD, &[0xc0, 128, 4, 0, 0, 0, 1]], Fine),
        ("BGP-LS of no octets", &[GOOD, &[0x80, 29, 0]], Fine),
        ("AS_PATH of odd length", &[&[0x40, 2, 5, 2, 1, 0, 0, 1]], withdraw),
        ("AS_PATH of 255 of which one is there", &[&[0x40, 2, 6, 2, 255, 0, 0, 0, 1]], withdraw),
        ("ORIGIN with all flags", &[&[0xf0, 1, 0, 1, 0], &GOOD[4..]], withdraw),
        ("ORIGIN without flags", &[&[0, 1, 1, 0], &GOOD[4..]], withdraw),
        ("NEXT_HOP of 3 octets", &[&GOOD[..13], &[0x40, 3, 3, 192, 0, 2]], withdraw),
        ("NEXT_HOP of 16 octets", &[&GOOD[..13], &[0x40, 3, 16], &[1; 16]], withdraw),
        ("NEXT_HOP 0.0.0.0", &[&GOOD[..13], &[0x40, 3, 4, 0, 0, 0, 0]], withdraw),
        ("AGGREGATOR of 1 octet", &[GOOD, &[0xc0, 7, 1, 0]], discard),
        ("AS4_PATH from a new speaker", &[GOOD, &[0xc0, 17, 6, 2, 1, 0, 0, 0, 0]], discard),
        ("CLUSTER_LIST of 3 octets", &[GOOD, &[0x80, 10, 3, 1, 1, 1]], discard),
        ("COMMUNITIES of 5 octets", &[GOOD, &[0xc0, 8, 5, 0, 0, 0, 0, 0]], withdraw),
        ("no attributes but NLRI", &[], withdraw),
        ("only an unknown attribute and NLRI", &[&[0xc0, 200, 1, 0]], withdraw),
        ("attribute length beyond the list", &[GOOD, &[0xc0, 8, 200, 1]], withdraw),
        ("extended length beyond the message", &[GOOD, &[0xd0, 8, 0xff, 0xff]], withdraw),
        ("a lone attribute flag", &[GOOD, &[0xc0]], withdraw),
        ("flow specification, cut", &[GOOD, &[0x80, 14, 6, 0, 1, 133, 0, 0, 0xf0]], discard),
        ("EVPN of unknown route type", &[GOOD, &[0x80, 15, 5, 0, 25, 70, 200, 255]], discard),
        ("MP_REACH of 4 octets", &[GOOD, &[0x80, 14, 4, 0, 2, 1, 0]], Reset(3, 9)),
        ("MP_REACH next hop beyond it", &[GOOD, &[0x80, 14, 6, 0, 2, 1, 255, 0, 0]], Reset(3, 9)),
        ("MP_REACH next hop of 0 octets", &[GOOD, &[0x80, 14, 5, 0, 2, 1, 0, 0]], Reset(3, 9)),
        ("MP_UNREACH of 0 octets", &[GOOD, &[0x80, 15, 0]], Reset(3, 9)),
        ("MP_UNREACH with /255", &[GOOD, &[0x80, 15, 4, 0, 2, 1, 255]], Reset(3, 9)),
    ];
    for (name, attributes, expected) in cases {
        check(name, UPDATE, &update(attributes), *expected);
    }
}

#[test]
fn updates() {
    let end_of_rib_with_garbage = [0, 0, 0, 7, 0x80, 15, 3, 0, 2, 1, 0x40];
    check(
        "End-of-RIB and one octet",
        UPDATE,
        &end_of_rib_with_garbage,
        Reset(3, 1),
    );
    check(
        "withdrawn length 65535",
        UPDATE,
        &[255, 255, 0, 0],
        Reset(3, 1),
    );
    check(
        "attribute length 65535",
        UPDATE,
        &[0, 0, 255, 255],
        Reset(3, 1),
    );
    check("no attribute length", UPDATE, &[0, 2, 0, 0], Reset(3, 1));
    let withdrawn = [0, 1, 255, 0, 0];
    check(
        "withdrawn prefix of 255 bits",
        UPDATE,
        &withdrawn,
        Reset(3, 10),
    );
    // As many default routes, and as many attributes, as a message holds.
    let body = [&[0x0f, 0xe9][..], &[0; 0x0fe9], &[0, 0]].concat();
    check("4073 default routes", UPDATE, &body, Fine);
    let many = [0xc0, 200, 0].repeat(1000);
    let expected = Handled(Approach::AttributeDiscard);
    check(
        "a thousand attributes",
        UPDATE,
        &update(&[GOOD, &many]),
        expected,
    );
}

#[test]
fn notifications() {
    let cases: &[(&str, &[u8])] = &[
        ("codes only", &[6, 2]),
        ("text of which nothing is there", &[6, 2, 255]),
        ("text cut short", &[6, 2, 10, b'a', b'b']),
        ("text that is no UTF-8", &[6, 4, 3, 0xed, 0xa0, 0x80]),
        ("text of control characters", &[6, 2, 3, 0x1b, 0x9b, 0x07]),
        ("unknown code", &[250, 251, 252]),
        ("hard reset with nothing in it", &[6, 9]),
        ("hard reset in a hard reset", &[6, 9, 6, 9, 6, 9]),
        ("attribute error without attribute", &[3, 5]),
        ("maximum prefixes, cut", &[6, 1, 0, 1]),
    ];
    for (name, body) in cases {
        check(name, NOTIFICATION, body, Fine);
    }
}
