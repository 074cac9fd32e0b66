use carillon_gossip::record::{Impediment, Node};

use super::*;

const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];
const EAGER: Rebalance = Rebalance {
    stable_for: Duration::from_secs(60),
    pause: Duration::from_secs(10),
};

fn move_vip(bus: &mut Bus, by: usize, to: &str) -> Result<(), MoveError> {
    let now = bus.now;
    let result = bus.peers[by].machine.move_vip(vip(VIP), to, now);
    bus.flush(by);
    bus.run(Duration::ZERO);
    result
}

#[test]
fn a_command_moves_it_wherever_it_is_given() {
    let mut bus = Bus::with(&NAMES, Some(EAGER));
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.fewest.clear();
    move_vip(&mut bus, 1, "node-a").unwrap();
    assert_eq!(bus.holders(vip), ["node-a"]);
    assert_eq!(bus.why(0, vip), "node-a: moved here from node-b by command");
    assert_eq!(bus.why(2, vip), "node-a: node-b handed it over");
    move_vip(&mut bus, 1, "node-c").unwrap();
    assert_eq!(
        bus.holders(vip),
        ["node-c"],
        "told to one that has not got it"
    );
    for peer in &bus.peers {
        let owned: Vec<_> = peer.machine.nodes().iter().map(|node| node.vips).collect();
        assert_eq!(owned, [0, 0, 1], "earlier claims do not count");
    }
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    bus.seconds(1000);
    assert_eq!(bus.holders(vip), ["node-c"], "and it stays");
    let requests = |peer: &bus::Peer| peer.records.contains_key(&Key::Request(vip));
    assert!(!bus.peers.iter().any(requests));
}

