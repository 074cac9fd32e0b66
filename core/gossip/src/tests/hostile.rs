//! Somebody without the key, who records, replays and forges datagrams.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn member(network: &Network, number: u8) -> &Membership {
    network.hosts[&address(number)].member.as_ref().unwrap()
}

fn total(network: &Network, number: u8, why: Dropped) -> u64 {
    let totals = member(network, number).drops.totals();
    totals.get(&why).copied().unwrap_or(0)
}

/// An address at which nobody is.
fn nowhere(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(0xc633_6400 + number).into(), 7946)
}

#[test]
fn replays_from_everywhere_cost_little_and_leave_nothing_behind() {
    let mut network = Network::new(1);
    network.capture = Some(Vec::new());
    for number in 1..=3 {
        network.start(settings(number, 1000), &keys(), &[address(1)]);
    }
    own_all(&mut network, 3);
    network.run(Duration::from_secs(3));
    let captured = network.capture.take().unwrap();
    network.events.clear();
    let sent = network.hosts[&address(1)].datagrams;
    let before = network.now;
    for round in 0..20_000_u32 {
        let datagram = captured[round as usize % captured.len()].datagram.clone();
        network.inject(nowhere(round), address(1), datagram);
        network.run(Duration::from_micros(50));
    }
    assert_eq!(downs(&network), []);
    let seconds = (network.now - before).as_secs_f64();
    let sent = network.hosts[&address(1)].datagrams - sent;
    assert!(sent < 1500, "{sent} in {seconds} s");
    let left = member(&network, 1).sessions.under_way();
    assert!(left < 500, "{left}");
    assert!(member(&network, 1).drops.len() < 2000);
    network.run(Duration::from_secs(10));
    assert_eq!(alive(&network, 1), 2);
    // Somebody new gets in meanwhile.
    network.start(settings(4, 1000), &keys(), &[address(1)]);
    for round in 0..4000_u32 {
        let datagram = captured[round as usize % captured.len()].datagram.clone();
        network.inject(nowhere(round), address(1), datagram);
        network.run(Duration::from_micros(50));
    }
    assert_eq!(alive(&network, 4), 3);
}

#[test]
fn a_hello_that_is_sent_back_hides_no_seed() {
    for source in [address(2), address(7)] {
        let mut network = Network::new(2);
        network.capture = Some(Vec::new());
        network.start(settings(1, 1000), &keys(), &[address(2)]);
        for _ in 0..100 {
            network.run(Duration::from_millis(50));
            for hello in network.capture.replace(Vec::new()).unwrap() {
                network.inject(source, address(1), hello.datagram);
            }
        }
        assert!(total(&network, 1, Dropped::Own) > 5);
        network.start(settings(2, 1000), &keys(), &[]);
        network.run(Duration::from_secs(1));
        assert_eq!(alive(&network, 1), 1, "{source}");
    }
}

#[test]
fn a_hello_that_is_sent_back_from_an_own_address_hides_a_seed_for_a_minute() {
    let mut network = Network::new(3);
    network.capture = Some(Vec::new());
    network.start(settings(1, 1000), &keys(), &[address(2)]);
    network.run(Duration::from_millis(50));
    for hello in network.capture.take().unwrap() {
        network.inject(address(1), address(1), hello.datagram);
    }
    network.run(Duration::from_secs(1));
    network.start(settings(2, 1000), &keys(), &[]);
    network.run(Duration::from_secs(50));
    assert_eq!(alive(&network, 1), 0);
    network.run(Duration::from_secs(15));
    assert_eq!(alive(&network, 1), 1);
}

#[test]
fn who_floods_is_not_looked_at_unless_a_member_has_the_address() {
    let mut network = cluster(4, 3);
    own_all(&mut network, 3);
    network.run(Duration::from_secs(1));
    network.events.clear();
    let garbage = vec![1; 100];
    for _ in 0..2000 {
        network.inject(nowhere(1), address(1), garbage.clone());
        network.inject(address(2), address(1), garbage.clone());
        network.run(Duration::from_millis(1));
    }
    assert_eq!(downs(&network), []);
    let [flood, key] = [Dropped::Flood, Dropped::Key].map(|why| total(&network, 1, why));
    assert!(flood > 1000 && key > 2000, "{flood} {key}");
    let status = member(&network, 1).status(network.now);
    let of = |from: IpAddr, why| {
        let mut all = status.dropped_of.iter();
        let one = all.find(|one| one.from.ip() == from && one.why == why);
        one.map(|one| one.count)
    };
    assert_eq!(of(address(2).ip(), Dropped::Key), Some(2000));
    assert_eq!(of(nowhere(1).ip(), Dropped::Flood), Some(flood));
    let notes = network.events.iter();
    let notes = notes.filter(|(_, _, event)| matches!(event, Event::Note(_)));
    assert_eq!(notes.count(), 3, "each is told once");
}

#[test]
fn the_memory_of_many_sources_is_bounded() {
    let now = Network::new(1).now;
    let mut drops = Drops::new(now);
    for number in 0..100_000 {
        let from = nowhere(number);
        drops.spend(from.ip(), now);
        drops.count(from, Dropped::Forged, now);
        assert!(!drops.is_exhausted(from.ip(), now));
    }
    assert!(drops.len() < 2000);
    let later = now + Duration::from_secs(61);
    drops.count(nowhere(0), Dropped::Key, later);
    let sources = drops.by_source(later);
    assert_eq!(sources.len(), 1, "the old ones make room");
    assert_eq!(drops.totals()[&Dropped::Forged], 100_000);
}

#[test]
fn nobody_is_locked_out_by_a_generation() {
    let mut network = cluster(5, 3);
    let before = member(&network, 2).id();
    network.with(address(1), |member, _| {
        for known in [u64::MAX, 1 << 62, (1 << 62) + 1] {
            member.send(address(2), Message::Stale(known));
        }
        member.work();
    });
    network.run(Duration::from_secs(1));
    assert_eq!(member(&network, 2).id(), before);
    assert_eq!(alive(&network, 2), 2);
}

#[test]
fn two_copies_of_one_memory_use_other_nonces() {
    let now = Network::new(1).now;
    let sealed = |entropy| {
        let rng = StdRng::seed_from_u64(1);
        let mut member = Membership::new(settings(1, 1000), keys(), rng, now);
        member.join(&[address(2)], now);
        member.handle_timeout(now);
        member.stir(entropy);
        member.poll_transmit().unwrap().datagram[5..29].to_vec()
    };
    assert_eq!(sealed([1; 32]), sealed([1; 32]));
    assert_ne!(sealed([1; 32]), sealed([2; 32]));
}
