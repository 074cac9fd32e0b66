use proptest::prelude::*;

use super::*;
use bus::mac;

const NAMES: [&str; 3] = ["node-a", "node-b", "node-c"];

fn wired() -> (Bus, IpAddr) {
    let mut bus = Bus::new(&NAMES);
    bus.has_wire = true;
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(10);
    (bus, vip)
}

fn isolate(bus: &mut Bus, index: usize) {
    for other in 0..bus.peers.len() {
        if other != index {
            bus.part(index, other);
        }
    }
}

#[test]
fn the_segment_settles_what_gossip_cannot() {
    let (mut bus, vip) = wired();
    isolate(&mut bus, 1);
    bus.run(Duration::from_millis(100));
    assert_eq!(bus.holders(vip), ["node-c"], "the incumbent yields");
    bus.seconds(3600);
    assert_eq!(bus.holders(vip), ["node-c"], "for as long as it is heard");
    let owner = Some("node-c".into());
    let watched = Holding::Elsewhere {
        owner,
        watched: true,
    };
    assert_eq!(bus.peers[1].holdings[&vip], watched);
    assert!(bus.why(1, vip).contains("heard on the segment"));
    bus.heal(1, 2);
    bus.heal(1, 0);
    bus.seconds(60);
    assert_eq!(bus.holders(vip), ["node-c"], "the claims say the same");
    let owner = Some("node-c".into());
    let elsewhere = Holding::Elsewhere {
        owner,
        watched: false,
    };
    assert_eq!(bus.peers[1].holdings[&vip], elsewhere);
}

#[test]
fn who_watches_takes_it_when_nobody_answers() {
    let (mut bus, vip) = wired();
    isolate(&mut bus, 1);
    bus.seconds(60);
    bus.peers[0].is_up = false;
    bus.peers[2].is_up = false;
    bus.run(Duration::from_millis(2400));
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.run(Duration::from_millis(1200));
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert_eq!(
        bus.why(1, vip),
        "node-b: node-c is not heard on the segment any more"
    );
}

#[test]
fn who_watched_a_member_that_is_back_does_not_wait_for_the_segment() {
    for later in [0, 1] {
        let (mut bus, vip) = wired();
        isolate(&mut bus, 1);
        bus.seconds(60);
        bus.peers[0].is_up = false;
        bus.peers[2].is_up = false;
        // Its records came before, and say that the claim of node-b is the highest.
        let mut back = bus.peers[2].id;
        back.generation += later;
        bus.input(1, Input::MemberUp(back));
        bus.run(Duration::from_millis(600));
        assert_eq!(bus.holders(vip), ["node-b"], "{later} runs later");
    }
}

#[test]
fn a_foreign_host_is_defended_against_but_not_obeyed() {
    let (mut bus, vip) = wired();
    let station = mac(77);
    let first = bus.peers[1].round(vip);
    let mut rounds = BTreeSet::from([first]);
    for _ in 0..25 {
        bus.input(1, Input::Conflict { vip, station });
        rounds.insert(bus.peers[1].round(vip));
        bus.seconds(1);
    }
    assert_eq!(rounds.len(), 4, "at 0, 10 and 20 s");
    assert_eq!(bus.holders(vip), ["node-b"]);
    let note = Note::Conflict {
        vip,
        station,
        node: None,
    };
    assert_eq!(
        bus.peers[1]
            .notes
            .iter()
            .filter(|told| **told == note)
            .count(),
        1
    );
    let conflict = |bus: &Bus| bus.peers[1].machine.explain(vip).unwrap().conflict;
    assert_eq!(conflict(&bus).unwrap().station, station);
    bus.seconds(60);
    assert!(conflict(&bus).is_none());
}

#[test]
fn our_own_station_and_one_with_which_we_talk_are_no_news() {
    let (mut bus, vip) = wired();
    let round = bus.peers[1].round(vip);
    bus.input(
        1,
        Input::Conflict {
            vip,
            station: mac(1),
        },
    );
    bus.input(
        1,
        Input::Conflict {
            vip,
            station: mac(2),
        },
    );
    assert_eq!(bus.peers[1].round(vip), round);
    assert_eq!(bus.holders(vip), ["node-b"]);
    assert!(
        bus.peers[1]
            .machine
            .explain(vip)
            .unwrap()
            .conflict
            .is_none()
    );
    bus.seconds(3);
    bus.input(
        1,
        Input::Conflict {
            vip,
            station: mac(2),
        },
    );
    let told = bus.peers[1].machine.explain(vip).unwrap().conflict;
    assert_eq!(
        told.unwrap().node,
        Some("node-c".into()),
        "it should have stopped"
    );
    assert_ne!(bus.peers[1].round(vip), round);
}

#[test]
fn what_was_heard_counts_when_the_station_turns_out_to_be_out_of_reach() {
    let (mut bus, vip) = wired();
    // node-c notices first.
    let (b, c) = (bus.peers[1].id, bus.peers[2].id);
    bus.cut.extend([(1, 2), (0, 1)]);
    let why = Departure::Lost;
    bus.input(2, Input::MemberDown { member: b, why });
    assert_eq!(bus.holders(vip), ["node-b", "node-c"]);
    bus.run(Duration::from_millis(400));
    bus.input(1, Input::MemberDown { member: c, why });
    assert_eq!(bus.holders(vip), ["node-c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whoever believes what at which time: machines that are joined by the segment alone settle on
    /// one of them, and it stays there.
    #[test]
    fn machines_on_one_wire_settle_and_stay(
        count in 2_usize..=3,
        parts in prop::collection::vec((0_usize..3, 0_u64..1500), 1..4),
        kill in prop::option::of(0_u64..3000),
        host in 1_u8..200,
    ) {
        let mut bus = Bus::new(&NAMES[..count]);
        bus.has_wire = true;
        let vip = vip(&format!("10.20.30.{host}"));
        bus.candidate(vip, Some(Scope::Anywhere));
        for (index, wait) in parts {
            isolate(&mut bus, index % count);
            bus.run(Duration::from_millis(wait));
        }
        for index in 0..count {
            isolate(&mut bus, index);
        }
        if let Some(wait) = kill {
            bus.run(Duration::from_millis(wait));
            let owner = (0..count).find(|index| bus.peers[*index].holds(vip));
            if let Some(owner) = owner {
                bus.peers[owner].is_up = false;
            }
        }
        bus.seconds(10);
        let holders = bus.holders(vip);
        prop_assert_eq!(holders.len(), 1);
        bus.fewest.clear();
        for _ in 0..60 {
            bus.seconds(1);
            prop_assert_eq!(&bus.holders(vip), &holders);
        }
        prop_assert!(bus.fewest.values().all(|fewest| *fewest == 1));
    }
}
