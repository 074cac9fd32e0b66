use super::testing::{Network, address, settings};
use super::*;

mod addresses;
mod hostile;
mod versions;

fn keys() -> Keys {
    Keys::new(b"correct horse battery staple", None).unwrap()
}

/// Members 1 to `count`, which all know the first only, after five seconds.
fn cluster(seed: u64, count: u8) -> Network {
    let mut network = Network::new(seed);
    for number in 1..=count {
        network.start(settings(number, 1000), &keys(), &[address(1)]);
    }
    network.run(Duration::from_secs(5));
    network
}

fn alive(network: &Network, number: u8) -> usize {
    let member = network.hosts[&address(number)].member.as_ref().unwrap();
    member.alive().len()
}

fn own_all(network: &mut Network, count: u8) {
    for number in 1..=count {
        network.with(address(number), |member, _| member.set_owner(true));
    }
}

fn downs(network: &Network) -> Vec<(Instant, SocketAddr, MemberId, Departure)> {
    let events = network.events.iter();
    events
        .filter_map(|(at, who, event)| match event {
            Event::MemberDown { member, why } => Some((*at, *who, *member, *why)),
            _ => None,
        })
        .collect()
}

#[test]
fn members_find_each_other() {
    for count in 2..=7 {
        let network = cluster(1, count);
        for number in 1..=count {
            assert_eq!(alive(&network, number), usize::from(count) - 1, "{count}");
        }
        assert!(downs(&network).is_empty());
        let settled = network.events.iter();
        let settled = settled.filter(|(_, _, event)| *event == Event::Settled);
        assert_eq!(settled.count(), usize::from(count));
    }
}

#[test]
fn what_did_not_leave_the_host_is_counted() {
    let mut network = cluster(1, 1);
    let second = Duration::from_secs(1);
    let start = network.now;
    for time in [start, start + second] {
        network.with(address(1), |member, _| member.handle_stuck(time));
    }
    let member = network.hosts[&address(1)].member.as_ref().unwrap();
    let stuck = member.status(start + 3 * second).stuck.unwrap();
    assert_eq!((stuck.count, stuck.ago), (2, 2 * second));
}

#[test]
fn who_gets_to_know_its_seeds_late_does_not_act_alone_meanwhile() {
    let mut network = cluster(1, 2);
    network.events.clear();
    network.start(settings(3, 1000), &keys(), &[]);
    network.run(Duration::from_secs(1));
    let late = address(3);
    network.with(late, |member, now| member.join(&[address(1)], now));
    network.run(Duration::from_secs(3));
    let events = network.events.iter();
    let events: Vec<_> = events.filter(|(_, who, _)| *who == late).collect();
    let place = |wanted: fn(&Event) -> bool| {
        let place = events.iter().position(|(_, _, event)| wanted(event));
        place.unwrap()
    };
    let settled = place(|event| *event == Event::Settled);
    let first = place(|event| matches!(event, Event::MemberUp(_)));
    assert!(first < settled, "{events:?}");
}

#[test]
fn three_owners_send_less_than_3_kb_a_second() {
    let mut network = cluster(1, 3);
    own_all(&mut network, 3);
    network.run(Duration::from_secs(2));
    for host in network.hosts.values_mut() {
        host.octets = 0;
    }
    network.run(Duration::from_secs(100));
    for host in network.hosts.values() {
        assert!(host.octets / 100 < 3000, "{}", host.octets / 100);
    }
}

#[test]
fn loss_of_an_owner_is_found_in_time() {
    let mut times = Vec::new();
    let mut network = cluster(1, 3);
    own_all(&mut network, 3);
    network.run(Duration::from_secs(1));
    for seed in 0..200 {
        let phase = Duration::from_micros(network.rng().random_range(0..500_000));
        network.run(Duration::from_millis(500) + phase);
        network.events.clear();
        let cut = network.now;
        let others = [address(1), address(3)];
        network.cut(&[address(2)], &others, true);
        network.run(Duration::from_millis(600));
        let downs = downs(&network);
        let lost: Vec<_> = downs
            .iter()
            .filter(|down| down.2.address == address(2))
            .collect();
        assert_eq!(lost.len(), 2, "{seed}: {downs:?}");
        times.extend(lost.iter().map(|down| down.0 - cut));
        network.cut(&[address(2)], &others, false);
        network.run(Duration::from_secs(6));
        assert_eq!(alive(&network, 1), 2, "{seed}");
        assert_eq!(alive(&network, 2), 2, "{seed}");
        assert_eq!(alive(&network, 3), 2, "{seed}");
    }
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    assert!(p99 <= Duration::from_millis(405), "{p99:?}");
}

