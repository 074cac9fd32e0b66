//! Clusters in which some members speak version 1.

use super::super::record::{AnyKey, Octets};
use super::*;

const OLD: u8 = 1;

fn start(network: &mut Network, number: u8, version: u8, generation: u64) {
    let seeds = [address(1), address(2)];
    network.start_version(version, settings(number, generation), &keys(), &seeds);
}

/// Members of these versions, after five seconds.
fn mixed(seed: u64, versions: &[u8]) -> Network {
    let mut network = Network::new(seed);
    for (number, version) in (1..).zip(versions) {
        start(&mut network, number, *version, 1000);
    }
    network.run(Duration::from_secs(5));
    network
}

fn node(name: &str) -> Value {
    Value::Node(record::Node {
        name: name.into(),
        ipv4: true,
        capabilities: 1 << 60,
        ..record::Node::default()
    })
}

fn publish_all(network: &mut Network, count: u8) {
    for number in 1..=count {
        network.with(address(number), |member, now| {
            member.publish(Key::Node, Some(node(&number.to_string())), now);
            for place in 0..50 {
                let vip = vip(u32::from(number) * 100 + place);
                member.publish(vip, Some(claim(place.into())), now);
            }
        });
    }
}

fn capabilities(records: &BTreeMap<Key, Value>) -> u64 {
    match records.get(&Key::Node) {
        Some(Value::Node(node)) => node.capabilities,
        other => panic!("{other:?}"),
    }
}

fn unknown() -> (AnyKey, Octets) {
    let key = AnyKey::decode(&[99, 5]).unwrap();
    (key, Octets::from([1, 1, 3].as_slice()))
}

/// Whether this member has what another one says under a key that nobody knows.
fn has_unknown(network: &Network, who: u8, of: u8) -> bool {
    let (key, value) = unknown();
    let id = network.hosts[&address(of)].member.as_ref().unwrap().id();
    let replica = &network.hosts[&address(who)]
        .member
        .as_ref()
        .unwrap()
        .replica;
    replica.get(id, &key) == Some(value)
}

#[test]
fn old_and_new_members_are_one_cluster() {
    let versions = [1, 2, 1, 2, 2];
    let mut network = mixed(1, &versions);
    network.link.loss = 0.1;
    own_all(&mut network, 5);
    publish_all(&mut network, 5);
    network.run(Duration::from_secs(20));
    assert_eq!(downs(&network), []);
    for who in 1..=5 {
        assert_eq!(alive(&network, who), 4);
        for of in (1..=5).filter(|of| *of != who) {
            let records = told(&network, who, of);
            assert_eq!(records.len(), 51, "{who} of {of}");
            let [a, b] = [who, of].map(|number| versions[usize::from(number) - 1]);
            let is_whole = a > OLD && b > OLD;
            assert_eq!(capabilities(&records) != 0, is_whole, "{who} of {of}");
        }
    }
    for host in network.hosts.values() {
        assert!(host.longest <= wire::MAX_DATAGRAM, "{}", host.longest);
    }
}

#[test]
fn a_rolling_update_loses_nobody_forth_and_back() {
    for (seed, from, to) in [(1, 1, 2), (2, 2, 1), (3, 2, 2)] {
        let mut network = mixed(seed, &[from; 4]);
        own_all(&mut network, 4);
        publish_all(&mut network, 4);
        network.run(Duration::from_secs(2));
        for number in 1..=4 {
            network.events.clear();
            network.with(address(number), Membership::leave);
            network.run(Duration::from_millis(200));
            network.kill(address(number));
            start(&mut network, number, to, 2000);
            network.with(address(number), |member, _| member.set_owner(true));
            network.run(Duration::from_secs(3));
            for down in downs(&network) {
                let left = (address(number), Departure::Left);
                assert_eq!((down.2.address, down.3), left, "{seed} {number} {down:?}");
            }
            for who in 1..=4 {
                assert_eq!(alive(&network, who), 3, "{seed}");
            }
            network.events.clear();
            publish_all(&mut network, 4);
            network.run(Duration::from_secs(2));
            assert_eq!(downs(&network), []);
        }
        let settled = |who| {
            let member = network.hosts[&address(who)].member.as_ref();
            member.unwrap().status(network.now).settled
        };
        assert!((1..=4).all(settled));
    }
}

#[test]
fn what_nobody_knows_is_stored_and_passed_on() {
    let mut network = mixed(3, &[2, 2, 2]);
    // Member 3 hears of member 1 by way of member 2 only.
    network.cut(&[address(1)], &[address(3)], true);
    let (key, value) = unknown();
    network.with(address(1), |member, now| {
        member.replica.set(key.clone(), Some(value));
        member.publish(vip(1), Some(claim(1)), now);
    });
    network.run(Duration::from_secs(5));
    for who in [2, 3] {
        assert!(has_unknown(&network, who, 1), "{who}");
        assert_eq!(told(&network, who, 1).len(), 1, "nothing is told of it");
    }
    network.with(address(1), |member, _| member.replica.set(key, None));
    network.run(Duration::from_secs(5));
    assert!(!has_unknown(&network, 3, 1));
}

#[test]
fn what_an_old_member_could_not_pass_on_is_asked_for() {
    for seed in 0..10 {
        let mut network = mixed(seed, &[2, 1, 2]);
        network.cut(&[address(1)], &[address(3)], true);
        // Nobody knows member 3 any more, and it knows nobody.
        network.kill(address(3));
        start(&mut network, 3, 2, 2000);
        let (key, value) = unknown();
        network.with(address(1), |member, now| {
            member.replica.set(key, Some(value));
            member.publish(Key::Node, Some(node("alpha")), now);
            member.publish(vip(1), Some(claim(1)), now);
        });
        network.run(Duration::from_secs(4));
        assert!(has_unknown(&network, 3, 1) || told(&network, 3, 1).len() == 2);
        assert!(!has_unknown(&network, 2, 1));
        network.cut(&[address(1)], &[address(3)], false);
        network.run(Duration::from_secs(10));
        assert!(has_unknown(&network, 3, 1), "{seed}");
        assert_ne!(capabilities(&told(&network, 3, 1)), 0, "{seed}");
    }
}
