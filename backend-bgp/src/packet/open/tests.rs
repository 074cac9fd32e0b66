use carillon_core::address::Family;

use super::*;
use crate::packet::tests::{decode, message};
use crate::packet::{DecodeContext, FamilySet, Message, Notification, Reason};

fn received(body: &[u8]) -> Result<Open, MessageError> {
    match decode(&message(1, body), DecodeContext::default())? {
        Message::Open(open) => Ok(open),
        other => panic!("{other:?}"),
    }
}

/// The body of an OPEN of AS 64513, hold time 90, with these optional parameters.
fn body(parameters: &[u8]) -> Vec<u8> {
    let length = u8::try_from(parameters.len()).unwrap();
    let fixed = [4, 0xfc, 0x01, 0, 90, 192, 0, 2, 1, length];
    [&fixed, parameters].concat()
}

fn ours() -> Open {
    Open {
        asn: 4_200_000_000,
        hold_time: 90,
        router_id: Ipv4Addr::new(192, 0, 2, 7),
        capabilities: Capabilities {
            multiprotocol: Some(FamilySet::from_iter([Family::V4, Family::V6])),
            four_octet_as: true,
            route_refresh: true,
        },
    }
}

#[test]
fn encoding() {
    let mut out = Vec::new();
    ours().encode(&mut out);
    let body = [
        &[4, 0x5b, 0xa0, 0, 90, 192, 0, 2, 7, 22][..], // AS_TRANS
        &[2, 20],                                      // capabilities
        &[1, 4, 0, 1, 0, 1],                           // IPv4 unicast
        &[1, 4, 0, 2, 0, 1],                           // IPv6 unicast
        &[2, 0],                                       // route refresh
        &[65, 4, 0xfa, 0x56, 0xea, 0x00],              // 4-octet AS number
    ]
    .concat();
    assert_eq!(out, message(1, &body));
}

