//! Members whose address changes.

use super::*;

#[test]
fn a_member_at_another_address_finds_the_others_and_says_the_same() {
    for seed in 0..20 {
        let mut network = cluster(seed, 4);
        own_all(&mut network, 4);
        network.with(address(3), |member, now| {
            for number in 0..100 {
                member.publish(vip(number), Some(claim(7)), now);
            }
        });
        network.run(Duration::from_secs(1));
        network.events.clear();
        let before = network.now;
        network.relocate(address(3), address(30));
        network.run(Duration::from_millis(500));
        for who in [1, 2, 4, 30] {
            assert_eq!(alive(&network, who), 3, "seed {seed}: {who}");
        }
        for who in [1, 2, 4] {
            assert_eq!(told(&network, who, 30).len(), 100, "seed {seed}: {who}");
        }
        for (at, who, member, _) in downs(&network) {
            assert_eq!(member.address, address(3), "seed {seed}: at {who}");
            assert!(at - before < Duration::from_millis(450));
        }
        network.events.clear();
        network.run(Duration::from_secs(20));
        assert_eq!(downs(&network), []);
        network.relocate(address(30), address(3));
        network.run(Duration::from_secs(1));
        for who in [1, 2, 3, 4] {
            assert_eq!(alive(&network, who), 3, "seed {seed}: {who} and back");
        }
    }
}

#[test]
fn a_member_that_was_unreachable_meanwhile_is_found_by_its_seeds() {
    let mut network = cluster(1, 3);
    own_all(&mut network, 3);
    network.cut(&[address(2)], &[address(1), address(3)], true);
    network.run(Duration::from_secs(30));
    assert_eq!(alive(&network, 2), 0);
    network.relocate(address(2), address(20));
    network.run(Duration::from_secs(2));
    for who in [1, 3, 20] {
        assert_eq!(alive(&network, who), 2, "{who}");
    }
}

#[test]
fn nobody_is_alone_before_it_is_known_where_others_may_be() {
    let mut network = cluster(1, 2);
    network.start(settings(3, 1000), &keys(), &[]);
    network.kill(address(3));
    let mut member = {
        let rng = StdRng::from_rng(network.rng());
        Membership::new(settings(3, 1000), keys(), rng, network.now)
    };
    let mut now = network.now;
    member.seek(&[address(9)], now);
    for _ in 0..1000 {
        now += Duration::from_millis(10);
        member.handle_timeout(now);
        while member.poll_transmit().is_some() {}
    }
    let events: Vec<_> = std::iter::from_fn(|| member.poll_event()).collect();
    assert!(!events.contains(&Event::Settled), "{events:?}");
}

#[test]
fn secrets_of_words_are_told_from_random_ones() {
    let words = [
        "correct horse battery staple",
        "0123456789abcdef",
        "CARILLONCARILLONCARILLON",
    ];
    for secret in words {
        assert!(Keys::is_guessable(secret.as_bytes()), "{secret}");
    }
    let random = [
        "kJ7mZ0q5h3V2xN8bT1cYfA==",
        "9f86d081884c7d659a2feaa0c55ad015",
        "kJ/mZ+qYhXVZxNKbTqcYfAdFeGwEhRtYuIoPaSdFgHj=",
    ];
    for secret in random {
        assert!(!Keys::is_guessable(secret.as_bytes()), "{secret}");
    }
    assert!(!Keys::is_guessable(&[200; 16]));
}
