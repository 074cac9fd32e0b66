use carillon_gossip::record::{Claim, Impediment};
use proptest::prelude::*;

use super::*;
use bus::mac;

use crate::interface::MacAddress;
use crate::mark::Mark;

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

/// Nobody gets an address off the air again and again by answering for it now and then.
#[test]
fn who_answered_and_stopped_has_to_answer_for_longer() {
    let mut bus = Bus::new(&["node-a"]);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(10);
    let mine = (Mark::of("node-a", 1), mac(0));
    let marks = (0..).map(|number| Mark::of(&format!("liar-{number}"), 1));
    let mut marks = marks.filter(|mark| Mark::precedes((*mark, mac(77)), mine));
    let (mark, station) = (marks.next().unwrap(), mac(77));
    let conflict = Input::Conflict {
        vip,
        station,
        mark: Some(mark),
        local: mac(0),
    };
    let answer = |has_answered| Input::Answer {
        vip,
        station,
        has_answered,
    };
    let mut longest = Duration::ZERO;
    for round in 0..4 {
        let start = bus.now;
        while !bus.holders(vip).is_empty() {
            bus.run(Duration::from_millis(50));
            bus.input(0, conflict.clone());
            bus.input(0, answer(true));
        }
        let time = bus.now - start;
        assert!(round == 0 || time >= longest * 3 / 2, "{round}: {time:?}");
        longest = time;
        bus.input(0, answer(false));
        assert_eq!(bus.holders(vip), ["node-a"]);
    }
    assert!(longest >= Duration::from_secs(2));
}

#[test]
fn a_split_of_gossip_alone_moves_nothing() {
    for host in 1..20 {
        let mut bus = Bus::new(&NAMES);
        bus.has_wire = true;
        let vip = vip(&format!("10.20.30.{host}"));
        bus.candidate(vip, Some(Scope::Anywhere));
        bus.seconds(10);
        let holders = bus.holders(vip);
        bus.fewest.clear();
        for cut_off in 0..3 {
            isolate(&mut bus, cut_off);
            for _ in 0..100 {
                bus.run(Duration::from_millis(100));
                assert_eq!(bus.holders(vip), holders, "{cut_off} is cut off");
            }
            for other in 0..3 {
                bus.heal(cut_off, other);
            }
            bus.seconds(20);
            assert_eq!(bus.holders(vip), holders, "{cut_off} is back");
        }
        assert_eq!(bus.fewest[&vip], 1);
        for peer in &bus.peers {
            let has_claim = peer.records.contains_key(&Key::Claim(vip));
            assert_eq!(has_claim, peer.holds(vip), "nobody claims for another");
        }
    }
}

#[test]
fn who_is_lost_to_the_gossip_alone_is_shown_as_the_owner_and_watched() {
    let (mut bus, vip) = wired();
    isolate(&mut bus, 1);
    bus.seconds(3600);
    assert_eq!(bus.holders(vip), ["node-b"]);
    for (index, watched) in [(0, false), (2, true)] {
        let owner = Some("node-b".into());
        let elsewhere = Holding::Elsewhere { owner, watched };
        assert_eq!(bus.peers[index].holdings[&vip], elsewhere, "{index}");
    }
    assert!(bus.why(2, vip).contains("heard on the segment"));
}

#[test]
fn who_watches_takes_it_within_a_fifth_of_a_second_when_nobody_answers() {
    let (mut bus, vip) = wired();
    isolate(&mut bus, 1);
    bus.seconds(60);
    bus.peers[1].is_up = false;
    bus.run(Duration::from_millis(200));
    assert_eq!(bus.holders(vip), ["node-c"]);
    assert_eq!(
        bus.why(2, vip),
        "node-c: node-b is not heard on the segment any more"
    );
}

/// What is heard from a station that answers no question.
fn forged(vip: IpAddr, station: MacAddress, mark: Option<Mark>, local: MacAddress) -> Input {
    Input::Conflict {
        vip,
        station,
        mark,
        local,
    }
}

