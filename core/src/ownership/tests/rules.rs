use carillon_gossip::record::{Impediment, Named, Node};

use super::bus::mac;
use super::*;

const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];

fn three() -> (Bus, IpAddr) {
    let mut bus = Bus::new(&NAMES);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    (bus, vip)
}

fn nodes(names: &[&str]) -> Scope {
    Scope::of_nodes(names.iter().map(|name| (*name).into()))
}

#[test]
fn the_first_in_order_takes_it_and_the_next_after_its_loss() {
    let (mut bus, vip) = three();
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert_eq!(bus.why(0, vip), "node-b: first in order");
    bus.kill(1, Departure::Lost);
    assert_eq!(bus.holders(vip), ["node-c"], "at once");
    assert_eq!(
        bus.why(0, vip),
        "node-c: took over from node-b, which was lost"
    );
    bus.kill(2, Departure::Left);
    assert_eq!(bus.holders(vip), ["node-a"], "at once");
    assert_eq!(
        bus.why(0, vip),
        "node-a: took over from node-c, which has left"
    );
}

#[test]
fn who_returns_takes_nothing_back() {
    let (mut bus, vip) = three();
    bus.kill(1, Departure::Lost);
    bus.restart(1);
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(bus.why(1, vip), "node-c: it had it when this node started");
}

#[test]
fn who_was_cut_off_hears_the_others_before_it_takes_anything() {
    let (mut bus, vip) = three();
    bus.input(1, interfaces(1, &[]));
    for other in [0, 2] {
        bus.part(1, other);
    }
    assert_eq!(bus.holders(vip), ["node-c"]);
    let round = bus.peers[2].round(vip);
    // The cable is back, and its link is up before anybody is heard.
    bus.input(1, interfaces(1, &["10.20.30.100/24"]));
    bus.run(Duration::from_millis(500));
    for other in [0, 2] {
        let member = bus.peers[other].id;
        bus.input(1, Input::MemberUp(member));
    }
    assert_eq!(bus.holders(vip), ["node-c"], "its claim is still to come");
    bus.run(Duration::from_millis(500));
    for other in [0, 2] {
        bus.heal(1, other);
    }
    bus.seconds(10);
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(bus.peers[2].round(vip), round, "it was never doubted");
    // Who hears nobody takes what it can, in the end.
    bus.input(1, interfaces(1, &[]));
    for other in [0, 2] {
        bus.part(1, other);
    }
    bus.input(1, interfaces(1, &["10.20.30.100/24"]));
    bus.seconds(3);
    assert_eq!(bus.holders(vip), ["node-b", "node-c"]);
}

#[test]
fn a_restart_that_nobody_noticed_loses_the_vip_at_once() {
    let (mut bus, vip) = three();
    bus.restart(1);
    assert_eq!(bus.holders(vip), ["node-c"]);
}

#[test]
fn who_knows_too_little_neither_claims_nor_calls_itself_ready() {
    let now = Bus::new(&[]).now;
    let settings = Settings {
        node: "node-a".into(),
        ipv4: true,
        ipv6: true,
        rebalance: None,
    };
    let knows = [Input::Synced, Input::Settled];
    for lacking in 0..2 {
        let mut machine = Ownership::new(settings.clone(), id(0, 1), now);
        machine.handle(interfaces(0, &["10.20.30.100/24"]), now);
        machine.handle(Input::Candidate(vip(VIP), Some(Scope::Anywhere)), now);
        machine.handle(knows[1 - lacking].clone(), now);
        machine.handle_timeout(now + Duration::from_secs(100));
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Hold { holding, .. } => {
                    assert!(matches!(holding, Holding::Elsewhere { .. }));
                }
                Output::Publish {
                    value: Some(Value::Node(node)),
                    ..
                } => assert!(!node.is_ready),
                Output::Publish { key, .. } => assert!(matches!(key, Key::Interface(_))),
                other => panic!("{other:?}"),
            }
        }
        machine.handle(knows[lacking].clone(), now);
        while machine.poll_output().is_some() {}
        assert_eq!(machine.held.len(), 1);
    }
}

#[test]
fn the_loss_of_all_others_moves_nothing() {
    let (mut bus, vip) = three();
    bus.part(0, 1);
    bus.part(1, 2);
    assert_eq!(bus.holders(vip), ["node-b", "node-c"], "each side has one");
    bus.seconds(10);
    bus.heal(0, 1);
    bus.heal(1, 2);
    assert_eq!(bus.holders(vip), ["node-c"], "the higher claim counts");
    let expected = "node-c: took over from node-b, which was lost";
    assert_eq!(bus.why(0, vip), expected);
    assert!(
        bus.why(1, vip).contains("its claim is higher"),
        "{}",
        bus.why(1, vip)
    );
}

