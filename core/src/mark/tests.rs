use proptest::prelude::*;

use super::*;

const LOW: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const HIGH: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

#[test]
fn only_a_whole_mark_of_this_version_is_one() {
    let octets = Mark::of("alpha", 1_700_000_000).encode(3);
    for length in 0..14 {
        assert_eq!(Mark::decode(&octets[..length]), None, "{length} octets");
    }
    for at in 0..5 {
        let mut other = octets;
        other[at] ^= 1;
        assert_eq!(Mark::decode(&other), None, "octet {at}");
    }
    assert_eq!(Mark::decode(&[0; 18]), None, "plain padding");
    let mark = Mark::of("alpha", 1_700_000_000);
    assert_eq!(Mark::decode(&octets), Some((mark, 3)));
    assert_eq!(
        Mark::decode(&octets[..14]),
        Some((mark, 0)),
        "of a former version"
    );
}

#[test]
fn nodes_of_one_name_are_told_apart_by_their_stations() {
    let (one, other) = (Mark::of("node", 1), Mark::of("node", 2));
    assert!(Mark::precedes((one, LOW), (other, HIGH)));
    assert!(!Mark::precedes((other, HIGH), (one, LOW)));
    assert!(one.is_of_run(1) && !one.is_of_run(2));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        node in "[a-z0-9.-]{1,40}",
        generation in any::<u64>(),
        nonce in any::<u32>(),
        after in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mark = Mark::of(&node, generation);
        prop_assert!(mark.is_of_run(generation));
        let octets = [&mark.encode(nonce)[..], &after].concat();
        prop_assert_eq!(Mark::decode(&octets), Some((mark, nonce)));
    }

    #[test]
    fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = Mark::decode(&octets);
    }

    /// Whatever the interfaces on which they hear each other: one of two keeps it.
    #[test]
    fn two_agree_who_precedes(
        names in prop::collection::vec("[a-z]{1,8}", 2),
        stations in prop::array::uniform2(any::<[u8; 6]>()),
    ) {
        prop_assume!(stations[0] != stations[1]);
        let one = (Mark::of(&names[0], 1), MacAddress(stations[0]));
        let other = (Mark::of(&names[1], 2), MacAddress(stations[1]));
        prop_assert_ne!(Mark::precedes(one, other), Mark::precedes(other, one));
    }
}
