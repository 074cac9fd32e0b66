use std::cmp::Ordering;

use carillon_core::config::Community;

use super::*;
use crate::packet::attribute::{Communities, LocalPref};

const BOTH: [PeerType; 2] = [PeerType::Internal, PeerType::External];

fn attributes(local_pref: Option<u32>, communities: &[u32]) -> Attributes {
    let communities = communities.iter().copied().map(Community);
    Attributes::default()
        .with(Communities::new(communities))
        .with(local_pref.map(LocalPref))
}

fn told(attributes: &Attributes, peer_type: PeerType) -> Vec<String> {
    let attributes = attributes.for_peer(peer_type);
    attributes.iter().map(ToString::to_string).collect()
}

#[test]
fn there_is_one_of_a_type_and_the_last_counts() {
    let attributes = attributes(Some(1), &[5]).with(Some(LocalPref(2)));
    let expected = ["local preference 2", "communities 0:5"];
    assert_eq!(told(&attributes, PeerType::Internal), expected);
    let unchanged = attributes.clone().with(None::<LocalPref>);
    assert_eq!(unchanged, attributes);
}

#[test]
fn a_union_has_what_either_has() {
    let one = attributes(Some(1), &[]);
    let other = attributes(Some(2), &[5]);
    assert_eq!(one.union(&other), attributes(Some(2), &[5]));
    assert_eq!(other.union(&one), attributes(Some(2), &[5]));
    let neither = Attributes::default();
    assert_eq!(neither.union(&one), one);
    assert_eq!(one.union(&neither), one);
}

#[test]
fn a_peer_is_told_what_is_for_its_kind() {
    let attributes = attributes(Some(100), &[5]);
    let internal = ["local preference 100", "communities 0:5"];
    assert_eq!(told(&attributes, PeerType::Internal), internal);
    assert_eq!(told(&attributes, PeerType::External), internal[1..]);
}

#[test]
fn what_a_peer_cannot_tell_apart_is_equal_to_it() {
    let one = attributes(Some(100), &[5]);
    for peer_type in BOTH {
        let same = one.clone();
        assert_eq!(one.for_peer(peer_type), same.for_peer(peer_type));
        let more = attributes(Some(100), &[5, 6]);
        assert_ne!(one.for_peer(peer_type), more.for_peer(peer_type));
    }
    let preferred = attributes(Some(200), &[5]);
    let [internal, external] = BOTH.map(|peer_type| {
        let (one, preferred) = (one.for_peer(peer_type), preferred.for_peer(peer_type));
        one.cmp(preferred)
    });
    assert_eq!((internal, external), (Ordering::Less, Ordering::Equal));
}