#[test]
fn a_vip_that_is_on_nobodys_subnet_waits_for_a_subnet_and_not_for_any_news() {
    let (mut bus, _) = three();
    let far = vip("203.0.113.7");
    bus.candidate(far, Some(Scope::Anywhere));
    let other = (0..3).find(|index| !bus.peers[*index].holds(far)).unwrap();
    assert_eq!(bus.holders(far).len(), 1);
    for peer in &bus.peers {
        assert!(!peer.machine.unsettled.contains(&far));
    }
    let addresses = ["10.20.30.100/24", "203.0.113.1/24"];
    bus.input(other, interfaces(other, &addresses));
    bus.seconds(3);
    let name = bus.peers[other].machine.settings.node.to_string();
    assert_eq!(bus.holders(far), [name], "it is for that segment");
    bus.input(other, interfaces(other, &addresses[..1]));
    for peer in &bus.peers {
        assert!(!peer.machine.unsettled.contains(&far));
    }
}

#[test]
fn an_owner_is_called_by_its_name_as_soon_as_that_is_known() {
    let mut bus = Bus::new(&["node-a"]);
    let vip = vip(VIP);
    bus.candidate(vip, Some(nodes(&["node-h"])));
    let member = id(7, 1);
    bus.input(0, Input::MemberUp(member));
    let claim = Claim {
        term: 9,
        successor: None,
    };
    let node = Node {
        name: "node-h".into(),
        ipv4: true,
        ipv6: true,
        is_ready: true,
        ..Node::default()
    };
    let records = [
        (Key::Claim(vip), Value::Claim(claim)),
        (Key::Node, Value::Node(node)),
    ];
    for (key, value) in records {
        let value = Some(value);
        bus.input(0, Input::Record { member, key, value });
    }
    let expected = Holding::Elsewhere {
        owner: Some("node-h".into()),
        watched: false,
    };
    assert_eq!(bus.peers[0].holdings[&vip], expected);
}

#[test]
fn a_claim_waits_for_the_wire() {
    let (mut bus, vip) = three();
    bus.peers[2].applies = false;
    bus.input(1, Input::Impediment(Impediment::Draining, true));
    assert_eq!(bus.holders(vip), ["node-b", "node-c"]);
    assert!(!bus.peers[2].records.contains_key(&Key::Claim(vip)));
    let round = bus.peers[2].round(vip);
    bus.input(2, Input::Applied { vip, round });
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(
        bus.why(1, vip),
        "node-c: took over from node-b: it is draining"
    );
}

#[test]
fn who_cannot_take_it_is_passed_over_in_its_turn() {
    let (mut bus, vip) = three();
    // node-c has not heard of the service yet, and is the next.
    bus.peers[2]
        .machine
        .handle(Input::Candidate(vip, None), bus.now);
    bus.flush(2);
    bus.kill(1, Departure::Lost);
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.run(TURN.saturating_sub(Duration::from_millis(1)));
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.run(Duration::from_millis(1));
    assert_eq!(bus.holders(vip), ["node-a"]);
    bus.input(2, Input::Candidate(vip, Some(Scope::Anywhere)));
    assert_eq!(bus.holders(vip), ["node-a"]);
}

#[test]
fn a_drain_empties_a_node_and_its_end_brings_nothing_back() {
    let (mut bus, vip) = three();
    bus.fewest.clear();
    bus.input(1, Input::Impediment(Impediment::Draining, true));
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    bus.input(1, Input::Impediment(Impediment::Draining, false));
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-c"]);
}

#[test]
fn a_draining_node_keeps_what_nobody_else_can_have() {
    let (mut bus, vip) = three();
    bus.candidate(vip, Some(nodes(&["node-b"])));
    bus.input(1, Input::Impediment(Impediment::Draining, true));
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.candidate(vip, Some(nodes(&["node-a", "node-b"])));
    assert_eq!(bus.holders(vip), ["node-a"]);
}