#[test]
fn neither_stalls_nor_loss_make_an_owner_seem_lost() {
    let mut network = cluster(3, 5);
    own_all(&mut network, 5);
    network.link.loss = 0.1;
    network.run(Duration::from_secs(1));
    network.events.clear();
    let end = network.now + Duration::from_secs(3 * 60);
    while network.now < end {
        let pause = network.rng().random_range(4_000..20_000);
        network.run(Duration::from_millis(pause));
        let who = address(network.rng().random_range(1..=5));
        network.stall(who, Duration::from_millis(300));
    }
    assert_eq!(downs(&network), []);
}

#[test]
fn fast_profiles_are_as_fast_as_they_promise() {
    for (heartbeat, bound) in [(100, 210), (20, 45)] {
        let mut network = Network::new(7);
        for number in 1..=3 {
            let profile = Profile::fast(Duration::from_millis(heartbeat));
            let settings = Settings {
                profile,
                ..settings(number, 1000)
            };
            network.start(settings, &keys(), &[address(1)]);
        }
        own_all(&mut network, 3);
        network.run(Duration::from_secs(1));
        let mut times = Vec::new();
        for round in 0..50 {
            let phase = Duration::from_micros(network.rng().random_range(0..100_000));
            network.run(Duration::from_millis(500) + phase);
            network.events.clear();
            let cut = network.now;
            network.cut(&[address(2)], &[address(1), address(3)], true);
            network.run(Duration::from_millis(300));
            let downs = downs(&network);
            let lost = downs.iter().filter(|down| down.2.address == address(2));
            times.extend(lost.map(|down| down.0 - cut));
            network.cut(&[address(2)], &[address(1), address(3)], false);
            network.run(Duration::from_secs(6));
            assert_eq!(times.len(), 2 * (round + 1));
        }
        times.sort_unstable();
        let p99 = times[times.len() * 99 / 100];
        assert!(p99 <= Duration::from_millis(bound), "{p99:?}");
    }
}

#[test]
fn a_lost_announce_is_repeated() {
    let mut network = Network::new(2);
    network.link.loss = 0.6;
    for number in 1..=3 {
        network.start(settings(number, 1000), &keys(), &[address(1)]);
    }
    network.run(Duration::from_secs(20));
    network.link.loss = 0.0;
    network.run(Duration::from_secs(10));
    for number in 1..=3 {
        assert_eq!(alive(&network, number), 2);
    }
}

#[test]
fn a_cluster_that_fell_apart_heals() {
    for seed in 0..10 {
        let mut network = cluster(seed, 6);
        let these: Vec<_> = (1..=3).map(address).collect();
        let those: Vec<_> = (4..=6).map(address).collect();
        network.cut(&these, &those, true);
        network.run(Duration::from_secs(30));
        for number in 1..=6 {
            assert_eq!(alive(&network, number), 2, "{seed}");
        }
        network.cut(&these, &those, false);
        network.run(Duration::from_secs(15));
        for number in 1..=6 {
            assert_eq!(alive(&network, number), 5, "{seed}");
        }
    }
}

#[test]
fn a_clock_set_back_is_overtaken_at_once() {
    for generation in [3, 1000] {
        let mut network = cluster(4, 3);
        network.with(address(2), |member, now| {
            member.publish(Key::Claim(address(9).ip()), Some(claim(7)), now);
        });
        network.run(Duration::from_secs(2));
        network.kill(address(2));
        network.events.clear();
        let sent: usize = network.hosts.values().map(|host| host.datagrams).sum();
        network.start(settings(2, generation), &keys(), &[address(1)]);
        network.run(Duration::from_secs(2));
        let now: usize = network.hosts.values().map(|host| host.datagrams).sum();
        assert!(now - sent < 200, "{}", now - sent);
        for number in 1..=3 {
            assert_eq!(alive(&network, number), 2, "{generation}");
        }
        let member = network.hosts[&address(2)].member.as_ref().unwrap();
        assert_eq!(member.id().generation, 1001);
        let raised = Event::Note(Note::GenerationRaised {
            from: generation,
            to: 1001,
        });
        assert!(network.events.iter().any(|(_, _, event)| *event == raised));
        let withdrawn = |(_, who, event): &(Instant, SocketAddr, Event)| {
            *who == address(1) && matches!(event, Event::Record { value: None, .. })
        };
        assert!(network.events.iter().any(withdrawn), "{generation}");
    }
}

