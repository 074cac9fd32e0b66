//! Attributes that routes are given: on the wire, in words, and what comes of two.

use carillon_core::config::Community;

use super::*;
use crate::packet::cursor::Cursor;
use crate::packet::tests::context;
use crate::packet::update::raw::RawAttribute;

fn local_pref(value: u32) -> Attribute {
    LocalPref(value).into()
}

fn communities(values: impl IntoIterator<Item = u32>) -> Attribute {
    let communities = values.into_iter().map(Community);
    Communities::new(communities).unwrap().into()
}

/// Octets by the RFCs, and words.
fn vectors() -> Vec<(Attribute, Vec<u8>, &'static str)> {
    vec![
        (
            local_pref(0),
            vec![0x40, 5, 4, 0, 0, 0, 0],
            "local preference 0",
        ),
        (
            local_pref(4_294_967_295),
            vec![0x40, 5, 4, 0xff, 0xff, 0xff, 0xff],
            "local preference 4294967295",
        ),
        (
            communities([0xffff_ff01, 0xfc00_0064, 0xfc00_0064]),
            vec![0xc0, 8, 8, 0xfc, 0x00, 0x00, 0x64, 0xff, 0xff, 0xff, 0x01],
            "communities 64512:100 65535:65281",
        ),
    ]
}

#[test]
fn on_the_wire_and_in_words() {
    for (attribute, octets, words) in vectors() {
        let mut out = Vec::new();
        attribute.put(&mut out);
        assert_eq!(out, octets, "{words}");
        assert_eq!(attribute.to_string(), words);
    }
    for known in Attribute::TYPES {
        let mut vectors = vectors().into_iter();
        let has_vector = vectors.any(|(attribute, ..)| attribute.code() == known.code);
        assert!(has_vector, "{}", known.name);
    }
}

#[test]
fn a_long_value_has_a_length_of_two_octets() {
    for (count, header) in [
        (63, &[0xc0, 8, 252][..]),
        (64, &[0xd0, 8, 1, 0]),
        (1000, &[0xd0, 8, 0x0f, 0xa0]),
    ] {
        let mut out = Vec::new();
        communities(0..count).put(&mut out);
        assert!(out.starts_with(header), "{count}");
        assert_eq!(
            out.len(),
            header.len() + 4 * usize::try_from(count).unwrap()
        );
    }
}

#[test]
fn what_is_sent_is_in_order_where_it_is_received() {
    for (attribute, octets, words) in vectors() {
        let mut cursor = Cursor::new(&octets);
        let received = RawAttribute::take(&mut cursor).unwrap();
        assert!(cursor.is_empty());
        for peer_type in [PeerType::Internal, PeerType::External] {
            if attribute.is_for(peer_type) {
                assert_eq!(received.judge(context(peer_type)), Ok(()), "{words}");
            }
        }
    }
}

#[test]
fn of_two_meant_for_one_route() {
    for (one, other, both) in [
        (local_pref(1), local_pref(7), local_pref(7)),
        (communities([2, 3]), communities([1, 2]), communities(1..4)),
    ] {
        for (mut one, other) in [(one.clone(), other.clone()), (other, one)] {
            one.merge(&other);
            assert_eq!(one, both);
        }
    }
}

#[test]
fn no_two_types_have_one_code() {
    for known in OTHERS.iter().chain(Attribute::TYPES) {
        assert_eq!(type_of(known.code).unwrap().name, known.name);
    }
    assert!(type_of(255).is_none());
}
