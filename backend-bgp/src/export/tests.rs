use std::collections::BTreeMap;

use carillon_core::config::{Audience, Community};
use carillon_core::node::Node;
use carillon_core::testing;
use proptest::prelude::*;

use super::*;
use crate::packet::PeerType;

/// The advertisements of a pool, each with a name of its own.
fn pool(name: &'static str, advertisements: Vec<BgpAdvertisement>) -> Vec<Arc<BgpAdvertisement>> {
    let named = |(number, advertisement)| BgpAdvertisement {
        name: format!("{name}-{number}").into(),
        audience: Audience::of_pool(name.into()),
        ..advertisement
    };
    let advertisements = advertisements.into_iter().enumerate();
    advertisements.map(named).map(Arc::new).collect()
}

fn advertisement(v4: u8, v6: u8, local_pref: u32, communities: &[u32]) -> BgpAdvertisement {
    BgpAdvertisement {
        aggregation_length_v4: v4,
        aggregation_length_v6: v6,
        local_pref,
        communities: communities.iter().copied().map(Community).collect(),
        ..BgpAdvertisement::default()
    }
}

fn config(pools: impl IntoIterator<Item = Vec<Arc<BgpAdvertisement>>>) -> Arc<Config> {
    let mut config = Config::default();
    config.bgp.advertisements = pools.into_iter().flatten().collect();
    Arc::new(config)
}

