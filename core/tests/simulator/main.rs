//! Any number of daemons in virtual time, to which everything happens that can happen to them; and
//! what must hold all the same.
//!
//! A schedule follows from its seed alone. To see one again:
//! `CARILLON_SEED=123 cargo test -p carillon-core --test simulator -- --nocapture NAME`, where the name
//! is that of the test that failed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by it"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use carillon_core::ownership::Scope;
use carillon_layer2::DEFAULT_REFRESH;

use daemon::Arrival;
use invariants::Invariants;
use node::Node;
use objects::SECOND;
use schedule::{Kind, Schedule};
use world::{Site, World};

mod daemon;
mod hostile;
mod invariants;
mod layer2;
mod node;
mod objects;
mod schedule;
mod segment;
mod table;
mod world;

/// How many schedules there are.
const SCHEDULES: u64 = 300;
/// And of each of the kinds in which only one thing is wrong.
const FAULTS: u64 = 40;

/// What became of a schedule.
struct Run {
    violation: Option<String>,
    trace: Vec<String>,
    longest_disorder: Duration,
    longest_outage: Duration,
    longest_absence: Duration,
}

fn run(seed: u64, schedule: &Schedule) -> Run {
    let mut world = World::new(seed, &schedule.sites, schedule.refresh);
    world.scopes.extend(schedule.vips.iter().cloned());
    let mut invariants = Invariants::new(schedule.kind);
    let mut acts = schedule.acts.iter().peekable();
    let mut violation = None;
    while violation.is_none() && world.now() < world.start + schedule.end {
        let next = acts.peek().map_or(schedule.end, |(at, _)| *at);
        while world.step(world.start + next) {
            if let Err(why) = invariants.check(&world) {
                violation = Some(why);
                break;
            }
        }
        if violation.is_none()
            && let Some((_, act)) = acts.next()
        {
            act.apply(&mut world);
        }
    }
    if let Some(why) = &violation {
        world.tell(format!("VIOLATION: {why}"));
    }
    let octets: Vec<_> = world
        .network
        .hosts
        .values()
        .map(|host| host.octets)
        .collect();
    world.tell(format!("octets sent: {octets:?}"));
    Run {
        violation,
        trace: world.trace,
        longest_disorder: invariants.longest_disorder,
        longest_outage: invariants.longest_outage,
        longest_absence: invariants.longest_absence,
    }
}