#[test]
fn goodbye_is_said_when_all_is_handed_over_or_cannot_be() {
    let (mut bus, vip) = three();
    bus.peers[2].applies = false;
    bus.input(1, Input::Leaving);
    assert!(!bus.peers[1].has_left);
    let round = bus.peers[2].round(vip);
    bus.input(2, Input::Applied { vip, round });
    assert!(bus.peers[1].has_left);

    bus.kill(1, Departure::Left);
    bus.kill(0, Departure::Lost);
    bus.input(2, Input::Leaving);
    assert!(bus.peers[2].has_left, "nobody is there");
    assert_eq!(bus.holders(vip), ["node-c"], "to the end");
}

#[test]
fn goodbye_is_said_when_it_takes_too_long() {
    let (mut bus, _) = three();
    bus.peers[0].applies = false;
    bus.peers[2].applies = false;
    bus.input(1, Input::Leaving);
    bus.run(FAREWELL.saturating_sub(Duration::from_millis(1)));
    assert!(!bus.peers[1].has_left);
    bus.run(Duration::from_millis(1));
    assert!(bus.peers[1].has_left);
}

#[test]
fn endpoints_and_exclusion_move_it_without_a_gap() {
    let (mut bus, vip) = three();
    bus.fewest.clear();
    bus.candidate(vip, Some(nodes(&["node-a", "node-c"])));
    assert_eq!(bus.holders(vip), ["node-c"]);
    bus.input(2, Input::Impediment(Impediment::Excluded, true));
    assert_eq!(bus.holders(vip), ["node-a"]);
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    bus.candidate(vip, Some(nodes(&[])));
    assert_eq!(bus.holders(vip), [] as [&str; 0], "nobody could answer");
    bus.candidate(vip, Some(nodes(&["node-c"])));
    bus.seconds(10);
    assert_eq!(bus.holders(vip), [] as [&str; 0], "excluded");
    let nodes = bus.peers[0].machine.verdicts(vip);
    let reasons: Vec<_> = nodes
        .into_iter()
        .map(|(_, verdict)| verdict.unwrap_err())
        .collect();
    assert_eq!(
        reasons,
        [
            Ineligible::OutOfScope,
            Ineligible::OutOfScope,
            Ineligible::Impeded(Impediment::Excluded)
        ]
    );
}

#[test]
fn a_node_whose_endpoints_terminate_gives_way_to_a_ready_one_without_a_gap() {
    let (mut bus, vip) = three();
    let last = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<_>>();
    let terminating = || nodes(&NAMES).with_last_resort(last(&["node-b", "node-c"]));
    bus.fewest.clear();
    // As long as nobody else can have it, it stays, though its endpoints terminate, too.
    bus.input(0, Input::Impediment(Impediment::Draining, true));
    bus.candidate(vip, Some(terminating()));
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.input(0, Input::Impediment(Impediment::Draining, false));
    assert_eq!(bus.holders(vip), ["node-a"], "at once");
    let unfit =
        "node-a: took over from node-b: its endpoints terminate, and another node has a ready one";
    assert_eq!(bus.why(0, vip), unfit);
    bus.candidate(vip, Some(nodes(&NAMES)));
    bus.seconds(100);
    assert_eq!(
        bus.holders(vip),
        ["node-a"],
        "who is ready again takes nothing back"
    );
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    // Who has to take it after a loss may be one of last resort, and never for long.
    bus.candidate(vip, Some(terminating()));
    bus.kill(0, Departure::Lost);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.restart(0);
    assert_eq!(bus.holders(vip), ["node-a"]);
}

#[test]
fn a_node_that_does_not_pass_traffic_on_yet_takes_nothing_and_is_waited_for() {
    let (mut bus, vip) = three();
    // The next in order takes it from an owner that is lost, and nobody waits for the one held back.
    bus.input(2, Input::HeldBack(vip, true));
    bus.kill(1, Departure::Lost);
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.run(TURN);
    assert_eq!(bus.holders(vip), ["node-a"]);
    bus.restart(1);
    // An owner that is to give it up goes on until somebody passes it on.
    bus.fewest.clear();
    bus.input(1, Input::HeldBack(vip, true));
    bus.candidate(vip, Some(nodes(&NAMES).with_last_resort(["node-a".into()])));
    bus.seconds(4);
    assert_eq!(bus.holders(vip), ["node-a"]);
    let verdicts = bus.peers[1].machine.verdicts(vip);
    assert_eq!(verdicts[1].1, Err(Ineligible::ProxyNotReady));
    bus.input(1, Input::HeldBack(vip, false));
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert_eq!(bus.fewest[&vip], 1, "there is always one");
    // Whoever has it keeps it.
    bus.input(1, Input::HeldBack(vip, true));
    bus.seconds(100);
    assert_eq!(bus.holders(vip), ["node-b"]);
}

