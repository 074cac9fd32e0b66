use std::collections::BTreeMap;
use std::net::IpAddr;

use carillon_core::announcement::Announcement;
use carillon_core::config::{Audience, Community};
use carillon_core::node::Node;
use carillon_core::testing;
use proptest::prelude::*;

use super::*;
use crate::packet::PeerType;
use crate::packet::attribute::{Communities, LocalPref};

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

/// The names of the one peer of a session.
fn session(name: &'static str) -> PeerNames {
    PeerNames::from([name.into()])
}

impl Export {
    /// The routes of a set for the session with `router`, which is the only one.
    fn routes_of(&mut self, set: &AnnouncementSet) -> Routes {
        let router = session("router");
        self.apply(set, [router.clone()].into());
        self.routes_for(&router)
    }
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
    let routes = Export::default().routes_of(&set(
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
    let routes = export.routes_of(&set(
        &config,
        &[("198.51.100.1", "a"), ("198.51.100.2", "a")],
    ));
    assert_eq!(shown(&routes), ["198.51.100.0/24 local preference 0"]);
    let routes = export.routes_of(&set(&config, &[("198.51.100.2", "a")]));
    assert_eq!(shown(&routes), ["198.51.100.0/24 local preference 0"]);
    assert_eq!(
        shown(&export.routes_of(&set(&config, &[]))),
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
        shown(&export.routes_of(&set(&config, &all))),
        [
            "198.51.100.0/24 local preference 9, communities 0:4 0:5",
            "198.51.100.1/32 local preference 100, communities 0:1 0:2"
        ]
    );
    assert_eq!(
        shown(&export.routes_of(&set(&config, &all[..2]))),
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
    let before = export.routes_of(&set(&with_peers(Vec::new()), &[("198.51.100.1", "a")]));
    let same = set(&with_peers(Vec::new()), &[("198.51.100.1", "a")]);
    assert!(before.ptr_eq(&export.routes_of(&same)));
}

#[test]
fn announcements_by_an_advertisement_that_is_gone_make_no_route() {
    let mut set = set(&config([]), &[]);
    let announcement = Arc::new(testing::announcement("a"));
    set.by_vip
        .insert("198.51.100.1".parse().unwrap(), announcement);
    let routes = Export::default().routes_of(&set);
    assert!(routes.is_empty());
}

/// An advertisement for these peers only.
fn only_for(peers: &[&'static str], advertisement: BgpAdvertisement) -> BgpAdvertisement {
    BgpAdvertisement {
        peers: peers.iter().map(|name| (*name).into()).collect(),
        ..advertisement
    }
}

#[test]
fn each_session_has_the_routes_of_the_advertisements_that_are_for_it() {
    let config = config([pool(
        "a",
        vec![
            advertisement(32, 128, 1, &[]),
            only_for(&["red"], advertisement(32, 128, 5, &[7])),
            only_for(&["blue", "green"], advertisement(24, 64, 0, &[])),
        ],
    )]);
    let set = set(&config, &[("198.51.100.1", "a")]);
    let [red, blue, other] = ["red", "blue", "other"].map(session);
    let both = PeerNames::from(["red".into(), "blue".into()]);
    let sessions = [red, blue, other, both];
    let mut export = Export::default();
    export.apply(&set, sessions.iter().cloned().collect());
    let host = |rest| format!("198.51.100.1/32 local preference {rest}");
    let aggregate = "198.51.100.0/24 local preference 0".to_owned();
    let expected = [
        vec![host("5, communities 0:7")],
        vec![aggregate.clone(), host("1")],
        vec![host("1")],
        vec![aggregate, host("5, communities 0:7")],
    ];
    for (session, expected) in sessions.iter().zip(expected) {
        assert_eq!(shown(&export.routes_for(session)), expected, "{session:?}");
    }
}

#[test]
fn sessions_share_a_table_and_a_change_is_one_of_the_tables_it_concerns() {
    let of_pool = |local_pref| {
        let for_red = only_for(&["red"], advertisement(24, 64, local_pref, &[]));
        config([pool("a", vec![BgpAdvertisement::default(), for_red])])
    };
    let vips = [("198.51.100.1", "a")];
    let [red, blue, green] = ["red", "blue", "green"].map(session);
    let sessions: BTreeSet<_> = [&red, &blue, &green].map(Clone::clone).into();
    let mut export = Export::default();
    export.apply(&set(&of_pool(1), &vips), sessions.clone());
    let before = [&red, &blue].map(|session| export.routes_for(session));
    assert!(before[1].ptr_eq(&export.routes_for(&green)), "one table");
    assert!(!before[1].ptr_eq(&before[0]));

    export.apply(&set(&of_pool(2), &vips), sessions);
    let after = [&red, &blue].map(|session| export.routes_for(session));
    assert!(shown(&after[0]).contains(&"198.51.100.0/24 local preference 2".to_owned()));
    assert!(
        after[1].ptr_eq(&before[1]),
        "no advertisement of it changed"
    );

    export.apply(&set(&of_pool(2), &vips), [green.clone()].into());
    assert!(export.routes_for(&green).ptr_eq(&before[1]), "it stays");
    assert!(export.routes_for(&red).is_empty(), "nobody asks for it");
}

fn pools() -> impl Strategy<Value = Vec<Vec<Arc<BgpAdvertisement>>>> {
    let one = (
        prop_oneof![Just(32u8), Just(30), Just(28)],
        prop_oneof![Just(128u8), Just(126)],
        0..3u32,
        prop::collection::vec(0..4u32, 0..3),
        prop_oneof![Just(vec![]), Just(vec!["red"]), Just(vec!["red", "blue"])],
    )
        .prop_map(|(v4, v6, local_pref, communities, peers)| {
            only_for(&peers, advertisement(v4, v6, local_pref, &communities))
        });
    let pool_of =
        |name| prop::collection::vec(one.clone(), 1..3).prop_map(move |ads| pool(name, ads));
    (pool_of("a"), pool_of("b")).prop_map(|(a, b)| vec![a, b])
}

/// The peers that there are.
fn peers() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["red", "blue", "green"], 1..=3)
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

/// The definition: every VIP under each of its advertisements that is for the peer.
fn model(set: &AnnouncementSet, peer: &str) -> BTreeMap<IpNet, Attributes> {
    let mut routes = BTreeMap::<IpNet, (u32, BTreeSet<Community>)>::new();
    for (vip, announcement) in &set.by_vip {
        for ad in &set.config.bgp.advertisements {
            let is_for_peer = ad.peers.is_empty() || ad.peers.contains(peer);
            if !is_for_peer || !announcement.advertisements.contains(&ad.name) {
                continue;
            }
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
        steps in prop::collection::vec((any::<prop::sample::Index>(), peers(), vips()), 1..8),
    ) {
        let mut export = Export::default();
        let configs: Vec<_> = configs.into_iter().map(config).collect();
        for (choice, peers, vips) in steps {
            let mut set = set(choice.get(&configs), &[]);
            for ((v6, last), in_a) in vips {
                let vip = address(v6, last);
                let pool = if in_a { "a" } else { "b" };
                let announcement = announcement(&set.config, pool);
                set.by_vip.insert(vip, announcement);
            }
            export.apply(&set, peers.iter().map(|peer| session(peer)).collect());
            for peer in peers {
                let routes: BTreeMap<_, _> = export
                    .routes_for(&session(peer))
                    .iter()
                    .map(|(prefix, attributes)| (*prefix, Attributes::clone(attributes)))
                    .collect();
                prop_assert_eq!(routes, model(&set, peer));
            }
        }
    }
}