#[test]
fn hearsay_stops_nobody() {
    let stranger = || {
        let names = (0..).map(|number| format!("stranger-{number}"));
        let mut marks = names.map(|name| Mark::of(&name, 7));
        let mine = NAMES.map(|name| (Mark::of(name, 1), mac(0)));
        let is_first = |mark: &Mark| {
            mine.iter()
                .all(|one| Mark::precedes((*mark, mac(77)), *one))
        };
        marks.find(is_first).unwrap()
    };
    let gone = Mark::of("node-c", 1);
    for (station, mark) in [
        (mac(77), Some(stranger())),
        (mac(2), Some(gone)),
        (mac(2), None),
        (mac(2), Some(stranger())),
    ] {
        for pause in [1, 3, 11] {
            let (mut bus, vip) = wired();
            bus.kill(2, Departure::Lost);
            bus.seconds(10);
            assert_eq!(bus.holders(vip), ["node-b"]);
            bus.peers[1].notes.clear();
            bus.fewest.clear();
            let (mut rounds, mut round) = (0, bus.peers[1].round(vip));
            for _ in 0..20 {
                bus.input(1, forged(vip, station, mark, mac(1)));
                bus.run(Duration::from_secs(pause));
                rounds += u64::from(bus.peers[1].round(vip) != round);
                round = bus.peers[1].round(vip);
            }
            assert_eq!(bus.holders(vip), ["node-b"], "{station} {mark:?}");
            assert_eq!(bus.fewest[&vip], 1, "{station} {mark:?}");
            assert!(rounds > 0, "it is defended");
            let notes = &bus.peers[1].notes;
            // Without a mark it is no daemon that would have to answer.
            let kind = mark.map_or(Intrusion::Overlapping, |_| Intrusion::Unanswering);
            let told = notes
                .iter()
                .filter(|note| matches!(note, Note::Conflict { kind: told, .. } if *told == kind));
            assert_eq!(told.count(), 1, "{station} {mark:?}: {notes:?}");
            let asked = &bus.peers[1].asked;
            assert!(asked.is_empty(), "{asked:?}");
        }
    }
}

#[test]
fn who_yielded_takes_it_back_within_a_fifth_of_a_second_when_the_answers_end() {
    let mut bus = Bus::strangers(&NAMES[..2]);
    let vip = vip(VIP);
    bus.candidate(vip, Some(Scope::Anywhere));
    bus.seconds(3);
    let winner = first(&bus);
    assert_eq!(bus.holders(vip), [NAMES[winner]]);
    bus.peers[winner].is_up = false;
    bus.run(Duration::from_millis(200));
    assert_eq!(bus.holders(vip), [NAMES[1 - winner]]);
}

#[test]
fn a_deaf_node_takes_nothing_and_loses_nothing() {
    let mut bus = Bus::new(&NAMES);
    bus.has_wire = true;
    let vips: Vec<IpAddr> = (1..20).map(|n| vip(&format!("10.20.30.{n}"))).collect();
    for vip in &vips {
        bus.candidate(*vip, Some(Scope::Anywhere));
    }
    bus.seconds(10);
    let holders = |bus: &Bus| vips.iter().map(|vip| bus.holders(*vip)).collect::<Vec<_>>();
    let before = holders(&bus);
    bus.peers[1].is_deaf = true;
    for other in [0, 2] {
        let (member, why) = (bus.peers[other].id, Departure::Lost);
        bus.cut.insert((1.min(other), 1.max(other)));
        bus.input(1, Input::Suspect(member));
        bus.run(Duration::from_millis(300));
        bus.input(1, Input::Deaf(true));
        bus.input(1, Input::MemberDown { member, why });
    }
    bus.seconds(600);
    assert_eq!(holders(&bus), before);
    // It turns out that the others are gone indeed.
    bus.peers[0].is_up = false;
    bus.peers[2].is_up = false;
    bus.seconds(60);
    bus.peers[1].is_deaf = false;
    bus.run(Duration::from_millis(200));
    let all = vec![vec!["node-b".to_owned()]; vips.len()];
    assert_eq!(holders(&bus), all, "it hears somebody");
}

#[test]
fn the_last_of_three_takes_what_it_hears_nobody_for_once_a_router_answers() {
    for has_router in [false, true] {
        let (mut bus, vip) = wired();
        bus.has_clients = false;
        bus.has_router = has_router;
        bus.kill(0, Departure::Lost);
        bus.seconds(10);
        bus.kill(1, Departure::Lost);
        bus.run(Duration::from_millis(200));
        let holders = bus.holders(vip);
        assert_eq!(holders == ["node-c"], has_router, "{holders:?}");
    }
}

