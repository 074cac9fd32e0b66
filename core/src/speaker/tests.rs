use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::address::Family;
use crate::announcement::Announcement;
use crate::config::{BgpAdvertisement, L2Advertisement};
use crate::endpoint::Endpoint;
use crate::interface::InterfaceNames;
use crate::selector::{Operator, Requirement, Selector};
use crate::testing::{
    self, endpoint, endpoint_slice, ip, key, l2_advertisement, other_advertisement, pool,
    published, unannounced,
};

const BACKENDS: [Caps; 2] = [testing::shared("one"), testing::shared("two")];

fn config(first: &'static str, second: &'static str) -> Arc<Config> {
    let announced = [("a", first), ("b", second)];
    let others = announced.map(|(pool, backend)| Arc::new(other_advertisement(pool, backend)));
    Arc::new(Config {
        others: others.into(),
        ..unannounced([
            pool("a", &["198.51.100.0/28"]),
            pool("b", &["203.0.113.0/28"]),
        ])
    })
}

fn service(name: &str, address: &str) -> Service {
    published(testing::service(name), &[address])
}

fn slice(service: &str, ready: bool) -> EndpointSlice {
    let endpoint = Endpoint {
        ready: Some(ready),
        ..endpoint("n")
    };
    endpoint_slice(service, [endpoint])
}

fn speaker() -> Speaker {
    Speaker::new(Node::named("n"), Settings::default(), &BACKENDS)
}

fn synced(inputs: impl IntoIterator<Item = Input>) -> Speaker {
    let mut speaker = speaker();
    inputs.into_iter().for_each(|input| speaker.handle(input));
    speaker.handle(Input::Synced);
    speaker
}

