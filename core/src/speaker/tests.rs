use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::address::Family;
use crate::announcement::Announcement;
use crate::backend::Ownership;
use crate::config::{Pool, PoolProtocol};
use crate::endpoint::Endpoint;
use crate::testing::{self, endpoint, endpoint_slice, key, pool, published};

const BACKENDS: [Caps; 2] = [
    Caps {
        name: "one",
        ownership: Ownership::Shared,
        uses_interfaces: false,
    },
    Caps {
        name: "two",
        ownership: Ownership::Shared,
        uses_interfaces: false,
    },
];

fn config(first: &'static str, second: &'static str) -> Arc<Config> {
    let pool = |name, backend, block| Pool {
        protocol: PoolProtocol::of_backend(backend),
        ..pool(name, &[block])
    };
    Arc::new(testing::config([
        pool("a", first, "198.51.100.0/28"),
        pool("b", second, "203.0.113.0/28"),
    ]))
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
    Speaker::new(Node::named("n"), None, &BACKENDS)
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
    let caps = BACKENDS.map(|caps| Caps {
        ownership: match caps.name {
            "two" => Ownership::Exclusive(Family::V4),
            _ => caps.ownership,
        },
        uses_interfaces: caps.name == "two",
        ..caps
    });
    let mut speaker = Speaker::new(Node::named("n"), None, &caps);
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
    let mut speaker = Speaker::new(Node::named("n"), None, &caps);
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
