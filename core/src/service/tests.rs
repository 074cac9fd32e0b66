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

fn families(ips: &[&str], first: Option<Family>, policy: FamilyPolicy) -> Option<Families> {
    Families::of(&strings(ips), first, policy).ok()
}

#[test]
fn families_follow_cluster_ips_and_policy() {
    use FamilyPolicy::{PreferDualStack as Prefer, RequireDualStack as Require, SingleStack};
    let (v4, v6) = ("10.0.0.1", "fd00::1");
    let one = |family| Some(Families::One(family));
    let prefer = |primary| Some(Families::PreferBoth { primary });
    assert_eq!(families(&[v4], None, SingleStack), one(Family::V4));
    assert_eq!(families(&[v6], None, SingleStack), one(Family::V6));
    assert_eq!(families(&[v4], None, Prefer), one(Family::V4));
    assert_eq!(families(&[v4, v6], None, Require), Some(Families::Both));
    assert_eq!(families(&[v4, v6], None, Prefer), prefer(Family::V4));
    assert_eq!(
        families(&[v6, v4], Some(Family::V6), Prefer),
        prefer(Family::V6)
    );
}

#[test]
fn families_of_contradicting_objects_are_refused() {
    use FamilyPolicy::{PreferDualStack as Prefer, RequireDualStack as Require, SingleStack};
    let (v4, v6) = ("10.0.0.1", "fd00::1");
    assert_eq!(families(&[v4, v6], None, SingleStack), None);
    assert_eq!(families(&[v4], None, Require), None);
    assert_eq!(families(&[v4, "10.0.0.2"], None, Prefer), None);
    assert_eq!(families(&[v4, v6, "10.0.0.2"], None, Require), None);
    assert_eq!(families(&["None"], None, SingleStack), None);
    assert_eq!(families(&[], None, SingleStack), None);
}

#[test]
fn todays_prefix_wins_even_when_empty() {
    let both = annotations(&[
        ("metallb.io/address-pool", ""),
        ("metallb.universe.tf/address-pool", "old"),
    ]);
    assert_eq!(Annotations(&both).requests(None).address_pool, None);
    let old = annotations(&[("metallb.universe.tf/address-pool", "old")]);
    assert_eq!(
        Annotations(&old).requests(None).address_pool.as_deref(),
        Some("old")
    );
}

#[test]
fn requests_are_one_address_or_one_of_each_family() {
    let request = |list: &str| {
        let annotations = annotations(&[("metallb.io/loadBalancerIPs", list)]);
        Annotations(&annotations).requests(None).addresses
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
        Annotations(&both).requests(Some("1.2.3.4")).addresses,
        Err(RequestError::Both)
    );
    assert_eq!(
        Annotations(&annotations(&[]))
            .requests(Some("1.2.3"))
            .addresses,
        Err(RequestError::InvalidField("1.2.3".into()))
    );
    assert_eq!(
        Annotations(&annotations(&[])).requests(Some("")).addresses,
        Ok(Vec::new())
    );
}

#[test]
fn a_service_takes_little_room() {
    assert_eq!(size_of::<ServiceKey>(), 8);
    assert_eq!(size_of::<Service>(), 24);
    assert_eq!(size_of::<Own>(), 40);
}
