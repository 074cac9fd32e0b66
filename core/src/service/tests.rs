use std::collections::BTreeMap;

use super::*;
use crate::address::Family;

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[test]
fn families_follow_cluster_ips_and_policy() {
    use FamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
    let cases: &[(&[&str], Option<Family>, FamilyPolicy, Option<Families>)] = &[
        (
            &["10.0.0.1"],
            None,
            SingleStack,
            Some(Families::One(Family::V4)),
        ),
        (
            &["fd00::1"],
            None,
            SingleStack,
            Some(Families::One(Family::V6)),
        ),
        (
            &["10.0.0.1"],
            None,
            PreferDualStack,
            Some(Families::One(Family::V4)),
        ),
        (
            &["10.0.0.1", "fd00::1"],
            None,
            RequireDualStack,
            Some(Families::Both),
        ),
        (
            &["10.0.0.1", "fd00::1"],
            None,
            PreferDualStack,
            Some(Families::PreferBoth {
                primary: Family::V4,
            }),
        ),
        (
            &["fd00::1", "10.0.0.1"],
            Some(Family::V6),
            PreferDualStack,
            Some(Families::PreferBoth {
                primary: Family::V6,
            }),
        ),
        (&["10.0.0.1", "fd00::1"], None, SingleStack, None),
        (&["10.0.0.1"], None, RequireDualStack, None),
        (&["10.0.0.1", "10.0.0.2"], None, PreferDualStack, None),
        (
            &["10.0.0.1", "fd00::1", "10.0.0.2"],
            None,
            RequireDualStack,
            None,
        ),
        (&["None"], None, SingleStack, None),
        (&[], None, SingleStack, None),
    ];
    for (ips, first, policy, expected) in cases {
        assert_eq!(
            Families::of(&strings(ips), *first, *policy).ok(),
            *expected,
            "{ips:?} {policy:?}"
        );
    }
}

#[test]
fn todays_prefix_wins_even_when_empty() {
    let both = annotations(&[
        ("metallb.io/address-pool", ""),
        ("metallb.universe.tf/address-pool", "old"),
    ]);
    assert_eq!(Annotations(&both).address_pool(), None);
    let old = annotations(&[("metallb.universe.tf/address-pool", "old")]);
    assert_eq!(Annotations(&old).address_pool().as_deref(), Some("old"));
}

#[test]
fn requests_are_one_address_or_one_of_each_family() {
    let request = |list: &str| {
        Annotations(&annotations(&[("metallb.io/loadBalancerIPs", list)])).requested(None)
    };
    assert_eq!(request("1.2.3.4"), Ok(vec!["1.2.3.4".parse().unwrap()]));
    assert_eq!(request(" 1.2.3.4 , fc00::1 ").map(|ips| ips.len()), Ok(2));
    assert_eq!(
        request("1.2.3.4,1.2.3.5"),
        Err(RequestError::NotOnePerFamily("1.2.3.4,1.2.3.5".into()))
    );
    assert_eq!(
        request("1.2.3.4,"),
        Err(RequestError::InvalidItem(String::new()))
    );
    assert_eq!(
        request("host"),
        Err(RequestError::InvalidItem("host".into()))
    );
    let both = annotations(&[("metallb.universe.tf/loadBalancerIPs", "1.2.3.4")]);
    assert_eq!(
        Annotations(&both).requested(Some("1.2.3.4")),
        Err(RequestError::Both)
    );
    assert_eq!(
        Annotations(&annotations(&[])).requested(Some("1.2.3")),
        Err(RequestError::InvalidField("1.2.3".into()))
    );
    assert_eq!(
        Annotations(&annotations(&[])).requested(Some("")),
        Ok(Vec::new())
    );
}