#[test]
fn a_restarted_member_comes_back_at_once() {
    let mut network = cluster(5, 3);
    network.kill(address(1));
    network.events.clear();
    network.start(settings(1, 2000), &keys(), &[]);
    network.run(Duration::from_secs(1));
    for number in 1..=3 {
        assert_eq!(alive(&network, number), 2);
    }
    let of = |event: &Event| match event {
        Event::MemberDown { member, .. } => Some((false, member.generation)),
        Event::MemberUp(member) => Some((true, member.generation)),
        _ => None,
    };
    let at_two = network
        .events
        .iter()
        .filter(|(_, who, _)| *who == address(2));
    let at_two: Vec<_> = at_two.filter_map(|(_, _, event)| of(event)).collect();
    assert_eq!(at_two, [(false, 1000), (true, 2000)]);
}

#[test]
fn replayed_datagrams_are_dropped() {
    let mut network = cluster(6, 3);
    network.capture = Some(Vec::new());
    own_all(&mut network, 3);
    network.run(Duration::from_secs(3));
    let captured = network.capture.take().unwrap();
    let to_one: Vec<_> = captured.iter().filter(|t| t.to == address(1)).collect();
    let dropped = |network: &Network, why| {
        let member = network.hosts[&address(1)].member.as_ref().unwrap();
        let totals = member.drops.totals();
        totals.get(&why).copied().unwrap_or(0)
    };
    for transmit in &to_one {
        network.inject(address(2), address(1), transmit.datagram.clone());
    }
    network.run(Duration::from_millis(10));
    assert!(dropped(&network, Dropped::Replayed) >= to_one.len() as u64);

    // Neither does a datagram for another member do, nor one for an earlier run.
    let before = dropped(&network, Dropped::Stranger);
    let others: Vec<_> = captured.iter().filter(|t| t.to != address(1)).collect();
    for transmit in &others {
        network.inject(address(3), address(1), transmit.datagram.clone());
    }
    network.run(Duration::from_millis(10));
    assert!(dropped(&network, Dropped::Stranger) - before >= others.len() as u64 - 4);

    network.kill(address(2));
    network.kill(address(3));
    network.start(settings(1, 2000), &keys(), &[]);
    for transmit in &to_one {
        network.inject(address(2), address(1), transmit.datagram.clone());
    }
    network.run(Duration::from_secs(3));
    assert!(dropped(&network, Dropped::Stranger) >= to_one.len() as u64);
    assert_eq!(alive(&network, 1), 0);
    let sent = network.hosts[&address(1)].datagrams;
    for transmit in to_one.iter().cycle().take(5000) {
        network.inject(address(2), address(1), transmit.datagram.clone());
    }
    network.run(Duration::from_millis(50));
    assert!(
        network.hosts[&address(1)].datagrams - sent <= 2,
        "challenges are few"
    );
}

#[test]
fn members_with_another_key_or_cluster_are_strangers() {
    let other_key = Keys::new(b"another secret of some length", None).unwrap();
    let other_cluster = Settings {
        cluster: "other".to_owned(),
        ..settings(2, 1000)
    };
    for (other, keys_of_other, why) in [
        (settings(2, 1000), other_key, Dropped::Key),
        (other_cluster, keys(), Dropped::Forged),
    ] {
        let mut network = Network::new(8);
        network.start(settings(1, 1000), &keys(), &[address(2)]);
        network.start(other, &keys_of_other, &[address(1)]);
        network.run(Duration::from_secs(10));
        assert_eq!(alive(&network, 1), 0);
        let member = network.hosts[&address(1)].member.as_ref().unwrap();
        assert!(member.drops.totals()[&why] > 10);
        let status = member.status(network.now);
        assert_eq!(status.silent_seeds, [address(2)]);
        let [dropped] = status.dropped_of.as_slice() else {
            panic!("{:?}", status.dropped_of);
        };
        assert_eq!((dropped.from, dropped.why), (address(2), why));
        assert_eq!(dropped.count, status.dropped[&why]);
        assert!(dropped.ago < Duration::from_secs(5));
        assert!(status.settled);
    }
}

