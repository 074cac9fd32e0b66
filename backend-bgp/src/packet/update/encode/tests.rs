use std::collections::BTreeSet;
use std::net::IpAddr;

use carillon_core::config::Community;

use super::*;
use crate::packet::attribute::LocalPref;
use crate::packet::tests::{Announcement, message, split};
use crate::packet::{Attributes, PeerType};

fn next_hop(address: &str) -> NextHop {
    match address.parse().unwrap() {
        IpAddr::V4(address) => NextHop::V4(address),
        IpAddr::V6(global) => NextHop::V6 {
            global,
            link_local: None,
        },
    }
}

fn by(address: &str) -> Announcement {
    Announcement {
        as_path: vec![64512],
        next_hop: next_hop(address),
        local_pref: None,
        communities: BTreeSet::new(),
    }
}

fn nets(nets: &[&str]) -> Vec<IpNet> {
    nets.iter().map(|net| net.parse().unwrap()).collect()
}

fn announced(announcement: &Announcement, four_octet_as: bool, prefixes: &[&str]) -> Vec<u8> {
    let writer = announcement.writer(four_octet_as).unwrap();
    let mut out = Vec::new();
    let mut prefixes = nets(prefixes).into_iter().peekable();
    writer.announce(&mut prefixes, &mut out).unwrap();
    assert_eq!(prefixes.next(), None);
    out
}

/// Host routes from 10.0.0.0 or 2001:db8:: upwards.
fn hosts(family: Family, count: u32) -> impl Iterator<Item = IpNet> {
    (0..count).map(move |n| match family {
        Family::V4 => IpNet::from(IpAddr::from((0x0a00_0000 + n).to_be_bytes())),
        Family::V6 => {
            let address = (0x2001_0db8_u128 << 96) + u128::from(n);
            IpNet::from(IpAddr::from(address.to_be_bytes()))
        }
    })
}

#[test]
fn ipv4_external() {
    let body = [
        &[0, 0, 0, 20][..],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x00],
        &[0x40, 3, 4, 192, 0, 2, 1],
        &[32, 198, 51, 100, 1],
        &[24, 203, 0, 113],
        &[0],
    ]
    .concat();
    let prefixes = ["198.51.100.1/32", "203.0.113.9/24", "0.0.0.0/0"];
    assert_eq!(
        announced(&by("192.0.2.1"), true, &prefixes),
        message(2, &body)
    );
}

#[test]
fn ipv4_internal() {
    let announcement = Announcement {
        as_path: vec![],
        local_pref: Some(100),
        communities: [Community(0xfc00_0064), Community(0xffff_ff01)].into(),
        ..by("192.0.2.1")
    };
    let body = [
        &[0, 0, 0, 32][..],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 0],
        &[0x40, 3, 4, 192, 0, 2, 1],
        &[0x40, 5, 4, 0, 0, 0, 100],
        &[0xc0, 8, 8, 0xfc, 0x00, 0x00, 0x64, 0xff, 0xff, 0xff, 0x01],
        &[8, 10],
    ]
    .concat();
    assert_eq!(
        announced(&announcement, true, &["10.0.0.0/8"]),
        message(2, &body)
    );
}

#[test]
fn ipv6_has_its_routes_in_the_first_attribute() {
    let body = [
        &[0, 0, 0, 43][..],
        &[0x90, 14, 0, 26, 0, 2, 1, 16],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 32, 0x20, 0x01, 0x0d, 0xb8],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x00],
    ]
    .concat();
    assert_eq!(
        announced(&by("2001:db8::1"), true, &["2001:db8::/32"]),
        message(2, &body)
    );
}

