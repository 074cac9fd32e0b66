//! What one datagram costs of those that somebody sends who does not have the key.

#![expect(
    clippy::disallowed_methods,
    reason = "it is real time that a datagram costs"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use carillon_gossip::testing::{Network, address, settings};
use carillon_gossip::{Keys, Transmit};

/// How many of each kind come in a second.
const RATE: u32 = 20_000;
/// How many are timed at once; the fastest of all these counts, for other processes run as well.
const BATCH: u32 = 500;

/// Three owners of VIPs, and all that they have said.
fn cluster() -> (Network, Vec<Transmit>) {
    let keys = Keys::new(b"the secret of the simulator", None).unwrap();
    let mut network = Network::new(1);
    network.capture = Some(Vec::new());
    for number in 1..=3 {
        network.start(settings(number, 1000), &keys, &[address(2), address(9)]);
        network.with(address(number), |member, _| member.set_owner(true));
    }
    network.run(Duration::from_secs(5));
    let captured = network.capture.take().unwrap();
    (network, captured)
}

/// An address at which nobody is.
fn nowhere(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(0xc633_6400 + number).into(), 7946)
}

/// What one datagram costs the first member when such ones come for a second, and how many it sends
/// meanwhile.
fn cost(datagrams: &[Vec<u8>], source: impl Fn(u32) -> SocketAddr) -> (Duration, usize) {
    let (mut network, _) = cluster();
    let mut now = network.now;
    let host = network.hosts.get_mut(&address(1)).unwrap();
    let member = host.member.as_mut().unwrap();
    let mut best = Duration::MAX;
    let mut sent = 0;
    for batch in 0..RATE / BATCH {
        let begin = Instant::now();
        for number in batch * BATCH..(batch + 1) * BATCH {
            now += Duration::from_secs(1) / RATE;
            let datagram = &datagrams[number as usize % datagrams.len()];
            member.handle_datagram(source(number), datagram, now);
            while member.poll_transmit().is_some() {
                sent += 1;
            }
            while member.poll_event().is_some() {}
            let _ = member.poll_timeout();
        }
        best = best.min(begin.elapsed() / BATCH);
    }
    (best, sent)
}

#[test]
#[ignore = "prints figures"]
fn hostile_datagrams() {
    let (_, captured) = cluster();
    let of = |to: SocketAddr| {
        let fitting = captured.iter().filter(move |one| one.to == to);
        fitting.map(|one| one.datagram.clone()).collect::<Vec<_>>()
    };
    let said = of(address(1));
    // Nobody is there, so these are introductions.
    let introductions = of(address(9));
    let damage = |datagram: &Vec<u8>| {
        let mut damaged = datagram.clone();
        *damaged.last_mut().unwrap() ^= 1;
        damaged
    };
    let damaged: Vec<_> = said.iter().map(damage).collect();
    let member = |_| address(2);
    println!("| what | from | µs each | sent meanwhile |");
    let tell = |what: &str, from: &str, (cost, sent): (Duration, usize)| {
        let cost = cost.as_secs_f64() * 1e6;
        println!("| {what} | {from} | {cost:.1} | {sent} |");
    };
    for (what, datagrams) in [
        ("garbage", &vec![vec![1; 100]]),
        ("forged, with the right head", &damaged),
        ("recorded, sent to it before", &said),
        ("recorded, an introduction of any member", &introductions),
    ] {
        tell(what, "one stranger", cost(datagrams, |_| nowhere(1)));
        tell(what, "20 000 strangers", cost(datagrams, nowhere));
        tell(what, "a member's address", cost(datagrams, member));
    }
}