/// What each backend would announce, VIP → pool.
fn wire(changes: &[(&'static str, Arc<AnnouncementSet>)]) -> BTreeMap<String, String> {
    let of_set = |(backend, set): &(&'static str, Arc<AnnouncementSet>)| {
        let announced = set.by_vip.iter();
        let entry = |(vip, a): (&IpAddr, &Arc<Announcement>)| {
            (format!("{backend} {vip}"), a.pool.to_string())
        };
        announced.map(entry).collect::<Vec<_>>()
    };
    changes.iter().flat_map(of_set).collect()
}

#[test]
fn nothing_is_said_before_all_is_seen() {
    let mut speaker = speaker();
    speaker.handle(Input::Config(config("one", "two")));
    assert!(speaker.take_changes().is_empty());
    speaker.handle(Input::Synced);
    assert_eq!(
        speaker.take_changes().len(),
        2,
        "each backend learns the configuration"
    );
    assert!(speaker.take_changes().is_empty());
}

#[test]
fn only_the_backend_concerned_hears_of_a_change() {
    let mut speaker = synced([Input::Config(config("one", "two"))]);
    speaker.take_changes();
    speaker.handle(Input::Endpoints(slice("demo", true)));
    speaker.handle(Input::Service(service("demo", "203.0.113.1")));
    let changes = speaker.take_changes();
    let expected = BTreeMap::from([("two 203.0.113.1".into(), "b".into())]);
    assert_eq!(wire(&changes), expected);
    speaker.handle(Input::Service(service("demo", "203.0.113.1")));
    assert!(
        speaker.take_changes().is_empty(),
        "the same again is no change"
    );
    speaker.handle(Input::ServiceDeleted(key("demo")));
    let [(backend, set)] = &speaker.take_changes()[..] else {
        panic!("one change")
    };
    assert_eq!((*backend, set.by_vip.len()), ("two", 0));
}

#[test]
fn vips_that_are_announced_alike_share_one_announcement() {
    let mut speaker = synced([
        Input::Config(config("one", "one")),
        Input::Service(service("a", "198.51.100.1")),
        Input::Service(service("b", "198.51.100.2")),
        Input::Service(service("c", "203.0.113.1")),
        Input::Endpoints(slice("a", true)),
        Input::Endpoints(slice("b", true)),
        Input::Endpoints(slice("c", true)),
    ]);
    let changes = speaker.take_changes();
    let (_, set) = changes.iter().find(|(name, _)| *name == "one").unwrap();
    let of = |last: [u8; 4]| &set.by_vip[&IpAddr::from(last)];
    assert!(Arc::ptr_eq(of([198, 51, 100, 1]), of([198, 51, 100, 2])));
    assert_eq!(&*of([203, 0, 113, 1]).pool, "b");
}

#[test]
fn a_shared_vip_lives_as_long_as_one_of_its_services() {
    let mut speaker = synced([
        Input::Config(config("one", "two")),
        Input::Service(service("a", "198.51.100.1")),
        Input::Service(service("b", "198.51.100.1")),
        Input::Endpoints(slice("a", true)),
        Input::Endpoints(slice("b", true)),
    ]);
    let vip = IpAddr::from([198, 51, 100, 1]);
    let (a, b) = (key("a"), key("b"));
    assert!(wire(&speaker.take_changes()).contains_key("one 198.51.100.1"));
    assert_eq!(speaker.services_on(vip), [a, b.clone()]);
    speaker.handle(Input::Endpoints(slice("a", false)));
    assert!(speaker.take_changes().is_empty());
    assert_eq!(speaker.services_on(vip), [b]);
    let reason = speaker.explain(&key("a")).unwrap().unwrap_err();
    assert_eq!(reason.token(), "noEndpoints");
    speaker.handle(Input::Endpoints(slice("b", false)));
    assert_eq!(wire(&speaker.take_changes()).len(), 0);
    assert_eq!(speaker.services_on(vip), []);
}

/// A speaker with an exclusive backend, called "two", and `a` in its pool.
fn exclusive() -> (Speaker, IpAddr) {
    let caps = [
        testing::shared("one"),
        testing::exclusive("two", Family::V4),
    ];
    let mut speaker = Speaker::new(Node::named("n"), Settings::default(), &caps);
    speaker.handle(Input::Config(config("one", "two")));
    speaker.handle(Input::Service(service("a", "203.0.113.1")));
    speaker.handle(Input::Endpoints(slice("a", true)));
    speaker.handle(Input::Synced);
    (speaker, "203.0.113.1".parse().unwrap())
}

#[test]
fn an_exclusive_vip_is_announced_by_who_has_it() {
    let (mut speaker, vip) = exclusive();
    let a = key("a");
    assert_eq!(wire(&speaker.take_changes()), BTreeMap::new());
    assert_eq!(speaker.take_candidates(), [(vip, Some(Scope::Anywhere))]);
    let nobody = Err(WithdrawReason::NotOwner(None));
    assert_eq!(
        speaker.explain(&a).map(|told| told.map(|_| ())),
        Some(nobody)
    );

    speaker.handle(Input::Holding(vip, Holding::Here { round: 7 }));
    let changes = speaker.take_changes();
    assert_eq!(
        wire(&changes).into_keys().collect::<Vec<_>>(),
        ["two 203.0.113.1"]
    );
    assert_eq!(changes[0].1.by_vip[&vip].round, 7);
    assert_eq!(speaker.take_decided(), BTreeSet::from([a.clone()]));
    assert!(speaker.explain(&a).unwrap().is_ok());

    let owner = Some("m".into());
    let watched = true;
    speaker.handle(Input::Holding(vip, Holding::Elsewhere { owner, watched }));
    let [(_, set)] = &speaker.take_changes()[..] else {
        panic!("one change")
    };
    assert_eq!((set.by_vip.len(), set.watched.contains(&vip)), (0, true));
    let told = speaker.explain(&a).unwrap().unwrap_err();
    assert_eq!(told.to_string(), "node m announces it");
    assert_eq!(
        speaker.take_candidates(),
        [],
        "who has it does not matter for who could"
    );

    speaker.handle(Input::ServiceDeleted(a));
    assert!(speaker.take_changes()[0].1.watched.is_empty());
    assert_eq!(speaker.take_candidates(), [(vip, None)]);
}

#[test]
fn only_backends_that_use_interfaces_hear_of_them() {
    let caps = BACKENDS.map(|caps| Caps {
        uses_interfaces: caps.name == "two",
        ..caps
    });
    let mut speaker = Speaker::new(Node::named("n"), Settings::default(), &caps);
    speaker.handle(Input::Synced);
    speaker.handle(Input::Config(config("one", "two")));
    speaker.take_changes();
    speaker.handle(Input::Interfaces(Arc::default()));
    let told = speaker.take_changes();
    assert_eq!(
        told.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["two"]
    );
}

#[test]
fn a_pool_that_changes_its_protocol_moves_between_backends() {
    let mut speaker = synced([
        Input::Config(config("one", "one")),
        Input::Service(service("a", "198.51.100.1")),
        Input::Endpoints(slice("a", true)),
    ]);
    assert!(wire(&speaker.take_changes()).contains_key("one 198.51.100.1"));
    speaker.handle(Input::Config(config("two", "one")));
    let after = wire(&speaker.take_changes());
    assert_eq!(after.keys().collect::<Vec<_>>(), ["two 198.51.100.1"]);
}

#[test]
fn another_nodes_labels_do_not_matter() {
    let mut speaker = synced([Input::Config(config("one", "two"))]);
    speaker.take_changes();
    speaker.handle(Input::Node(Node {
        network_unavailable: true,
        ..Node::named("m")
    }));
    speaker.handle(Input::NodeDeleted("n".into()));
    assert!(speaker.take_changes().is_empty());
    speaker.handle(Input::Node(Node {
        network_unavailable: true,
        ..Node::named("n")
    }));
    assert_eq!(speaker.take_changes().len(), 2);
}

#[test]
fn a_drained_node_leaves_routes_to_the_others() {
    let mut speaker = synced([
        Input::Config(config("one", "two")),
        Input::Service(service("a", "198.51.100.1")),
        Input::Endpoints(slice("a", true)),
    ]);
    assert_eq!(wire(&speaker.take_changes()).len(), 1);
    speaker.handle(Input::Draining(true));
    assert_eq!(wire(&speaker.take_changes()).len(), 0);
    let told = speaker.explain(&key("a")).unwrap();
    assert_eq!(told, Err(WithdrawReason::NodeDraining));
    speaker.handle(Input::Draining(false));
    assert_eq!(wire(&speaker.take_changes()).len(), 1);
}

/// ARP and BGP.
const BOTH: [Caps; 2] = [
    testing::exclusive("arp", Family::V4),
    testing::shared("bgp"),
];
const VIP: &str = "198.51.100.1";

/// A pool that is announced by ARP and by BGP.
fn both_ways() -> Config {
    let mut config = testing::config([pool("a", &["198.51.100.0/28"])]);
    config.layer2 = vec![Arc::new(l2_advertisement("a"))];
    config
}

/// A speaker with ARP and BGP, this configuration and a Service with [`VIP`].
fn with_both(config: Config, service: Service) -> Speaker {
    let mut speaker = Speaker::new(Node::named("n"), Settings::default(), &BOTH);
    speaker.handle(Input::Config(Arc::new(config)));
    speaker.handle(Input::Service(service));
    speaker.handle(Input::Endpoints(slice("a", true)));
    speaker.handle(Input::Synced);
    speaker
}

/// What the speaker says of each way of the Service `a`.
fn verdicts(speaker: &Speaker) -> Vec<(&'static str, String)> {
    let verdicts = speaker.verdicts(&key("a")).into_iter();
    let shown = |verdict: Verdict<'_>| match verdict.outcome {
        Ok(()) => (verdict.backend, "announced".to_owned()),
        Err(reason) => (verdict.backend, reason.to_string()),
    };
    verdicts.map(shown).collect()
}

#[test]
fn a_vip_is_announced_in_two_ways_each_by_who_may() {
    let mut speaker = with_both(both_ways(), service("a", VIP));
    let vip = ip(VIP);
    let announced = |speaker: &mut Speaker| -> Vec<_> {
        let changes = speaker.take_changes().into_iter();
        changes
            .map(|(name, set)| (name, set.by_vip.contains_key(&vip)))
            .collect()
    };
    assert_eq!(announced(&mut speaker), [("arp", false), ("bgp", true)]);
    assert_eq!(speaker.take_candidates(), [(vip, Some(Scope::Anywhere))]);
    let nobody = "no node that may announce it is ready to".to_owned();
    let by_bgp = ("bgp", "announced".to_owned());
    assert_eq!(verdicts(&speaker), [("arp", nobody), by_bgp.clone()]);

    speaker.handle(Input::Holding(vip, Holding::Here { round: 7 }));
    assert_eq!(
        announced(&mut speaker),
        [("arp", true)],
        "BGP has no part in it"
    );
    let owner = Some("m".into());
    speaker.handle(Input::Holding(
        vip,
        Holding::Elsewhere {
            owner,
            watched: false,
        },
    ));
    assert_eq!(announced(&mut speaker), [("arp", false)]);
    let elsewhere = ("arp", "node m announces it".to_owned());
    assert_eq!(verdicts(&speaker), [elsewhere.clone(), by_bgp]);
    assert!(speaker.explain(&key("a")).unwrap().is_ok(), "by BGP it is");

    speaker.handle(Input::Draining(true));
    assert_eq!(announced(&mut speaker), [("bgp", false)]);
    let drained = ("bgp", "this node is drained".to_owned());
    assert_eq!(verdicts(&speaker), [elsewhere, drained]);
    let told = speaker.explain(&key("a")).unwrap().unwrap_err();
    assert_eq!(told.to_string(), "node m announces it");
}

/// The labels of a node or Service.
fn labels(pair: (&str, &str)) -> Labels {
    [pair].into_iter().collect()
}

/// A selector of one label.
fn selector(key: &str, value: &str) -> Selector {
    let operator = Operator::In([value.to_owned()].into());
    let key = key.to_owned();
    Selector {
        requirements: vec![Requirement { key, operator }],
    }
}

fn labelled(name: &str, rack: &str) -> Input {
    Input::Node(Node {
        labels: labels(("rack", rack)),
        ..Node::named(name)
    })
}

#[test]
fn advertisements_are_for_the_nodes_that_they_select() {
    let mut config = both_ways();
    let mut first = l2_advertisement("a");
    first.audience.nodes = vec![selector("rack", "1")];
    let mut second = L2Advertisement {
        name: "second".into(),
        ..first.clone()
    };
    second.audience.nodes = vec![selector("rack", "2")];
    config.layer2 = vec![Arc::new(first), Arc::new(second)];
    let mut bgp = testing::bgp_advertisement("a");
    bgp.audience.nodes = vec![selector("rack", "1")];
    config.bgp.advertisements = vec![Arc::new(bgp)];
    let mut speaker = with_both(config, service("a", VIP));
    speaker.take_changes();
    let scope = |names: &[&str]| {
        let names = names.iter().map(|name| Arc::from(*name));
        vec![(ip(VIP), Some(Scope::of_nodes(names)))]
    };
    assert_eq!(
        speaker.take_candidates(),
        scope(&[]),
        "nobody's labels are known"
    );
    let not_here = "the advertisements that are for it are for other nodes than this one";
    assert_eq!(verdicts(&speaker)[1], ("bgp", not_here.to_owned()));

    speaker.handle(labelled("n", "1"));
    let far = Some(labels(("rack", "2")));
    speaker.handle(Input::Labels("m".into(), far.clone()));
    speaker.handle(Input::Labels("n".into(), far));
    speaker.handle(labelled("far", "3"));
    assert!(wire(&speaker.take_changes()).contains_key("bgp 198.51.100.1"));
    assert_eq!(speaker.take_candidates(), scope(&["m", "n"]));
    speaker.handle(Input::Holding(ip(VIP), Holding::Here { round: 1 }));
    let changes = speaker.take_changes();
    let announcement = &changes[0].1.by_vip[&ip(VIP)];
    assert_eq!(
        *announcement.advertisements,
        ["a"],
        "the other is for other nodes"
    );

    speaker.handle(labelled("m", "3"));
    assert_eq!(speaker.take_changes().len(), 0, "nothing to say here");
    assert_eq!(speaker.take_candidates(), scope(&["n"]));
    speaker.handle(Input::NodeDeleted("n".into()));
    speaker.take_changes();
    assert_eq!(
        speaker.take_candidates(),
        [],
        "with what was last known of it"
    );
    speaker.handle(labelled("n", "2"));
    assert!(!wire(&speaker.take_changes()).contains_key("bgp 198.51.100.1"));
}

/// The names of interfaces.
fn names(names: &[&str]) -> InterfaceNames {
    Arc::new(names.iter().map(|name| Arc::from(*name)).collect())
}

/// An advertisement for these interfaces and nodes.
fn on(name: &str, interfaces: &[&str], nodes: Vec<Selector>) -> Arc<L2Advertisement> {
    let mut advertisement = l2_advertisement("a");
    advertisement.name = name.into();
    advertisement.interfaces = names(interfaces);
    advertisement.audience.nodes = nodes;
    Arc::new(advertisement)
}

/// What the backends that are told anything are told of the interfaces of the VIP.
fn told_of_interfaces(speaker: &mut Speaker) -> BTreeMap<&'static str, Option<InterfaceNames>> {
    let changes = speaker.take_changes().into_iter();
    let told = changes.map(|(backend, set)| (backend, set.interfaces_of.get(&ip(VIP)).cloned()));
    told.collect()
}

