use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use carillon_core::announcement::AnnouncementSet;
use carillon_core::node::Node;
use carillon_core::testing::ip as v4;

use super::*;

fn watching(vips: impl IntoIterator<Item = IpAddr>) -> AnnouncementSet {
    AnnouncementSet {
        watched: vips.into_iter().collect(),
        ..AnnouncementSet::empty(Arc::new(Node::named("alpha")))
    }
}

#[test]
fn blocks_without_vips_are_left_out() {
    let texts = ["10.0.0.9", "10.0.0.200", "10.0.2.0", "192.168.0.7", "::1"];
    let set = watching(texts.map(v4));
    let expected = [
        v4("10.0.0.9")..=v4("10.0.0.200"),
        v4("10.0.2.0")..=v4("10.0.2.0"),
        v4("192.168.0.7")..=v4("192.168.0.7"),
    ];
    assert_eq!(spans(&set, Family::V4), expected);
    assert_eq!(spans(&set, Family::V6), [v4("::1")..=v4("::1")]);
    assert_eq!(spans(&watching([v4("::1")]), Family::V4), []);
}

#[test]
fn neighbouring_blocks_are_one_span() {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 3));
    let all = (first..first + 10_000).map(|bits| Ipv4Addr::from_bits(bits).into());
    let set = watching(all);
    assert_eq!(spans(&set, Family::V4), [v4("10.0.0.3")..=v4("10.0.39.18")]);
}

#[test]
fn the_last_address_of_all_is_no_trap() {
    let all = ["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].map(v4);
    let set = watching(all);
    assert_eq!(spans(&set, Family::V4), [all[0]..=all[0]]);
    assert_eq!(spans(&set, Family::V6), [all[1]..=all[1]]);
}

proptest! {
    #[test]
    fn all_vips_are_covered_in_order(
        vips in proptest::collection::btree_set(0_u32..60_000, 0..200),
        spread in 1_u32..1000,
    ) {
        let at = |number: u32| IpAddr::from(Ipv4Addr::from_bits(number.wrapping_mul(spread)));
        let vips: BTreeSet<IpAddr> = vips.into_iter().map(at).collect();
        let spans = spans(&watching(vips.iter().copied()), Family::V4);
        prop_assert!(spans.len() <= MOST);
        for vip in &vips {
            prop_assert_eq!(spans.iter().filter(|span| span.contains(vip)).count(), 1);
        }
        for span in &spans {
            prop_assert!(vips.contains(span.start()) && vips.contains(span.end()));
        }
        for pair in spans.windows(2) {
            prop_assert!(pair[0].end() < pair[1].start());
        }
    }
}
