//! The figures of docs/benchmarks.md that come from virtual time.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use carillon_core::ownership::Scope;
use carillon_layer2::DEFAULT_REFRESH;
use rand::RngExt;

use crate::number;
use crate::world::{Site, World};

/// How many nodes there are in the table of the octets.
const SIZES: [u16; 5] = [3, 10, 100, 400, 1000];

/// Nodes that have a VIP each, some time after their start.
fn cluster(nodes: u16) -> World {
    let site = Site {
        segments: vec![0],
        assigns: None,
    };
    let sites = vec![site; nodes.into()];
    let mut world = World::new(u64::from(nodes), &sites, DEFAULT_REFRESH);
    for node in 0..usize::from(nodes) {
        world.start_daemon(node);
        run(&mut world, Duration::from_millis(20));
    }
    run(&mut world, Duration::from_secs(5));
    for node in 1..=nodes {
        let [high, low] = node.to_be_bytes();
        let only = BTreeSet::from([format!("node-{node}").into()]);
        let scope = Scope::of_nodes(only);
        world.set_service(IpAddr::from([10, 20, high, low]), Some(&scope));
        run(&mut world, Duration::from_millis(20));
    }
    run(&mut world, Duration::from_secs(20));
    world
}

fn run(world: &mut World, how_long: Duration) {
    let end = world.now() + how_long;
    while world.step(end) {}
}

fn is_move(line: &str) -> bool {
    line.contains(" announces ") || line.contains(" drops ")
}

/// Everybody may have every VIP; how often does one move, or is a member taken for lost?
fn false_failovers(loss: f64, stalls: bool, minutes: u64) -> (usize, usize) {
    let mut world = cluster(10);
    for vip in world.scopes.keys().copied().collect::<Vec<_>>() {
        world.set_service(vip, Some(&Scope::Anywhere));
    }
    world.network.link.loss = loss;
    run(&mut world, Duration::from_secs(5));
    world.trace.clear();
    let end = world.now() + Duration::from_secs(minutes * 60);
    while world.now() < end {
        let pause = world.network.rng().random_range(4_000..20_000);
        run(&mut world, Duration::from_millis(pause));
        if stalls {
            let node = world.network.rng().random_range(0..10);
            world.stall(node, Duration::from_millis(300), false);
        }
    }
    let moves = world.trace.iter().filter(|line| is_move(line)).count();
    let downs = world
        .trace
        .iter()
        .filter(|line| line.contains("MemberDown"));
    (moves, downs.count())
}

#[test]
#[ignore = "prints figures, takes minutes"]
fn octets() {
    println!("| nodes | octets/s per node: mean | max | datagrams/s: mean |");
    let only = number("CARILLON_NODES", 0);
    let is_wanted = |nodes: &u16| only == 0 || only == u64::from(*nodes);
    for nodes in SIZES.into_iter().filter(is_wanted) {
        let mut world = cluster(nodes);
        for host in world.network.hosts.values_mut() {
            (host.octets, host.datagrams) = (0, 0);
        }
        let seconds = 30;
        run(&mut world, Duration::from_secs(seconds));
        let hosts = world.network.hosts.values();
        let octets: Vec<usize> = hosts.map(|host| host.octets).collect();
        let datagrams = world.network.hosts.values().map(|host| host.datagrams);
        let per_node = u64::from(nodes) * seconds;
        let mean = |sum: usize| u64::try_from(sum).unwrap_or(u64::MAX) / per_node;
        let most = octets.iter().max().copied().unwrap_or(0) / 30;
        let (sum, count) = (octets.iter().sum(), datagrams.sum());
        println!("| {nodes} | {} | {most} | {} |", mean(sum), mean(count));
    }
}

#[test]
#[ignore = "prints figures, takes minutes"]
fn needless_failovers() {
    println!("| loss | stalls of 300 ms | moves in 30 min | members taken for lost |");
    for (loss, stalls) in [(0.05, true), (0.1, true)] {
        let (moves, downs) = false_failovers(loss, stalls, 30);
        println!("| {loss} | {stalls} | {moves} | {downs} |");
    }
}
