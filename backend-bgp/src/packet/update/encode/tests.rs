use super::*;
use crate::packet::tests::{message, split};

fn attributes(next_hop: &str) -> PathAttributes {
    PathAttributes {
        as_path: vec![64512],
        next_hop: next_hop.parse().unwrap(),
        local_pref: None,
        communities: BTreeSet::new(),
    }
}

fn nets(nets: &[&str]) -> Vec<IpNet> {
    nets.iter().map(|net| net.parse().unwrap()).collect()
}

fn announced(attributes: &PathAttributes, four_octet_as: bool, prefixes: &[&str]) -> Vec<u8> {
    let writer = UpdateWriter::new(attributes, four_octet_as).unwrap();
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
        announced(&attributes("192.0.2.1"), true, &prefixes),
        message(2, &body)
    );
}

#[test]
fn ipv4_internal() {
    let attributes = PathAttributes {
        as_path: vec![],
        local_pref: Some(100),
        communities: [Community(0xfc00_0064), Community(0xffff_ff01)].into(),
        ..attributes("192.0.2.1")
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
        announced(&attributes, true, &["10.0.0.0/8"]),
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
        announced(&attributes("2001:db8::1"), true, &["2001:db8::/32"]),
        message(2, &body)
    );
}

#[test]
fn an_old_speaker_gets_as_trans_and_as4_path() {
    let attributes = PathAttributes {
        as_path: vec![64512, 4_200_000_000],
        ..attributes("192.0.2.1")
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
        announced(&attributes, false, &["10.0.0.0/8"]),
        message(2, &body)
    );
    // … but no AS4_PATH where AS_PATH says it all.
    let short = PathAttributes {
        as_path: vec![64512],
        ..attributes
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
    let writer = UpdateWriter::new(&attributes("192.0.2.1"), true).unwrap();
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
        let writer = UpdateWriter::new(&attributes(next_hop), true).unwrap();
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
fn the_next_hop_is_of_the_family_of_the_routes() {
    let next_hop = attributes("192.0.2.1").next_hop;
    let writer = UpdateWriter::new(&attributes("192.0.2.1"), true).unwrap();
    let prefixes = nets(&["10.0.0.0/8", "2001:db8::/32"]);
    let mut left = prefixes.iter().copied().peekable();
    let mut out = Vec::new();
    assert_eq!(writer.announce(&mut left, &mut out), Ok(1));
    let length = out.len();
    let error = EncodeError::Family {
        prefix: prefixes[1],
        next_hop,
    };
    assert_eq!(writer.announce(&mut left, &mut out), Err(error));
    assert_eq!(out.len(), length);
    assert_eq!(left.next(), Some(prefixes[1]));
}

#[test]
fn attributes_that_leave_no_room_are_refused() {
    for (family, next_hop) in [(Family::V4, "192.0.2.1"), (Family::V6, "2001:db8::1")] {
        let with = |count: u32| PathAttributes {
            communities: (0..count).map(Community).collect(),
            ..attributes(next_hop)
        };
        // The extended length is used where it must be.
        for count in [63, 64] {
            let out = encode_attributes(&with(count), true);
            let header = if count < 64 { 3 } else { 4 };
            let without = encode_attributes(&with(0), true).len();
            let expected = without + header + 4 * usize::try_from(count).unwrap();
            assert_eq!(out.len(), expected);
        }
        let most = (0..2000)
            .rev()
            .find(|count| UpdateWriter::new(&with(*count), true).is_ok())
            .unwrap();
        let writer = UpdateWriter::new(&with(most), true).unwrap();
        let mut out = Vec::new();
        let mut prefixes = hosts(family, 3).peekable();
        while writer.announce(&mut prefixes, &mut out).unwrap() > 0 {}
        for octets in split(&out) {
            assert!(octets.len() > MAX_LEN - prefix::longest(family) - 4);
        }
        let error = UpdateWriter::new(&with(most + 1), true).unwrap_err();
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
            let attributes = PathAttributes {
                as_path,
                local_pref,
                communities: (0..most).map(Community).collect(),
                ..attributes(next_hop)
            };
            for four_octet_as in [true, false] {
                assert!(announced(&attributes, four_octet_as, &[prefix]).len() <= MAX_LEN);
            }
        }
    }
}