#[test]
fn the_key_can_be_changed_while_all_run() {
    let new = b"the next secret, long enough";
    let old = b"correct horse battery staple";
    let steps = [
        Keys::new(old, Some(new)).unwrap(),
        Keys::new(new, Some(old)).unwrap(),
        Keys::new(new, None).unwrap(),
    ];
    let mut network = cluster(9, 3);
    for keys in steps {
        for number in 1..=3 {
            network.with(address(number), |member, _| member.set_keys(keys.clone()));
            network.run(Duration::from_secs(3));
        }
    }
    assert_eq!(downs(&network), []);
    assert_eq!(
        Keys::new(b"short", None).unwrap_err(),
        KeyError::TooShort(5)
    );
}

#[test]
fn whoever_leaves_says_so() {
    let mut network = cluster(10, 4);
    network.events.clear();
    let start = network.now;
    network.with(address(3), Membership::leave);
    network.run(Duration::from_secs(5));
    let downs = downs(&network);
    let left: Vec<_> = downs.iter().filter(|down| down.1 != address(3)).collect();
    assert_eq!(left.len(), 3, "{downs:?}");
    for (at, _, member, why) in left {
        assert_eq!((member.address, *why), (address(3), Departure::Left));
        assert!(*at - start < Duration::from_millis(1));
    }
}

fn claim(term: u64) -> Value {
    Value::Claim(record::Claim {
        term,
        successor: None,
    })
}

fn vip(number: u32) -> Key {
    Key::Claim(std::net::Ipv4Addr::from_bits(0x0a01_0000 + number).into())
}

/// What a member has been told of another one's records.
fn told(network: &Network, who: u8, of: u8) -> BTreeMap<Key, Value> {
    let mut records = BTreeMap::new();
    for (_, at, event) in &network.events {
        if let Event::Record { member, key, value } = event
            && *at == address(who)
            && member.address == address(of)
        {
            match value {
                Some(value) => records.insert(*key, value.clone()),
                None => records.remove(key),
            };
        }
    }
    records
}

#[test]
fn ten_thousand_claims_are_known_to_all_in_no_time() {
    let mut network = cluster(11, 3);
    network.link.loss = 0.1;
    network.with(address(1), |member, now| {
        for number in 0..10_000 {
            member.publish(vip(number), Some(claim(5)), now);
        }
    });
    let start = network.now;
    while (told(&network, 2, 1).len(), told(&network, 3, 1).len()) != (10_000, 10_000) {
        network.run(Duration::from_millis(50));
        assert!(network.now - start < Duration::from_millis(900));
    }
    for host in network.hosts.values() {
        assert!(host.longest <= wire::MAX_DATAGRAM, "{}", host.longest);
    }
}