#[test]
fn an_old_speaker_gets_as_trans_and_as4_path() {
    let announcement = Announcement {
        as_path: vec![64512, 4_200_000_000],
        ..by("192.0.2.1")
    };
    let body = [
        &[0, 0, 0, 33][..],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 6, 2, 2, 0xfc, 0x00, 0x5b, 0xa0],
        &[0x40, 3, 4, 192, 0, 2, 1],
        &[0xc0, 17, 10, 2, 2, 0, 0, 0xfc, 0x00, 0xfa, 0x56, 0xea, 0x00],
        &[8, 10],
    ]
    .concat();
    assert_eq!(
        announced(&announcement, false, &["10.0.0.0/8"]),
        message(2, &body)
    );
    // … but no AS4_PATH where AS_PATH says it all.
    let short = Announcement {
        as_path: vec![64512],
        ..announcement
    };
    let out = announced(&short, false, &["10.0.0.0/8"]);
    assert_eq!(out.len(), HEADER_LEN + LENGTHS_LEN + 4 + 7 + 7 + 2);
}

#[test]
fn withdrawals_and_end_of_rib() {
    let withdrawn = |prefixes: &[&str]| {
        let mut out = Vec::new();
        put_withdrawal(&mut nets(prefixes).into_iter().peekable(), &mut out);
        out
    };
    assert_eq!(
        withdrawn(&["198.51.100.1/32", "10.0.0.0/8"]),
        message(2, &[0, 7, 32, 198, 51, 100, 1, 8, 10, 0, 0])
    );
    assert_eq!(
        withdrawn(&["2001:db8::/32"]),
        message(
            2,
            &[
                0, 0, 0, 12, 0x90, 15, 0, 8, 0, 2, 1, 32, 0x20, 0x01, 0x0d, 0xb8
            ]
        )
    );
    let mut out = Vec::new();
    put_end_of_rib(Family::V4, &mut out);
    put_end_of_rib(Family::V6, &mut out);
    let v4 = message(2, &[0, 0, 0, 0]);
    let v6 = message(2, &[0, 0, 0, 7, 0x90, 15, 0, 3, 0, 2, 1]);
    assert_eq!(out, [v4, v6].concat());
}

#[test]
fn nothing_to_say_is_no_message() {
    let writer = by("192.0.2.1").writer(true).unwrap();
    let mut out = Vec::new();
    assert_eq!(
        writer.announce(&mut std::iter::empty().peekable(), &mut out),
        Ok(0)
    );
    assert_eq!(
        put_withdrawal(&mut std::iter::empty().peekable(), &mut out),
        0
    );
    assert_eq!(out, []);
}

/// As many prefixes in each message as 4096 octets can hold.
#[test]
fn messages_are_filled() {
    for (family, next_hop, announced, withdrawn) in [
        (Family::V4, "192.0.2.1", 810, 814),
        (Family::V6, "2001:db8::1", 237, 239),
    ] {
        let writer = by(next_hop).writer(true).unwrap();
        let mut out = Vec::new();
        let mut prefixes = hosts(family, 100_000).peekable();
        assert_eq!(writer.announce(&mut prefixes, &mut out), Ok(announced));
        while writer.announce(&mut prefixes, &mut out).unwrap() > 0 {}
        assert_eq!(split(&out).len(), 100_000_usize.div_ceil(announced));

        let mut out = Vec::new();
        let mut prefixes = hosts(family, 100_000).peekable();
        assert_eq!(put_withdrawal(&mut prefixes, &mut out), withdrawn);
        while put_withdrawal(&mut prefixes, &mut out) > 0 {}
        assert_eq!(split(&out).len(), 100_000_usize.div_ceil(withdrawn));
    }
}

#[test]
fn a_withdrawal_holds_one_family() {
    let prefixes = nets(&["10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32", "12.0.0.0/8"]);
    let mut prefixes = prefixes.into_iter().peekable();
    let mut out = Vec::new();
    let counts = [(); 4].map(|()| put_withdrawal(&mut prefixes, &mut out));
    assert_eq!(counts, [2, 1, 1, 0]);
    assert_eq!(split(&out).len(), 3);
}

#[test]
fn ipv6_over_a_shared_link_has_two_next_hops() {
    let body = [
        &[0, 0, 0, 59][..],
        &[0x90, 14, 0, 42, 0, 2, 1, 32],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[0, 32, 0x20, 0x01, 0x0d, 0xb8],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x00],
    ]
    .concat();
    let announcement = Announcement {
        next_hop: NextHop::V6 {
            global: "2001:db8::1".parse().unwrap(),
            link_local: Some("fe80::2".parse().unwrap()),
        },
        ..by("2001:db8::1")
    };
    assert_eq!(
        announced(&announcement, true, &["2001:db8::/32"]),
        message(2, &body)
    );
}