#[test]
fn advertisements_are_for_the_interfaces_that_they_name() {
    let racks = || vec![selector("rack", "1")];
    let eth1 = || Scope::Anywhere.on(&names(&["eth1"]));
    let eth12 = Scope::Anywhere.on(&names(&["eth1", "eth2"]));
    let here = || Scope::of_nodes(["n".into()]);
    let all = || on("a", &[], vec![]);
    let first = || on("a", &["eth1"], vec![]);
    let both = on("b", &["eth1", "eth2"], vec![]);
    let all_of_rack = on("b", &[], racks());
    let first_of_rack = on("a", &["eth1"], racks());
    let some = |interfaces: &[&str]| Some(names(interfaces));
    for (layer2, scope, of_vip) in [
        (vec![all()], Scope::Anywhere, None),
        (vec![first()], eth1(), some(&["eth1"])),
        (
            vec![first(), both],
            eth1().or(eth12),
            some(&["eth1", "eth2"]),
        ),
        (vec![first(), on("b", &[], vec![])], Scope::Anywhere, None),
        (vec![first(), all_of_rack], eth1().or(here()), None),
        (vec![first_of_rack], eth1().and(here()), some(&["eth1"])),
    ] {
        let with = |layer2| Config {
            layer2,
            ..both_ways()
        };
        let mut speaker = with_both(with(layer2), service("a", VIP));
        speaker.handle(labelled("n", "1"));
        speaker.take_changes();
        assert_eq!(speaker.take_candidates(), [(ip(VIP), Some(scope))]);
        // Also of a VIP that another node has: it may have to be asked for.
        let owner = Some("m".into());
        let watched = true;
        for holding in [
            Holding::Elsewhere { owner, watched },
            Holding::Here { round: 1 },
        ] {
            speaker.handle(Input::Holding(ip(VIP), holding));
            assert_eq!(
                told_of_interfaces(&mut speaker),
                [("arp", of_vip.clone())].into()
            );
        }
        // An edit is told though the VIP is announced by the same advertisement as before.
        let other = with(vec![on("a", &["eth7"], vec![])]);
        speaker.handle(Input::Config(Arc::new(other)));
        let told = [("arp", some(&["eth7"])), ("bgp", None)];
        assert_eq!(told_of_interfaces(&mut speaker), told.into());
        speaker.handle(Input::ServiceDeleted(key("a")));
        assert_eq!(told_of_interfaces(&mut speaker)["arp"], None);
    }
}

