use super::testing::{Network, address, settings};
use super::*;

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
fn three_owners_send_less_than_3_kb_a_second() {
    let mut network = cluster(1, 3);
    own_all(&mut network, 3);
    network.run(Duration::from_secs(2));
    for host in network.hosts.values_mut() {
        host.octets = 0;
    }
    network.run(Duration::from_secs(100));
    for host in network.hosts.values() {
        println!("{}", host.octets / 100);
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
        network.run(Duration::from_secs(3) + phase);
        network.events.clear();
        let cut = network.now;
        let others = [address(1), address(3)];
        network.cut(&[address(2)], &others, true);
        network.run(Duration::from_millis(600));
        let downs = downs(&network);
        let lost: Vec<_> = downs.iter().filter(|down| down.2.address == address(2)).collect();
        assert_eq!(lost.len(), 2, "{seed}: {downs:?}");
        times.extend(lost.iter().map(|down| down.0 - cut));
        network.cut(&[address(2)], &others, false);
        network.run(Duration::from_secs(10));
        assert_eq!(alive(&network, 1), 2, "{seed}");
        assert_eq!(alive(&network, 2), 2, "{seed}");
        assert_eq!(alive(&network, 3), 2, "{seed}");
    }
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    println!("p50 {:?} p99 {p99:?} max {:?}", times[times.len() / 2], times.last());
    assert!(p99 <= Duration::from_millis(405), "{p99:?}");
}

#[test]
fn neither_stalls_nor_loss_make_an_owner_seem_lost() {
    let mut network = cluster(3, 5);
    own_all(&mut network, 5);
    network.link.loss = 0.1;
    network.run(Duration::from_secs(1));
    network.events.clear();
    let end = network.now + Duration::from_secs(30 * 60);
    while network.now < end {
        let pause = network.rng().random_range(4_000..20_000);
        network.run(Duration::from_millis(pause));
        let who = address(network.rng().random_range(1..=5));
        network.stall(who, Duration::from_millis(300));
    }
    assert_eq!(downs(&network), []);
}