/// It was late, and well; and then it is dead.
#[test]
fn an_answer_in_an_earlier_silence_says_nothing_in_the_next() {
    let (mut bus, vip) = wired();
    let member = bus.peers[1].id;
    let suspect = |bus: &mut Bus| {
        for peer in [0, 2] {
            bus.input(peer, Input::Suspect(member));
        }
    };
    suspect(&mut bus);
    bus.seconds(1);
    bus.peers[1].is_up = false;
    suspect(&mut bus);
    bus.run(Duration::from_millis(25));
    for peer in [0, 2] {
        let why = Departure::Lost;
        bus.input(peer, Input::MemberDown { member, why });
    }
    bus.run(Duration::from_millis(10));
    assert_eq!(bus.holders(vip), ["node-c"]);
}

#[test]
fn who_took_it_from_one_that_stood_still_keeps_it() {
    let (mut bus, vip) = wired();
    bus.kill(1, Departure::Lost);
    bus.seconds(300);
    assert_eq!(bus.holders(vip), ["node-c"]);
    // It goes on where it stood, and believes that nothing has happened.
    bus.peers[1].is_up = true;
    let mark = Some(Mark::of("node-b", 1));
    for _ in 0..4 {
        bus.input(2, forged(vip, mac(1), mark, mac(2)));
        bus.run(Duration::from_millis(500));
        assert!(bus.peers[2].holds(vip));
    }
    for other in [0, 2] {
        bus.heal(1, other);
    }
    bus.seconds(10);
    assert_eq!(bus.holders(vip), ["node-c"]);
}

#[test]
fn a_term_that_leaves_no_higher_one_is_none() {
    let (mut bus, vip) = wired();
    for term in [u64::MAX, 1 << 63] {
        let successor = None;
        let value = Some(Value::Claim(Claim { term, successor }));
        let member = bus.peers[2].id;
        let key = Key::Claim(vip);
        bus.input(1, Input::Record { member, key, value });
        bus.seconds(1);
        assert_eq!(bus.holders(vip), ["node-b"]);
    }
    bus.kill(1, Departure::Lost);
    bus.seconds(5);
    assert_eq!(bus.holders(vip), ["node-c"]);
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
        kind: Intrusion::Host,
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
    bus.seconds(120);
    assert!(conflict(&bus).is_some(), "it may answer the next question");
    bus.seconds(30);
    assert!(conflict(&bus).is_none());
}

/// The kernel of a node answers for all addresses that the node has, and bears no mark.
#[test]
fn the_kernel_of_a_node_that_goes_on_answering_is_named() {
    let (mut bus, vip) = wired();
    bus.kill(2, Departure::Lost);
    bus.seconds(10);
    bus.peers[1].notes.clear();
    let kernel = foreign(vip, mac(2));
    let conflict = |bus: &Bus| bus.peers[1].machine.explain(vip).unwrap().conflict;
    for _ in 0..2 {
        bus.input(1, kernel.clone());
        assert!(
            conflict(&bus).is_none(),
            "it may have changed hands just now"
        );
        bus.seconds(1);
    }
    bus.seconds(58);
    bus.input(1, kernel);
    bus.seconds(1);
    assert_eq!(conflict(&bus).unwrap().node, Some("node-c".into()));
    assert_eq!(bus.holders(vip), ["node-b"]);
    let told: Vec<_> = bus.peers[1].notes.iter().map(ToString::to_string).collect();
    let [told] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(told.contains("by node-c"), "{told}");
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
    // node-c notices first, and its question is lost.
    let [a, b, c] = [0, 1, 2].map(|index| bus.peers[index].id);
    bus.cut.extend([(1, 2), (0, 1)]);
    let why = Departure::Lost;
    bus.has_wire = false;
    bus.input(2, Input::MemberDown { member: b, why });
    bus.run(Duration::from_millis(50));
    assert_eq!(bus.holders(vip), ["node-b", "node-c"]);
    bus.has_wire = true;
    bus.run(Duration::from_millis(1500));
    assert_eq!(bus.holders(vip), ["node-b", "node-c"]);
    for member in [a, c] {
        bus.input(1, Input::MemberDown { member, why });
    }
    bus.run(Duration::from_millis(50));
    assert_eq!(bus.holders(vip), ["node-c"]);
}