#[test]
fn advertisements_are_for_the_services_that_they_select() {
    let mut config = both_ways();
    let gold = vec![selector("tier", "gold")];
    let mut only_gold = BgpAdvertisement {
        name: "gold".into(),
        ..testing::bgp_advertisement("a")
    };
    only_gold.audience.services = gold.clone();
    config.bgp.advertisements.push(Arc::new(only_gold));
    let mut layer2 = l2_advertisement("a");
    layer2.audience.services = gold;
    config.layer2 = vec![Arc::new(layer2)];
    let mut speaker = with_both(config, service("a", VIP));
    let by_bgp = |speaker: &mut Speaker| {
        let changes = speaker.take_changes();
        let (_, set) = changes
            .into_iter()
            .find(|(name, _)| *name == "bgp")
            .unwrap();
        set.by_vip[&ip(VIP)].advertisements.to_vec()
    };
    assert_eq!(by_bgp(&mut speaker), ["a"]);
    assert_eq!(speaker.take_candidates(), []);
    assert_eq!(
        verdicts(&speaker)[0],
        ("arp", "no advertisement is for it".to_owned())
    );

    let mut golden = service("a", VIP);
    golden.set_labels(labels(("tier", "gold")));
    speaker.handle(Input::Service(golden.clone()));
    assert_eq!(by_bgp(&mut speaker), ["a", "gold"]);
    assert_eq!(
        speaker.take_candidates(),
        [(ip(VIP), Some(Scope::Anywhere))]
    );

    // One that shares the address takes part in what is said of it.
    speaker.handle(Input::Service(service("a", VIP)));
    golden.key = key("b");
    speaker.handle(Input::Service(golden));
    speaker.handle(Input::Endpoints(slice("b", true)));
    assert!(speaker.take_changes().is_empty(), "all is as before");
    assert_eq!(speaker.take_candidates(), []);
}