/// While much is lost, and a member that says much goes and comes back.
#[test]
fn what_is_asked_for_again_is_what_is_waited_for() {
    let mut network = cluster(13, 4);
    network.link.loss = 0.3;
    let mut asked = 0;
    for generation in [1000, 1001] {
        network.start(settings(1, generation), &keys(), &[address(2)]);
        network.with(address(1), |member, now| {
            for number in 0..1000 {
                member.publish(vip(number), Some(claim(5)), now);
            }
        });
        let end = network.now + Duration::from_secs(3);
        while let Some(next) = network.next().filter(|next| *next <= end) {
            network.now = network.now.max(next);
            network.step();
            for host in network.hosts.values() {
                let replica = &host.member.as_ref().unwrap().replica;
                assert!(replica.awaits_what_it_has_asked());
                asked += usize::from(replica.poll_timeout().is_some());
            }
        }
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn late_comers_are_told_what_is_left_when_withdrawals_are_forgotten() {
    let mut network = cluster(12, 2);
    network.link.loss = 0.1;
    network.with(address(1), |member, now| {
        for number in 0..2000 {
            member.publish(vip(number), Some(claim(5)), now);
        }
    });
    network.run(Duration::from_secs(2));
    assert_eq!(told(&network, 2, 1).len(), 2000);
    network.cut(&[address(1)], &[address(2)], true);
    network.run(Duration::from_secs(5));
    network.with(address(1), |member, now| {
        for number in 0..1990 {
            member.publish(vip(number), None, now);
        }
        member.publish(vip(1995), Some(claim(6)), now);
    });
    network.cut(&[address(1)], &[address(2)], false);
    network.start(settings(3, 1000), &keys(), &[address(2)]);
    network.run(Duration::from_secs(15));
    for who in [2, 3] {
        let records = told(&network, who, 1);
        assert_eq!(records.len(), 10, "{who}");
        assert_eq!(records[&vip(1995)], claim(6));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn no_octets_do_harm(datagrams in proptest::collection::vec(
        proptest::collection::vec(proptest::num::u8::ANY, 0..200), 1..20,
    )) {
        let mut listener = octets::Listener::new().unwrap();
        for datagram in &datagrams {
            octets::read(datagram);
            // Nothing makes it say very much.
            assert!(listener.hear(datagram) < 100);
        }
    }
}

#[test]
fn one_that_was_cut_off_calls_nobody_down_when_it_is_back() {
    for seed in 0..20 {
        let mut network = cluster(seed, 4);
        own_all(&mut network, 4);
        network.run(Duration::from_secs(1));
        let others = [address(1), address(3), address(4)];
        network.cut(&[address(2)], &others, true);
        network.run(Duration::from_secs(10));
        network.events.clear();
        network.cut(&[address(2)], &others, false);
        network.run(Duration::from_secs(10));
        let told = downs(&network);
        let wrong = told.iter().filter(|(_, who, ..)| *who != address(2));
        assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&_>::new(), "seed {seed}");
        for number in 1..=4 {
            assert_eq!(alive(&network, number), 3);
        }
    }
}

#[test]
fn a_doubt_is_settled_by_the_member_itself() {
    let mut network = cluster(5, 3);
    let doubted = network.hosts[&address(2)].member.as_ref().unwrap().id();
    network.events.clear();
    for pause in 500..550 {
        network.run(Duration::from_millis(pause));
        network.with(address(1), |member, now| member.doubt(doubted, now));
        network.stall(address(2), Duration::from_millis(300));
    }
    network.run(Duration::from_secs(1));
    assert_eq!(downs(&network), [], "it only stalled");
    // Nobody owns anything, so nobody sends heartbeats; only the two cannot talk.
    network.cut(&[address(2)], &[address(1)], true);
    network.run(Duration::from_millis(250));
    network.with(address(1), |member, now| member.doubt(doubted, now));
    network.run(Duration::from_secs(1));
    assert_eq!(downs(&network), [], "the third can talk to it");
    network.cut(&[address(2)], &[address(3)], true);
    network.run(Duration::from_millis(250));
    network.events.clear();
    network.with(address(1), |member, now| member.doubt(doubted, now));
    let doubted_at = network.now;
    network.run(Duration::from_millis(600));
    let downs = downs(&network);
    let (at, ..) = downs.iter().find(|down| down.1 == address(1)).unwrap();
    assert!(*at - doubted_at <= Profile::standard().deadline);
}

#[test]
fn one_that_hears_nobody_accuses_nobody() {
    let mut network = cluster(7, 5);
    own_all(&mut network, 5);
    network.run(Duration::from_secs(1));
    network.events.clear();
    for number in 2..=5 {
        network.cut_one_way(address(number), address(1));
    }
    network.run(Duration::from_secs(5));
    let told = downs(&network);
    let is_other = |who: SocketAddr| who != address(1);
    let wrong = told
        .iter()
        .filter(|(_, who, of, _)| is_other(*who) && is_other(of.address));
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&_>::new());
}

/// A member on its own, which only lets time pass: what it says comes back to it from `source`.
fn solitary(seeds: Option<&[SocketAddr]>, source: SocketAddr) -> Vec<Event> {
    let mut now = Network::new(1).now;
    let rng = StdRng::seed_from_u64(1);
    let mut member = Membership::new(settings(1, 1000), keys(), rng, now);
    if let Some(seeds) = seeds {
        member.join(seeds, now);
    }
    member.set_hosts([source.ip()]);
    for _ in 0..6000 {
        now += Duration::from_millis(10);
        member.handle_timeout(now);
        while let Some(transmit) = member.poll_transmit() {
            member.handle_datagram(source, &transmit.datagram, now);
        }
    }
    std::iter::from_fn(|| member.poll_event()).collect()
}

#[test]
fn who_does_not_know_yet_where_others_may_be_is_not_alone() {
    assert_eq!(solitary(None, address(1)), []);
    assert_eq!(solitary(Some(&[]), address(1)), [Event::Settled]);
}

#[test]
fn another_address_of_its_own_is_no_silent_seed() {
    let events = solitary(Some(&[address(2)]), address(3));
    assert_eq!(events, [Event::Settled]);
}
