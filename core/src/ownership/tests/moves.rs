use carillon_gossip::record::Impediment;

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