#[test]
fn a_pool_without_advertisements_is_not_announced() {
    let mut config = both_ways();
    config.layer2.clear();
    config.bgp.advertisements.clear();
    let mut speaker = with_both(config, service("a", VIP));
    assert_eq!(wire(&speaker.take_changes()).len(), 0);
    let told = speaker.explain(&key("a")).unwrap().unwrap_err();
    assert_eq!(told.token(), "noMatchingAdvertisement");
}

fn any_input() -> impl Strategy<Value = Input> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    let address = prop_oneof![Just("198.51.100.1"), Just("203.0.113.2"), Just("192.0.2.1")];
    let backend = || prop_oneof![Just("one"), Just("two")];
    prop_oneof![
        (backend(), backend()).prop_map(|(a, b)| Input::Config(config(a, b))),
        (name.clone(), address).prop_map(|(n, a)| Input::Service(service(n, a))),
        name.clone().prop_map(|n| Input::ServiceDeleted(key(n))),
        (name.clone(), any::<bool>()).prop_map(|(n, ready)| Input::Endpoints(slice(n, ready))),
        name.prop_map(|n| Input::EndpointsDeleted(slice(n, true).key)),
        any::<bool>().prop_map(|network_unavailable| Input::Node(Node {
            network_unavailable,
            ..Node::named("n")
        })),
    ]
}

proptest! {
    /// However the inputs were cut into steps, the sets in the end are those of a speaker that
    /// saw everything at once.
    #[test]
    fn steps_and_one_leap_lead_to_the_same_sets(
        inputs in prop::collection::vec(any_input(), 0..40),
        step in 1_usize..5,
    ) {
        let mut leap = synced(inputs.clone());
        let mut stepwise = synced([]);
        let mut sets: BTreeMap<_, _> = stepwise.take_changes().into_iter().collect();
        for inputs in inputs.chunks(step) {
            inputs.iter().cloned().for_each(|input| stepwise.handle(input));
            sets.extend(stepwise.take_changes());
        }
        let sets: Vec<_> = sets.into_iter().collect();
        prop_assert_eq!(wire(&sets), wire(&leap.take_changes()));
    }
}
