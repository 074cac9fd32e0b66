//! Any number of daemons in virtual time, to which everything happens that can happen to them; and
//! what must hold all the same.
//!
//! A schedule follows from its seed alone. To see one again:
//! `CARILLON_SEED=123 cargo test -p carillon-core --test simulator -- --nocapture`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by it"
)]

use std::time::Duration;

use invariants::Invariants;
use schedule::Schedule;
use world::World;

mod invariants;
mod schedule;
mod speaker;
mod table;
mod world;

/// How many schedules there are.
const SCHEDULES: u64 = 500;

/// What became of a schedule.
struct Run {
    violation: Option<String>,
    trace: Vec<String>,
    longest_disorder: Duration,
    longest_outage: Duration,
}

fn run(seed: u64) -> Run {
    let schedule = Schedule::draw(seed);
    let mut world = World::new(seed, &schedule.segments);
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
    }
}

fn command(seed: u64) -> String {
    format!("CARILLON_SEED={seed} cargo test -p carillon-core --test simulator -- --nocapture")
}

#[test]
fn everything_holds_in_every_schedule() {
    if let Ok(seed) = std::env::var("CARILLON_SEED") {
        let seed = seed.parse().unwrap();
        println!("{:#?}", Schedule::draw(seed));
        let run = run(seed);
        println!("{}", run.trace.join("\n"));
        assert_eq!(run.violation, None);
        return;
    }
    let first = number("CARILLON_FIRST", 0);
    let count = number("CARILLON_SCHEDULES", SCHEDULES);
    let mut failed = Vec::new();
    let (mut disorder, mut outage) = (Duration::ZERO, Duration::ZERO);
    for seed in first..first + count {
        let run = run(seed);
        disorder = disorder.max(run.longest_disorder);
        outage = outage.max(run.longest_outage);
        if let Some(why) = run.violation {
            failed.push(format!("{why}\n    {}", command(seed)));
        }
    }
    println!("{count} schedules: agreement after {disorder:?}, an owner after {outage:?} at most");
    assert!(
        failed.is_empty(),
        "{} of {count} schedules failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [2, 3, 4] {
        let (one, other) = (run(seed), run(seed));
        assert!(one.trace.len() > 20);
        assert_eq!(one.trace, other.trace);
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().unwrap())
}