#[test]
fn an_owner_whose_endpoints_terminate_keeps_it_until_another_has_it() {
    let (mut bus, vip) = three();
    bus.peers[0].applies = false;
    bus.candidate(
        vip,
        Some(nodes(&NAMES).with_last_resort(["node-b".into(), "node-c".into()])),
    );
    bus.seconds(100);
    assert!(bus.holders(vip).contains(&"node-b".to_owned()));
}

#[test]
fn an_owner_whose_successors_do_not_come_stops_if_it_must() {
    let (mut bus, vip) = three();
    bus.peers[0].applies = false;
    bus.peers[2].applies = false;
    bus.input(1, Input::Impediment(Impediment::Excluded, true));
    bus.run(HANDOVER.saturating_sub(Duration::from_millis(1)));
    assert!(bus.holders(vip).contains(&"node-b".to_owned()));
    bus.run(Duration::from_millis(1));
    assert!(!bus.holders(vip).contains(&"node-b".to_owned()));
}

#[test]
fn without_an_interface_it_stops_at_once() {
    let (mut bus, vip) = three();
    bus.input(1, interfaces(1, &[]));
    assert_eq!(bus.holders(vip), ["node-c"]);
    bus.input(0, interfaces(0, &[]));
    bus.input(2, interfaces(2, &[]));
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.input(0, interfaces(0, &["10.20.30.1/24"]));
    bus.seconds(3);
    assert_eq!(
        bus.holders(vip),
        ["node-a"],
        "after the others had time to object"
    );
}

#[test]
fn only_nodes_of_its_segment_have_it_if_there_are_any() {
    let mut bus = Bus::new(&NAMES);
    let foreign = vip("203.0.113.1");
    let vip = vip(VIP);
    // The VIP itself on an interface is no subnet.
    bus.input(1, interfaces(1, &["198.51.100.1/24", "10.20.30.1/32"]));
    bus.input(2, interfaces(2, &["198.51.100.2/24"]));
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.candidate(foreign, Some(Scope::Anywhere));
    assert_eq!(bus.holders(vip), ["node-a"]);
    let told = bus.peers[0].machine.explain(vip).unwrap();
    assert!(!told.is_off_segment);
    let verdicts = bus.peers[0].machine.verdicts(vip);
    assert_eq!(verdicts[1].1, Err(Ineligible::OffSegment));
    assert_eq!(bus.holders(foreign).len(), 1);
    assert!(
        bus.peers[0]
            .machine
            .explain(foreign)
            .unwrap()
            .is_off_segment
    );
    // Better there than nowhere, but not on another segment while the right node is there.
    bus.input(0, Input::Impediment(Impediment::Draining, true));
    bus.seconds(10);
    assert_eq!(bus.holders(vip), ["node-a"]);
    bus.kill(0, Departure::Lost);
    assert_eq!(bus.holders(vip), ["node-b"]);
    bus.restart(0);
    assert_eq!(
        bus.holders(vip),
        ["node-a"],
        "it is the only one that is right"
    );
}

#[test]
fn a_vip_that_is_none_any_more_is_forgotten() {
    let (mut bus, vip) = three();
    bus.candidate(vip, None);
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.seconds(10);
    for peer in &bus.peers {
        assert!(peer.machine.vips.is_empty());
        assert!(!peer.records.contains_key(&Key::Claim(vip)));
        assert_eq!(peer.machine.poll_timeout(), None);
    }
}

#[test]
fn a_cluster_that_starts_spreads_its_vips() {
    let mut bus = Bus::new(&[]);
    for host in 1..=90 {
        bus.candidate(vip(&format!("10.20.30.{host}")), Some(Scope::Anywhere));
    }
    // All start within a second of each other.
    bus.delay = 300;
    for name in NAMES {
        bus.add(name);
    }
    bus.seconds(10);
    let count = |name: &str| {
        let vips = bus.scopes.keys();
        vips.filter(|vip| bus.holders(**vip) == [name]).count()
    };
    let counts = NAMES.map(count);
    assert_eq!(counts.iter().sum::<usize>(), 90);
    assert!(counts.iter().all(|count| *count >= 15), "{counts:?}");
}

#[test]
fn two_daemons_of_one_node_name_each_other() {
    let bus = Bus::new(&["node-a", "node-b", "node-a"]);
    let namesake = |peer: usize, other| {
        let (member, name) = (id(other, 1), "node-a".into());
        bus.peers[peer].notes == [Note::Namesake { member, name }]
    };
    assert!(namesake(0, 2) && namesake(2, 0));
    assert!(bus.peers[1].notes.is_empty());
}

