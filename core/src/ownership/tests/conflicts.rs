use proptest::prelude::*;

use super::*;
use bus::mac;

use crate::interface::MacAddress;
use crate::mark::Mark;
use crate::membership::record::Claim;

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

/// What is heard of a station without a mark.
fn foreign(vip: IpAddr, station: MacAddress) -> Input {
    Input::Conflict {
        vip,
        station,
        mark: None,
        local: mac(1),
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
        bus.input(1, foreign(vip, station));
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
    bus.input(1, foreign(vip, mac(1)));
    bus.input(1, foreign(vip, mac(2)));
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
    bus.input(1, foreign(vip, mac(2)));
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

/// The member whose daemon may keep what two strangers have.
fn first(bus: &Bus) -> usize {
    let mark = |index: &usize| {
        let peer: &bus::Peer = &bus.peers[*index];
        let name = &peer.machine.settings.node;
        (Mark::of(name, peer.id.generation), mac(*index))
    };
    let all = 0..bus.peers.len();
    let precedes = |one: usize, other| {
        if Mark::precedes(mark(&one), mark(&other)) {
            one
        } else {
            other
        }
    };
    all.reduce(precedes).unwrap()
}

#[test]
fn strangers_with_a_mark_settle_on_one_and_say_why() {
    let mut bus = Bus::strangers(&NAMES[..2]);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(3);
    let (winner, loser) = (first(&bus), 1 - first(&bus));
    assert_eq!(bus.holders(vip), [NAMES[winner]]);
    let watched = Holding::Elsewhere {
        owner: None,
        watched: true,
    };
    assert_eq!(bus.peers[loser].holdings[&vip], watched);
    let station = mac(winner);
    let told = Note::Outsider { vip, station };
    let notes = &bus.peers[loser].notes;
    assert_eq!(notes.iter().filter(|note| **note == told).count(), 1);
    let explanation = bus.peers[loser].machine.explain(vip).unwrap();
    assert!(explanation.owner.is_none());
    let conflict = explanation.conflict.unwrap();
    assert!(conflict.is_outsider);
    assert_eq!(conflict.station, station);
    let name: Arc<str> = format!("the daemon at {station}").into();
    let gave_up = Note::GaveUp {
        vip,
        to: Some(name.clone()),
    };
    assert!(bus.peers[loser].notes.contains(&gave_up));
    bus.peers[winner].is_up = false;
    bus.run(Duration::from_millis(2400));
    assert_eq!(bus.holders(vip), [] as [&str; 0]);
    bus.run(Duration::from_millis(1200));
    assert_eq!(bus.holders(vip), [NAMES[loser]]);
    let owner = bus.peers[loser].machine.explain(vip).unwrap().owner;
    assert_eq!(owner.unwrap().why, Why::Silent(name));
}

#[test]
fn strangers_that_become_members_move_nothing() {
    for host in 1..40 {
        let mut bus = Bus::strangers(&NAMES[..2]);
        let vip = vip(&format!("10.20.30.{host}"));
        bus.candidate(vip, Some(Scope::Anywhere));
        bus.seconds(5);
        let winner = first(&bus);
        bus.fewest.clear();
        bus.heal(0, 1);
        for _ in 0..60 {
            bus.run(Duration::from_millis(200));
            assert_eq!(bus.holders(vip), [NAMES[winner]]);
        }
        assert_eq!(bus.fewest[&vip], 1);
        let owner = Some(NAMES[winner].into());
        let elsewhere = Holding::Elsewhere {
            owner,
            watched: false,
        };
        assert_eq!(bus.peers[1 - winner].holdings[&vip], elsewhere);
    }
}

#[test]
fn members_of_two_clusters_settle_on_one() {
    for host in 1..40 {
        let mut bus = Bus::strangers(&NAMES);
        bus.heal(0, 1);
        let vip = vip(&format!("10.20.30.{host}"));
        bus.candidate(vip, Some(Scope::Anywhere));
        bus.seconds(10);
        let holders = bus.holders(vip);
        assert_eq!(holders.len(), 1, "{holders:?}");
        for _ in 0..60 {
            bus.seconds(1);
            assert_eq!(bus.holders(vip), holders);
        }
    }
}

#[test]
fn a_stranger_without_a_mark_is_no_daemon() {
    let mut bus = Bus::strangers(&NAMES[..1]);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(5);
    bus.input(0, foreign(vip, mac(77)));
    assert_eq!(bus.holders(vip), ["node-a"]);
    let conflict = bus.peers[0].machine.explain(vip).unwrap().conflict;
    assert!(!conflict.unwrap().is_outsider);
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
        restart in prop::option::of(0_usize..3),
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
        // It knows nobody any more, but the others know what it was.
        if let Some(index) = restart {
            bus.restart(index % count);
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
    /// Machines that have never talked settle on the same one, whenever each of them starts.
    #[test]
    fn strangers_on_one_wire_settle_and_stay(
        count in 2_usize..=3,
        waits in prop::collection::vec(0_u64..3000, 3),
        host in 1_u8..200,
    ) {
        let mut bus = Bus::strangers(&[]);
        let vip = vip(&format!("10.20.30.{host}"));
        bus.candidate(vip, Some(Scope::Anywhere));
        for index in 0..count {
            bus.cut.extend((0..index).map(|other| (other, index)));
            bus.add(NAMES[index]);
            bus.run(Duration::from_millis(waits[index]));
        }
        bus.seconds(3);
        let expected = NAMES[first(&bus)];
        for _ in 0..60 {
            prop_assert_eq!(bus.holders(vip), [expected]);
            bus.seconds(1);
        }
    }
}

#[test]
fn a_member_on_the_segment_is_doubted_unless_its_claim_says_why() {
    let vip = vip(VIP);
    let mut bus = Bus::new(&NAMES);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(10);
    let (owner, other) = (1, 2);
    let rival = bus.peers[other].id;
    let heard = foreign(vip, mac(other));
    let now = bus.now;
    let machine = &mut bus.peers[owner].machine;
    let doubts = |machine: &mut Ownership| {
        let outputs = std::iter::from_fn(|| machine.poll_output());
        outputs
            .filter(|output| *output == Output::Doubt(rival))
            .count()
    };
    machine.handle(heard.clone(), now);
    assert_eq!(doubts(machine), 1);
    machine.handle(heard.clone(), now);
    assert_eq!(doubts(machine), 0, "it is asked already");
    let claim = Claim {
        term: 100,
        successor: None,
    };
    let value = Some(Value::Claim(claim));
    machine.handle(
        Input::Record {
            member: rival,
            key: Key::Claim(vip),
            value,
        },
        now,
    );
    machine.handle(heard, now);
    assert_eq!(doubts(machine), 0, "the claims decide");
}

#[test]
fn two_foreign_stations_are_defended_against_as_rarely_as_one() {
    let (mut bus, vip) = wired();
    let owner = bus.peers.iter().position(|peer| peer.holds(vip)).unwrap();
    let (mut rounds, mut round) = (0, bus.peers[owner].round(vip));
    bus.peers[owner].notes.clear();
    for second in 0..60 {
        for station in [mac(77), mac(78)] {
            bus.input(owner, foreign(vip, station));
            rounds += u32::from(bus.peers[owner].round(vip) != round);
            round = bus.peers[owner].round(vip);
        }
        bus.seconds(1);
        assert!(rounds <= second / 10 + 1, "{rounds} after {second} s");
    }
    let conflict = |note: &&Note| matches!(note, Note::Conflict { .. });
    assert_eq!(bus.peers[owner].notes.iter().filter(conflict).count(), 1);
}

#[test]
fn a_member_is_known_by_its_mark_when_a_bond_has_changed_its_station() {
    let (mut bus, vip) = wired();
    let owner = bus.peers.iter().position(|peer| peer.holds(vip)).unwrap();
    let other = (owner + 1) % NAMES.len();
    let mark = Mark::of(NAMES[other], bus.peers[other].id.generation);
    for station in [mac(77), mac(78)] {
        bus.input(
            owner,
            Input::Conflict {
                vip,
                station,
                mark: Some(mark),
                local: mac(owner),
            },
        );
    }
    bus.seconds(1);
    assert!(bus.peers[owner].holds(vip), "the claims decide");
    let notes = &bus.peers[owner].notes;
    let outsider = |note: &Note| matches!(note, Note::Outsider { .. });
    assert!(!notes.iter().any(outsider), "{notes:?}");
}