#[test]
fn the_next_hop_is_of_the_family_of_the_routes() {
    for (family, address) in [(Family::V4, "2001:db8::1"), (Family::V6, "192.0.2.1")] {
        let next_hop = next_hop(address);
        let attributes = Attributes::default();
        let attributes = attributes.for_peer(PeerType::External);
        let error = UpdateWriter::new(family, next_hop, &[64512], attributes, true).unwrap_err();
        assert_eq!(error, EncodeError::NextHop { family, next_hop });
    }
    let writer = by("192.0.2.1").writer(true).unwrap();
    let prefixes = nets(&["10.0.0.0/8", "2001:db8::/32"]);
    let mut left = prefixes.iter().copied().peekable();
    let mut out = Vec::new();
    assert_eq!(writer.announce(&mut left, &mut out), Ok(1));
    let length = out.len();
    let error = EncodeError::Family {
        prefix: prefixes[1],
        family: Family::V4,
    };
    assert_eq!(writer.announce(&mut left, &mut out), Err(error));
    assert_eq!(out.len(), length);
    assert_eq!(left.next(), Some(prefixes[1]));
}

/// "A BGP speaker MUST NOT include this attribute in UPDATE messages it sends to external peers"
/// (RFC 4271 section 5.1.5).
#[test]
fn local_preference_stays_within_the_as() {
    let attributes = Attributes::default().with(Some(LocalPref(100)));
    let written = |peer_type| {
        let attributes = attributes.for_peer(peer_type);
        let writer = UpdateWriter::new(Family::V4, next_hop("192.0.2.1"), &[], attributes, true);
        writer.unwrap().attributes
    };
    let local_pref = [0x40, 5, 4, 0, 0, 0, 100];
    assert!(written(PeerType::Internal).ends_with(&local_pref));
    assert_eq!(
        written(PeerType::External).len() + local_pref.len(),
        written(PeerType::Internal).len()
    );
}

#[test]
fn attributes_that_leave_no_room_are_refused() {
    for (family, next_hop) in [(Family::V4, "192.0.2.1"), (Family::V6, "2001:db8::1")] {
        let with = |count: u32| Announcement {
            communities: (0..count).map(Community).collect(),
            ..by(next_hop)
        };
        // The extended length is used where it must be.
        for count in [63, 64] {
            let size = |count| with(count).writer(true).unwrap().attributes.len();
            let header = if count < 64 { 3 } else { 4 };
            let expected = size(0) + header + 4 * usize::try_from(count).unwrap();
            assert_eq!(size(count), expected);
        }
        let most = (0..2000)
            .rev()
            .find(|count| with(*count).writer(true).is_ok())
            .unwrap();
        let writer = with(most).writer(true).unwrap();
        let mut out = Vec::new();
        let mut prefixes = hosts(family, 3).peekable();
        while writer.announce(&mut prefixes, &mut out).unwrap() > 0 {}
        for octets in split(&out) {
            assert!(octets.len() > MAX_LEN - prefix::longest(family) - 4);
        }
        let error = with(most + 1).writer(true).unwrap_err();
        assert!(matches!(error, EncodeError::TooLarge { .. }), "{error}");
    }
}

/// What the configuration allows, with as much else as there can be.
#[test]
fn the_most_communities_of_a_pool_fit() {
    let most = u32::try_from(carillon_core::config::pool::MAX_COMMUNITIES).unwrap();
    for (next_hop, prefix) in [
        ("192.0.2.1", "198.51.100.1/32"),
        ("2001:db8::1", "2001:db8::1/128"),
    ] {
        for (as_path, local_pref) in [(vec![], Some(100)), (vec![70_000], None)] {
            let announcement = Announcement {
                as_path,
                local_pref,
                communities: (0..most).map(Community).collect(),
                ..by(next_hop)
            };
            for four_octet_as in [true, false] {
                assert!(announced(&announcement, four_octet_as, &[prefix]).len() <= MAX_LEN);
            }
        }
    }
}