#[test]
fn without_parameters_a_peer_speaks_ipv4_only() {
    let open = received(&body(&[])).unwrap();
    assert_eq!(open.asn, 64513);
    assert_eq!(open.hold_time, 90);
    assert_eq!(open.router_id, Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(open.capabilities, Capabilities::default());
    assert!(open.capabilities.families().contains(Family::V4));
    assert!(!open.capabilities.families().contains(Family::V6));
}

#[test]
fn capabilities_come_in_any_number_of_parameters_and_unknown_ones_are_passed_over() {
    let spread = [
        &[2, 6, 1, 4, 0, 2, 0, 1][..],          // IPv6 unicast
        &[2, 0],                                // no capability
        &[2, 2, 70, 0],                         // enhanced route refresh
        &[2, 6, 1, 4, 0, 25, 0, 70],            // EVPN
        &[2, 8, 64, 6, 0, 120, 0, 1, 1, 0],     // graceful restart
        &[2, 10, 1, 4, 0, 2, 0, 1, 2, 0, 2, 0], // IPv6 unicast again, route refresh twice
        &[2, 6, 65, 4, 0, 1, 0, 0],             // AS 65536
    ]
    .concat();
    let open = received(&body(&spread)).unwrap();
    assert_eq!(open.asn, 65536, "the capability has the last word");
    let expected = Capabilities {
        multiprotocol: Some(FamilySet::from_iter([Family::V6])),
        four_octet_as: true,
        route_refresh: true,
    };
    assert_eq!(open.capabilities, expected);
}

#[test]
fn a_peer_with_other_families_only_does_not_speak_ipv4() {
    let open = received(&body(&[2, 6, 1, 4, 0, 25, 0, 70])).unwrap();
    assert!(open.capabilities.families().is_empty());
}

/// RFC 9072: the extended form is to be understood whatever the length, and whatever the one-octet
/// length says, if it is not 0.
#[test]
fn extended_optional_parameters() {
    let fixed = &body(&[])[..9];
    // One parameter of 259 octets: an unknown capability of 255, and route refresh.
    let large = [&[2, 1, 3][..], &[66, 255], &[0; 255], &[2, 0]].concat();
    for (length, parameters, refresh) in [
        (255, vec![], false),
        (255, vec![2, 0, 2, 2, 0], true),
        (7, vec![2, 0, 2, 2, 0], true),
        (255, large, true),
    ] {
        let extended = u16::try_from(parameters.len()).unwrap().to_be_bytes();
        let body = [fixed, &[length, 255], &extended, &parameters].concat();
        let open = received(&body).unwrap_or_else(|error| panic!("{body:?}: {error}"));
        assert_eq!(open.capabilities.route_refresh, refresh);
    }
}

/// RFC 4271 section 6.2, RFC 7607, RFC 6793, RFC 6286: each with its code, and without data unless
/// some is demanded.
#[test]
#[rustfmt::skip]
fn errors() {
    let cases: &[(&str, Vec<u8>, Reason, &[u8])] = &[
        ("version 3", edited(0, &[3]), Reason::UnsupportedVersion, &[0, 4]),
        ("version 5", edited(0, &[5]), Reason::UnsupportedVersion, &[0, 4]),
        ("AS 0", edited(1, &[0, 0]), Reason::BadPeerAs, &[]),
        ("AS_TRANS", edited(1, &[0x5b, 0xa0]), Reason::BadPeerAs, &[]),
        ("hold time 1", edited(3, &[0, 1]), Reason::UnacceptableHoldTime, &[]),
        ("hold time 2", edited(3, &[0, 2]), Reason::UnacceptableHoldTime, &[]),
        ("identifier 0", edited(5, &[0; 4]), Reason::BadBgpIdentifier, &[]),
        ("AS 0 in the capability", body(&[2, 6, 65, 4, 0, 0, 0, 0]), Reason::BadPeerAs, &[]),
        (
            "AS_TRANS in the capability",
            body(&[2, 6, 65, 4, 0, 0, 0x5b, 0xa0]),
            Reason::BadPeerAs,
            &[],
        ),
        ("authentication", body(&[1, 1, 0]), Reason::UnsupportedOptionalParameter, &[]),
        ("unknown parameter", body(&[2, 0, 77, 0]), Reason::UnsupportedOptionalParameter, &[]),
    ];
    for (name, body, reason, data) in cases {
        let error = received(body).expect_err(name);
        let expected = Notification::with_data(*reason, data.to_vec());
        assert_eq!(error.notification(), expected, "{name}");
    }
    for hold_time in [0, 3, u16::MAX] {
        let open = received(&edited(3, &hold_time.to_be_bytes())).unwrap();
        assert_eq!(open.hold_time, hold_time);
    }
}

/// An OPEN without parameters, some of its octets replaced.
fn edited(at: usize, octets: &[u8]) -> Vec<u8> {
    let mut body = body(&[]);
    body[at..at + octets.len()].copy_from_slice(octets);
    body
}

/// "If one of the Optional Parameters in the OPEN message is recognized, but is malformed, then the
/// Error Subcode MUST be set to 0 (Unspecific)" (RFC 4271 section 6.2).
#[test]
#[rustfmt::skip]
fn malformed_parameters() {
    let fixed = &body(&[])[..9];
    let cases: &[(&str, &[u8])] = &[
        ("nothing where a parameter should be", &[4]),
        ("octets behind the parameters", &[0, 2, 0]),
        ("type without length", &[1, 2]),
        ("value cut short", &[3, 2, 2, 1]),
        ("length of all greater than what is there", &[9, 2, 2, 2, 0]),
        ("length of all smaller than what is there", &[3, 2, 2, 2, 0]),
        ("capability without length", &[3, 2, 1, 1]),
        ("capability longer than its parameter", &[6, 2, 4, 1, 4, 0, 1]),
        ("multiprotocol of 3 octets", &[7, 2, 5, 1, 3, 0, 1, 0]),
        ("multiprotocol of 5 octets", &[9, 2, 7, 1, 5, 0, 1, 0, 1, 0]),
        ("multiprotocol without value", &[4, 2, 2, 1, 0]),
        ("AS number of 2 octets", &[6, 2, 4, 65, 2, 0xfc, 0x01]),
        ("AS number of 5 octets", &[9, 2, 7, 65, 5, 0, 0, 0, 1, 1]),
        ("route refresh with value", &[5, 2, 3, 2, 1, 0]),
        ("extended form without length", &[255, 255]),
        ("extended form with half a length", &[255, 255, 0]),
        ("extended length too great", &[255, 255, 0, 9, 2, 0, 2, 2, 0]),
        ("extended length too small", &[255, 255, 0, 4, 2, 0, 2, 2, 0]),
        ("extended parameter cut short", &[255, 255, 0, 3, 2, 0, 2]),
        ("extended parameter without length", &[255, 255, 0, 2, 2, 0]),
    ];
    for (name, parameters) in cases {
        let error = received(&[fixed, parameters].concat()).expect_err(name);
        let expected = Notification::new(Reason::OpenUnspecific);
        assert_eq!(error.notification(), expected, "{name}");
    }
}

#[test]
fn a_peer_must_be_the_one_that_is_configured() {
    let ours = ours();
    let peer = |asn, last, families: &[Family]| Open {
        asn,
        router_id: Ipv4Addr::new(192, 0, 2, last),
        capabilities: Capabilities {
            multiprotocol: Some(families.iter().copied().collect()),
            ..Capabilities::default()
        },
        ..ours.clone()
    };
    let both = [Family::V4, Family::V6];
    assert_eq!(peer(65000, 1, &both).judge(&ours, 65000), Ok(()));
    assert_eq!(
        peer(65001, 1, &both).judge(&ours, 65000),
        Err(MessageError::PeerAs(65001))
    );
    // RFC 6286 section 2.2: identifiers are unique within an AS only.
    assert_eq!(peer(65000, 7, &both).judge(&ours, 65000), Ok(()));
    assert_eq!(
        peer(ours.asn, 7, &both).judge(&ours, ours.asn),
        Err(MessageError::RouterId(ours.router_id))
    );
    let error = peer(65000, 1, &[]).judge(&ours, 65000).unwrap_err();
    let wanted = vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1];
    assert_eq!(
        error.notification(),
        Notification::with_data(Reason::UnsupportedCapability, wanted)
    );
}

#[test]
fn negotiation() {
    let theirs = received(&body(&[2, 6, 1, 4, 0, 2, 0, 1])).unwrap();
    let context = ours().negotiated(&theirs);
    assert_eq!(context.peer_type, PeerType::External);
    assert!(!context.four_octet_as);
    assert_eq!(context.families, FamilySet::from_iter([Family::V6]));
    let context = ours().negotiated(&ours());
    assert_eq!(context.peer_type, PeerType::Internal);
    assert!(context.four_octet_as);
}