/// Not even if both have had the VIP a while ago, since they could not talk to each other.
#[test]
fn who_takes_a_vip_that_is_given_up_is_no_intruder() {
    let (owner, other) = (1, 2);
    for is_drained in [false, true] {
        let (mut bus, vip) = wired();
        bus.delay = 200;
        bus.input(owner, foreign(vip, mac(other)));
        bus.seconds(20);
        if is_drained {
            bus.input(owner, Input::Impediment(Impediment::Draining, true));
        } else {
            let now = bus.now;
            let machine = &mut bus.peers[owner].machine;
            machine.move_vip(vip, "node-c", now).unwrap();
            bus.flush(owner);
        }
        bus.fewest.clear();
        while bus.holders(vip) != ["node-b", "node-c"] {
            bus.run(Duration::from_millis(1));
        }
        bus.input(owner, foreign(vip, mac(other)));
        let told = bus.peers[owner].machine.explain(vip).unwrap().conflict;
        assert!(told.is_none(), "drained: {is_drained}");
        bus.seconds(10);
        assert_eq!(bus.holders(vip), ["node-c"]);
        let conflict = |note: &Note| matches!(note, Note::Conflict { .. });
        assert!(!bus.peers[owner].notes.iter().any(conflict));
        assert_eq!(bus.fewest[&vip], 1);
    }
}

/// Who is to take it has a few seconds for that; then two have it, and people are to know.
#[test]
fn who_announces_a_vip_that_is_given_up_and_never_takes_it_is_told() {
    let (owner, other) = (1, 2);
    let (mut bus, vip) = wired();
    // The others do not know the Service, and the kernel of one has its address all the same.
    for index in [0, other] {
        bus.input(index, Input::Candidate(vip, None));
    }
    bus.input(owner, Input::Impediment(Impediment::Draining, true));
    for _ in 0..60 {
        bus.input(owner, foreign(vip, mac(other)));
        bus.seconds(1);
    }
    assert_eq!(bus.holders(vip), ["node-b"], "nobody takes it");
    let told = bus.peers[owner].machine.explain(vip).unwrap().conflict;
    assert_eq!(told.unwrap().node, Some("node-c".into()));
}

/// One that is not to take it is an intruder, whoever else may take it.
#[test]
fn who_is_not_to_take_a_vip_that_is_given_up_is_an_intruder() {
    let (owner, elected, other) = (1, 2, 0);
    let (mut bus, vip) = wired();
    let election = bus.peers[owner].machine.verdicts(vip);
    assert_eq!(election.len(), 3);
    for index in [elected, other] {
        bus.input(index, Input::Candidate(vip, None));
    }
    bus.input(owner, Input::Impediment(Impediment::Draining, true));
    for _ in 0..60 {
        bus.input(owner, foreign(vip, mac(other)));
        bus.seconds(1);
    }
    let told = bus.peers[owner].machine.explain(vip).unwrap().conflict;
    assert_eq!(told.unwrap().node, Some("node-a".into()));
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
    assert_eq!(conflict.kind, Intrusion::Yielding);
    assert_eq!(conflict.station, station);
    let name: Arc<str> = format!("the daemon at {station}").into();
    let gave_up = Note::GaveUp {
        vip,
        to: Some(name.clone()),
    };
    assert!(bus.peers[loser].notes.contains(&gave_up));
    bus.peers[winner].is_up = false;
    bus.run(Duration::from_millis(200));
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
    assert_eq!(conflict.unwrap().kind, Intrusion::Host);
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

/// Neither does a mark that somebody adds to every other frame make it more often.
#[test]
fn two_sorts_of_stations_are_defended_against_as_rarely_as_each_alone() {
    let (mut bus, vip) = wired();
    let owner = bus.peers.iter().position(|peer| peer.holds(vip)).unwrap();
    let (mut rounds, mut round) = (0, bus.peers[owner].round(vip));
    bus.peers[owner].notes.clear();
    let marked = |number: u64| Input::Conflict {
        vip,
        station: mac(78),
        mark: Some(Mark::of(&format!("liar-{number}"), number)),
        local: mac(owner),
    };
    for second in 0..60 {
        for input in [foreign(vip, mac(77)), marked(second)] {
            bus.input(owner, input);
            bus.run(Duration::from_millis(500));
            rounds += u64::from(bus.peers[owner].round(vip) != round);
            round = bus.peers[owner].round(vip);
        }
        let most = second / 10 + 1 + second + 2;
        assert!(rounds <= most, "{rounds} after {second} s");
    }
    assert!(bus.peers[owner].holds(vip));
    let conflict = |note: &&Note| matches!(note, Note::Conflict { .. });
    assert_eq!(bus.peers[owner].notes.iter().filter(conflict).count(), 2);
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