fn set(config: &Arc<Config>, vips: &[(&str, &'static str)]) -> AnnouncementSet {
    let mut set = AnnouncementSet::empty(Arc::new(Node::named("n")));
    set.config = config.clone();
    for (vip, pool) in vips {
        let vip: IpAddr = vip.parse().unwrap();
        set.by_vip.insert(vip, announcement(config, pool));
    }
    set
}

/// That by all advertisements of a pool.
fn announcement(config: &Config, pool: &'static str) -> Arc<Announcement> {
    let of_pool = |one: &&Arc<BgpAdvertisement>| one.audience.pools.contains(pool);
    let advertisements = config.bgp.advertisements.iter().filter(of_pool);
    Arc::new(Announcement {
        advertisements: advertisements.map(|one| one.name.clone()).collect(),
        ..testing::announcement(pool)
    })
}

fn shown(routes: &Routes) -> Vec<String> {
    routes
        .iter()
        .map(|(prefix, attributes)| {
            let attributes = attributes.for_peer(PeerType::Internal);
            let attributes: Vec<_> = attributes.iter().map(ToString::to_string).collect();
            format!("{prefix} {}", attributes.join(", "))
        })
        .collect()
}

#[test]
fn each_vip_becomes_a_host_route_of_its_family() {
    let config = config([pool("a", vec![BgpAdvertisement::default()])]);
    let routes = Export::default().apply(&set(
        &config,
        &[("198.51.100.1", "a"), ("2001:db8::1", "a")],
    ));
    assert_eq!(
        shown(&routes),
        [
            "198.51.100.1/32 local preference 0",
            "2001:db8::1/128 local preference 0"
        ]
    );
}

#[test]
fn an_aggregate_lives_as_long_as_its_last_vip() {
    let config = config([pool("a", vec![advertisement(24, 64, 0, &[])])]);
    let mut export = Export::default();
    let routes = export.apply(&set(
        &config,
        &[("198.51.100.1", "a"), ("198.51.100.2", "a")],
    ));
    assert_eq!(shown(&routes), ["198.51.100.0/24 local preference 0"]);
    let routes = export.apply(&set(&config, &[("198.51.100.2", "a")]));
    assert_eq!(shown(&routes), ["198.51.100.0/24 local preference 0"]);
    assert_eq!(
        shown(&export.apply(&set(&config, &[]))),
        Vec::<String>::new()
    );
}

#[test]
fn contributions_to_one_prefix_are_merged() {
    let config = config([
        pool(
            "a",
            vec![
                advertisement(32, 128, 100, &[2]),
                advertisement(32, 128, 50, &[1, 2]),
            ],
        ),
        pool("b", vec![advertisement(24, 128, 7, &[5])]),
        pool("c", vec![advertisement(24, 128, 9, &[4])]),
    ]);
    let mut export = Export::default();
    let all = [
        ("198.51.100.1", "a"),
        ("198.51.100.2", "b"),
        ("198.51.100.3", "c"),
    ];
    assert_eq!(
        shown(&export.apply(&set(&config, &all))),
        [
            "198.51.100.0/24 local preference 9, communities 0:4 0:5",
            "198.51.100.1/32 local preference 100, communities 0:1 0:2"
        ]
    );
    assert_eq!(
        shown(&export.apply(&set(&config, &all[..2]))),
        [
            "198.51.100.0/24 local preference 7, communities 0:5",
            "198.51.100.1/32 local preference 100, communities 0:1 0:2"
        ]
    );
}

#[test]
fn a_configuration_that_leaves_the_advertisements_alone_leaves_the_routes_alone() {
    let with_peers = |peers| {
        let mut config = Config::clone(&config([pool("a", vec![BgpAdvertisement::default()])]));
        config.bgp.peers = peers;
        Arc::new(config)
    };
    let mut export = Export::default();
    let before = export.apply(&set(&with_peers(Vec::new()), &[("198.51.100.1", "a")]));
    let same = set(&with_peers(Vec::new()), &[("198.51.100.1", "a")]);
    assert!(before.ptr_eq(&export.apply(&same)));
}

#[test]
fn announcements_by_an_advertisement_that_is_gone_make_no_route() {
    let mut set = set(&config([]), &[]);
    let announcement = Arc::new(testing::announcement("a"));
    set.by_vip
        .insert("198.51.100.1".parse().unwrap(), announcement);
    let routes = Export::default().apply(&set);
    assert!(routes.is_empty());
}

fn pools() -> impl Strategy<Value = Vec<Vec<Arc<BgpAdvertisement>>>> {
    let one = (
        prop_oneof![Just(32u8), Just(30), Just(28)],
        prop_oneof![Just(128u8), Just(126)],
        0..3u32,
        prop::collection::vec(0..4u32, 0..3),
    )
        .prop_map(|(v4, v6, local_pref, communities)| {
            advertisement(v4, v6, local_pref, &communities)
        });
    let pool_of =
        |name| prop::collection::vec(one.clone(), 1..3).prop_map(move |ads| pool(name, ads));
    (pool_of("a"), pool_of("b")).prop_map(|(a, b)| vec![a, b])
}

/// IPv6 or not, last part, and whether it is in pool a.
fn vips() -> impl Strategy<Value = BTreeMap<(bool, u8), bool>> {
    prop::collection::btree_map((any::<bool>(), 0..20u8), any::<bool>(), 0..12)
}

fn address(v6: bool, last: u8) -> IpAddr {
    if v6 {
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into()
    } else {
        [198, 51, 100, last].into()
    }
}

/// The definition: every VIP under each of its advertisements.
fn model(set: &AnnouncementSet) -> BTreeMap<IpNet, Attributes> {
    let mut routes = BTreeMap::<IpNet, (u32, BTreeSet<Community>)>::new();
    for (vip, announcement) in &set.by_vip {
        let advertisements = set.config.bgp.advertisements.iter();
        for ad in advertisements.filter(|one| announcement.advertisements.contains(&one.name)) {
            let length = match vip {
                IpAddr::V4(_) => ad.aggregation_length_v4,
                IpAddr::V6(_) => ad.aggregation_length_v6,
            };
            let prefix = IpNet::new(*vip, length).unwrap().trunc();
            let route = routes.entry(prefix).or_default();
            route.0 = route.0.max(ad.local_pref);
            route.1.extend(&ad.communities);
        }
    }
    let attributes = |(local_pref, communities)| {
        Attributes::default()
            .with(Some(LocalPref(local_pref)))
            .with(Communities::new(communities))
    };
    let routes = routes.into_iter();
    routes
        .map(|(prefix, route)| (prefix, attributes(route)))
        .collect()
}

proptest! {
    #[test]
    fn any_sequence_of_sets_leads_to_what_the_last_one_says(
        configs in prop::collection::vec(pools(), 1..3),
        steps in prop::collection::vec((any::<prop::sample::Index>(), vips()), 1..8),
    ) {
        let mut export = Export::default();
        let configs: Vec<_> = configs.into_iter().map(config).collect();
        for (choice, vips) in steps {
            let mut set = set(choice.get(&configs), &[]);
            for ((v6, last), in_a) in vips {
                let vip = address(v6, last);
                let pool = if in_a { "a" } else { "b" };
                let announcement = announcement(&set.config, pool);
                set.by_vip.insert(vip, announcement);
            }
            let routes: BTreeMap<_, _> = export
                .apply(&set)
                .iter()
                .map(|(prefix, attributes)| (*prefix, Attributes::clone(attributes)))
                .collect();
            prop_assert_eq!(routes, model(&set));
        }
    }
}