/// Runs the schedules of these seeds, or the one that is asked for and shows it.
fn check(count: u64, draw: impl Fn(u64) -> Schedule) {
    if let Ok(seed) = std::env::var("CARILLON_SEED") {
        let seed = seed.parse().unwrap();
        let schedule = draw(seed);
        println!("{schedule:#?}");
        let run = run(seed, &schedule);
        println!("{}", run.trace.join("\n"));
        assert_eq!(run.violation, None);
        return;
    }
    let first = number("CARILLON_FIRST", 0);
    let count = number("CARILLON_SCHEDULES", count);
    let mut failed = Vec::new();
    let (mut disorder, mut outage) = (Duration::ZERO, Duration::ZERO);
    let mut absence = Duration::ZERO;
    for seed in first..first + count {
        let run = run(seed, &draw(seed));
        disorder = disorder.max(run.longest_disorder);
        outage = outage.max(run.longest_outage);
        absence = absence.max(run.longest_absence);
        if let Some(why) = run.violation {
            failed.push(format!("{why}\n    CARILLON_SEED={seed}"));
        }
    }
    println!(
        "{count} schedules: agreement after {disorder:?}, an owner after {outage:?}, nothing away \
         from where it was well for more than {absence:?}"
    );
    assert!(
        failed.is_empty(),
        "{} of {count} schedules failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn everything_holds_in_every_schedule() {
    check(SCHEDULES, Schedule::any);
}

#[test]
fn what_somebody_only_says_takes_nothing_off_the_air() {
    check(FAULTS, |seed| Schedule::draw(seed, Kind::Forged));
}

#[test]
fn who_does_not_hear_or_is_not_heard_takes_nothing_from_the_healthy() {
    check(FAULTS, |seed| Schedule::draw(seed, Kind::OneWay));
}

#[test]
fn a_split_of_the_gossip_moves_nothing() {
    check(FAULTS, |seed| Schedule::draw(seed, Kind::Gossip));
}

#[test]
fn who_stood_still_for_minutes_takes_nothing_back() {
    check(FAULTS / 4, |seed| Schedule::draw(seed, Kind::Paused));
}

/// Others take in turn what nobody claims for a second.
#[test]
fn addresses_that_come_slowly_are_taken_once() {
    let site = Site {
        segments: vec![0],
        assigns: Some(Duration::from_millis(250)),
    };
    let mut world = World::new(1, &vec![site; 3], DEFAULT_REFRESH);
    let run = |world: &mut World, seconds| {
        let end = world.now() + Duration::from_secs(seconds);
        while world.step(end) {}
    };
    for node in 0..3 {
        world.start_daemon(node);
    }
    run(&mut world, 5);
    for number in 1..=90 {
        world.set_service([10, 20, 0, number].into(), Some(&Scope::Anywhere));
    }
    run(&mut world, 20);
    let vips = world.scopes.keys().copied();
    let lost = vips.filter(|vip| world.nodes[0].announces(*vip)).count();
    assert!(lost > 10, "{lost} are taken in less than a second");
    world.trace.clear();
    world.kill(0);
    run(&mut world, 20);
    let taken = world
        .trace
        .iter()
        .filter(|line| line.contains(" announces "));
    assert_eq!(taken.count(), lost);
}

/// How many of these VIPs each node announces, on no other interface than the one that they are for.
fn on_second(world: &World, vips: &[IpAddr]) -> Vec<usize> {
    let announced = |node: &Node| {
        let daemon = node.daemon.as_ref();
        let places = daemon.map(|daemon| &daemon.layer2.announced);
        let places = places.into_iter().flatten();
        places
            .filter(|(vip, places)| {
                let is_one = vips.contains(vip);
                assert!(!is_one || **places == BTreeSet::from([SECOND.0]));
                is_one
            })
            .count()
    };
    world.nodes.iter().map(announced).collect()
}

#[test]
fn addresses_for_an_interface_are_owned_where_it_works() {
    let sites = [vec![0], vec![0, 1], vec![0, 1]].map(|segments| Site {
        segments,
        assigns: None,
    });
    let mut world = World::new(1, &sites, DEFAULT_REFRESH);
    let vips: Vec<IpAddr> = (1..=20).map(|last| [11, 20, 0, last].into()).collect();
    let run = |world: &mut World, seconds| {
        let end = world.now() + Duration::from_secs(seconds);
        while world.step(end) {
            on_second(world, &vips);
        }
        on_second(world, &vips)
    };
    for node in 0..3 {
        world.start_daemon(node);
    }
    run(&mut world, 5);
    for vip in &vips {
        world.set_service(*vip, Some(&Scope::Anywhere));
    }
    let both = run(&mut world, 20);
    assert!(both[0] == 0 && both[1] > 0 && both[2] > 0, "{both:?}");
    assert_eq!(both.iter().sum::<usize>(), vips.len());
    world.kill(1);
    assert_eq!(run(&mut world, 20), [0, 0, vips.len()]);
    // The other interface of the node works, and would be no help.
    world.nodes[2].nics.get_mut(&SECOND.0).unwrap().has_carrier = false;
    let interfaces = world.nodes[2].interfaces();
    world.arrive(2, Arrival::Interfaces(interfaces));
    assert_eq!(run(&mut world, 20), [0, 0, 0]);
    world.start_daemon(1);
    assert_eq!(run(&mut world, 20), [0, vips.len(), 0]);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [2, 3, 4] {
        let schedule = Schedule::any(seed);
        let (one, other) = (run(seed, &schedule), run(seed, &schedule));
        assert!(one.trace.len() > 20);
        assert_eq!(one.trace, other.trace);
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().unwrap())
}