#[test]
fn two_nodes_with_one_ethernet_address_are_named() {
    let mut bus = Bus::new(&NAMES);
    let shared = |bus: &Bus| bus.peers[1].machine.shared_station();
    assert_eq!(shared(&bus), None);
    bus.input(2, interfaces(0, &["10.20.30.102/24"]));
    bus.seconds(1);
    let names = ["node-a", "node-c"].map(Arc::from);
    assert_eq!(shared(&bus), Some((mac(0), names)));
    bus.input(2, interfaces(0, &["10.20.31.102/24"]));
    bus.seconds(1);
    assert_eq!(shared(&bus), None, "another segment");
}

#[test]
fn the_address_of_a_node_is_announced_by_no_other() {
    let mut bus = Bus::new(&NAMES);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    let first = bus.holders(vip).concat();
    let other = usize::from(first == NAMES[0]);
    // As a subnet, not alone: an address alone is one that we or others have put there.
    bus.input(
        other,
        interfaces(other, &["10.20.30.100/24", "10.20.30.1/32"]),
    );
    bus.seconds(10);
    assert_eq!(bus.holders(vip), [&*first]);
    bus.input(other, interfaces(other, &["10.20.30.1/24"]));
    assert_eq!(bus.holders(vip), [NAMES[other]]);
    for peer in &bus.peers {
        let told = peer.machine.explain(vip).unwrap();
        assert_eq!(told.host.as_deref(), Some(NAMES[other]));
    }
    let machine = &mut bus.peers[other].machine;
    machine.handle(Input::Renamed(id(other, 2)), bus.now);
    assert_eq!(
        machine.verdicts(vip)[other].1,
        Ok(()),
        "by another identity"
    );
    machine.handle(Input::Renamed(id(other, 1)), bus.now);
    bus.kill(other, Departure::Lost);
    bus.seconds(10);
    assert_eq!(
        bus.holders(vip),
        [] as [&str; 0],
        "the daemon may be lost alone"
    );
}

/// The interface of a node, on which VIPs of IPv4 can be announced or not.
fn port(index: usize, addresses: &[&str], open: &[u32]) -> Input {
    let Input::Interfaces(all) = interfaces(index, addresses) else {
        panic!("no interfaces");
    };
    let open = open.iter().copied().collect();
    let all = Interfaces::clone(&all).with_open(Family::V4, &open);
    Input::Interfaces(Arc::new(all))
}

#[test]
fn who_cannot_speak_on_the_segment_of_a_vip_neither_keeps_nor_takes_it() {
    let (mut bus, vip) = three();
    assert_eq!(bus.holders(vip), ["node-b"]);
    let addresses = ["10.20.30.101/24", "fe80::1/64"];
    bus.input(1, port(1, &addresses, &[]));
    assert_eq!(bus.holders(vip), ["node-c"], "at once");
    let verdicts = bus.peers[0].machine.verdicts(vip);
    assert_eq!(verdicts[1].1, Err(Ineligible::Family(Family::V4)));

    // Cut off from all others, it does not think that it is the only one left.
    bus.part(1, 0);
    bus.part(1, 2);
    bus.seconds(10);
    assert!(!bus.peers[1].holds(vip));
    // Nor with another subnet on which it could.
    let Input::Interfaces(one) = interfaces(1, &addresses) else {
        panic!("no interfaces");
    };
    let mut all: Vec<Interface> = one.iter().cloned().collect();
    all.push(Interface {
        index: 7,
        name: "eth1".into(),
        addresses: vec!["198.51.100.1/24".parse().unwrap()],
        ..all[0].clone()
    });
    let all = Interfaces::usable(&all, &Exclusion::default());
    let all = Arc::new(all.with_open(Family::V4, &[7].into()));
    bus.input(1, Input::Interfaces(all));
    bus.seconds(10);
    assert!(!bus.peers[1].holds(vip));
    let verdicts = bus.peers[1].machine.verdicts(vip);
    assert_eq!(verdicts[1].1, Err(Ineligible::NoPort));

    bus.input(1, port(1, &addresses, &[2]));
    bus.heal(1, 0);
    bus.heal(1, 2);
    bus.seconds(10);
    assert_eq!(bus.holders(vip), ["node-c"], "it takes nothing back");
}