#[test]
fn a_command_that_cannot_be_obeyed_says_why() {
    let mut bus = Bus::new(&NAMES);
    let vip = vip(VIP);
    let no_vip = move_vip(&mut bus, 0, "node-c").unwrap_err();
    assert_eq!(no_vip, MoveError::NoSuchVip(vip));
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.input(0, Input::Impediment(Impediment::Draining, true));
    let cases = [
        (
            "node-x",
            "there is no node \"node-x\"; there are node-a, node-b, node-c",
        ),
        (
            "node-a",
            "node-a cannot have 10.20.30.1: it is draining; these can: node-b, node-c",
        ),
        ("node-b", "node-b has it already"),
    ];
    for (to, expected) in cases {
        for by in 0..3 {
            let error = move_vip(&mut bus, by, to).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
    assert_eq!(bus.holders(vip), ["node-b"]);
}

#[test]
fn a_successor_that_does_not_come_is_forgotten() {
    let mut bus = Bus::new(&NAMES);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.input(0, Input::Candidate(vip, None));
    move_vip(&mut bus, 1, "node-a").unwrap();
    bus.seconds(10);
    assert_eq!(bus.holders(vip), ["node-b"]);
    let by: Arc<str> = "node-a".into();
    assert_eq!(bus.peers[1].notes.last(), Some(&Note::NotTaken { vip, by }));
    let Some(Value::Claim(claim)) = bus.peers[1].records.get(&Key::Claim(vip)) else {
        panic!("it claims it still")
    };
    assert_eq!(claim.successor, None);
}

#[test]
fn vips_go_back_one_by_one_to_a_node_that_was_stable() {
    let mut bus = Bus::with(&NAMES, Some(EAGER));
    let vips: Vec<IpAddr> = (1..=9)
        .map(|host| vip(&format!("10.20.30.{host}")))
        .collect();
    for vip in &vips {
        bus.candidate(*vip, Some(Scope::Anywhere));
    }
    let count = |bus: &Bus, name: &str| {
        let vips = bus.scopes.keys();
        vips.filter(|vip| bus.holders(**vip) == [name]).count()
    };
    let before = count(&bus, "node-b");
    assert!(before > 1);
    bus.kill(1, Departure::Lost);
    bus.restart(1);
    bus.seconds(40);
    // A drain begins the time anew.
    bus.input(1, Input::Impediment(Impediment::Draining, true));
    bus.input(1, Input::Impediment(Impediment::Draining, false));
    bus.seconds(55);
    assert_eq!(count(&bus, "node-b"), 0);
    bus.fewest.clear();
    let mut counts = BTreeSet::new();
    for _ in 0..200 {
        bus.seconds(1);
        counts.insert(count(&bus, "node-b"));
    }
    assert_eq!(
        counts,
        (0..=before).collect(),
        "never two owners at once take part"
    );
    assert!(bus.fewest.values().all(|fewest| *fewest == 1));
    assert_eq!(bus.peers[1].machine.poll_timeout(), None, "all is well");
}

fn preferring(weights: &[(&str, u32)]) -> Scope {
    let weights = weights.iter();
    let weights = weights.map(|(name, weight)| ((*name).into(), *weight));
    Scope::Anywhere.preferring(weights.collect())
}

#[test]
fn of_those_that_can_have_it_the_preferred_one_takes_it() {
    for (weights, order) in [
        (&[("node-a", 1)][..], ["node-a", "node-b", "node-c"]),
        (
            &[("node-a", 1), ("node-c", 2)],
            ["node-c", "node-a", "node-b"],
        ),
        (
            &[("node-a", 1), ("node-c", 1)],
            ["node-c", "node-a", "node-b"],
        ),
        (&[("node-x", 9)], ["node-b", "node-c", "node-a"]),
    ] {
        let mut bus = Bus::new(&NAMES);
        let vip = vip(VIP);
        bus.candidate(vip, Some(preferring(weights)));
        for expected in order {
            assert_eq!(bus.holders(vip), [expected], "{weights:?}");
            let index = NAMES.iter().position(|name| *name == expected).unwrap();
            bus.kill(index, Departure::Lost);
        }
    }
}

#[test]
fn a_preferred_node_that_returns_waits_until_it_was_stable() {
    let mut bus = Bus::with(&NAMES, Some(EAGER));
    let vip = vip(VIP);
    bus.candidate(vip, Some(preferring(&[("node-c", 1)])));
    bus.kill(2, Departure::Lost);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.restart(2);
    bus.fewest.clear();
    bus.seconds(55);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.seconds(30);
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    // A person's wish counts more, and what the advertisements prefer from now on less.
    move_vip(&mut bus, 0, "node-a").unwrap();
    bus.seconds(1000);
    assert_eq!(bus.holders(vip), ["node-a"]);
    let mut bus = Bus::with(&NAMES, None);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.candidate(vip, Some(preferring(&[("node-c", 1)])));
    bus.seconds(1000);
    assert_eq!(bus.holders(vip), ["node-b"], "never is never");
}

#[test]
fn a_preference_that_comes_later_moves_what_somebody_has() {
    let mut bus = Bus::with(&NAMES, Some(EAGER));
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(1000);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.fewest.clear();
    bus.candidate(vip, Some(preferring(&[("node-a", 1)])));
    bus.seconds(11);
    assert_eq!(bus.holders(vip), ["node-a"]);
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    // Whoever may not have it is preferred in vain.
    bus.input(0, Input::Impediment(Impediment::Draining, true));
    bus.seconds(1000);
    assert_eq!(bus.holders(vip), ["node-b"]);
}

/// The others find the node-a first, and it finds the node-b first, as a daemon of before weights.
#[test]
fn no_weight_counts_where_a_daemon_knows_none() {
    let mut bus = Bus::with(&NAMES, Some(EAGER));
    let vip = vip(VIP);
    let former = Node {
        name: "node-a".into(),
        ipv4: true,
        ipv6: true,
        is_ready: true,
        impediments: BTreeSet::new(),
        capabilities: Node::REPEATS_NONCE,
    };
    let member = bus.peers[0].id;
    for index in [1, 2] {
        let (key, value) = (Key::Node, Some(Value::Node(former.clone())));
        bus.input(index, Input::Record { member, key, value });
    }
    let plain = Input::Candidate(vip, Some(Scope::Anywhere));
    bus.input(0, plain.clone());
    for index in [1, 2] {
        bus.input(
            index,
            Input::Candidate(vip, Some(preferring(&[("node-a", 1)]))),
        );
    }
    bus.run(Duration::ZERO);
    let mut moves = 0;
    for _ in 0..500 {
        let before = bus.holders(vip);
        bus.seconds(1);
        moves += usize::from(before != bus.holders(vip));
    }
    assert_eq!((bus.holders(vip), moves), (vec!["node-b".to_owned()], 0));
    // Its successor knows them.
    bus.scopes.insert(vip, preferring(&[("node-a", 1)]));
    bus.kill(0, Departure::Left);
    bus.restart(0);
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-a"]);
}