#[test]
fn who_has_no_address_of_a_family_has_no_vip_of_it() {
    let (mut bus, vip) = three();
    bus.part(1, 0);
    bus.part(1, 2);
    bus.seconds(5);
    assert!(bus.peers[1].holds(vip), "it thinks that it is alone");
    bus.input(1, interfaces(1, &["fe80::1/64", "169.254.3.4/16"]));
    bus.seconds(10);
    assert!(!bus.peers[1].holds(vip));
}

/// The interfaces of a node, by index from 2, each with a name and an address.
fn several(index: usize, all: &[(&str, &str)]) -> Input {
    let interface = |(number, (name, address)): (u32, &(&str, &str))| Interface {
        mac: Some(mac(index)),
        ..crate::testing::interface(number, name, &[*address])
    };
    let all: Vec<_> = (2..).zip(all).map(interface).collect();
    Input::Interfaces(Arc::new(Interfaces::usable(&all, &Exclusion::default())))
}

fn on(names: &[&str]) -> Scope {
    let names = names.iter().map(|name| Arc::from(*name)).collect();
    Scope::Anywhere.on(&Arc::new(names))
}

#[test]
fn only_who_has_an_interface_of_these_names_has_the_vip() {
    let mut bus = Bus::new(&NAMES);
    let foreign = vip("203.0.113.1");
    let (eth0, eth1) = (("eth0", "10.20.30.100/24"), ("eth1", "198.51.100.1/24"));
    // The VIP's subnet is on an interface that is not named, which does not count.
    bus.input(0, several(0, &[eth0, eth1]));
    bus.input(1, several(1, &[eth0]));
    bus.input(2, several(2, &[eth0, ("eth1", "fe80::1/64")]));
    let vip = vip(VIP);
    for vip in [vip, foreign] {
        bus.candidate(vip, Some(on(&["eth1", "lan"])));
        bus.seconds(5);
        assert_eq!(bus.holders(vip), ["node-a"], "it comes last in the order");
        for peer in &bus.peers {
            let verdicts = peer.machine.verdicts(vip).into_iter();
            let verdicts: Vec<_> = verdicts
                .map(|(_, verdict)| verdict.err().map(|why| why.to_string()))
                .collect();
            let why = "none of the interfaces that advertisements name for this address (eth1, \
                 lan) can be used there";
            let why = || Some(why.to_owned());
            assert_eq!(verdicts, [None, why(), why()]);
        }
    }
    // It goes with the interface, at once, and to nobody who has none.
    bus.input(1, several(1, &[eth0, ("lan", "203.0.113.2/24")]));
    bus.input(0, several(0, &[eth0]));
    bus.seconds(5);
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert_eq!(bus.holders(foreign), ["node-b"]);
    bus.input(1, several(1, &[eth0]));
    bus.seconds(20);
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    // Without names it is for all.
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(5);
    assert_eq!(bus.holders(vip).len(), 1);
    assert_eq!(bus.holders(foreign), [] as [&str; 0]);
}

#[test]
fn names_of_interfaces_are_told_from_the_first_vip_on_that_is_for_some() {
    let mut bus = Bus::new(&NAMES);
    let (one, other) = (vip(VIP), vip("10.20.30.2"));
    let named = |bus: &Bus| -> Vec<Option<Named>> {
        let values = bus.peers.iter().flat_map(|peer| peer.records.values());
        values
            .filter_map(|value| match value {
                Value::Interface(interface) => Some(interface.named.clone()),
                Value::Node(_) | Value::Claim(_) | Value::Request(_) => None,
            })
            .collect()
    };
    bus.candidate(one, Some(Scope::Anywhere));
    bus.candidate(other, Some(nodes(&["node-a"])));
    bus.seconds(5);
    assert_eq!(named(&bus), [None, None, None]);
    let owner = bus.holders(one);
    bus.candidate(one, Some(on(&["eth0"])));
    bus.candidate(other, Some(on(&["eth1"])));
    bus.seconds(10);
    let told = Some(Named {
        name: "eth0".into(),
        ipv4: true,
        ipv6: true,
    });
    assert_eq!(named(&bus), [told.clone(), told.clone(), told.clone()]);
    assert_eq!(bus.holders(one), owner, "who may keep it does");
    assert_eq!(bus.holders(other), [] as [&str; 0]);
    bus.candidate(one, None);
    bus.candidate(other, Some(Scope::Anywhere));
    bus.seconds(5);
    assert_eq!(named(&bus), [told.clone(), told.clone(), told]);
    assert_eq!(bus.holders(other).len(), 1);
}
