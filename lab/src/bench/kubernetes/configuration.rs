//! `kubernetes-configuration`: an object that configures changes, until every node has followed.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::chart::Chart;
use super::super::entrant::PATIENCE;
use super::super::peer::Update;
use super::super::record::Record;
use super::super::report::{Report, Row};
use super::super::{Options, millis, progress};
use super::fleet::Fleet;
use super::{NO_METALLB, System, objects};
use crate::kubernetes::Request;

const RUNS: usize = 50;
/// A peer takes the time that its receiver needs.
const PEER_RUNS: usize = 10;
const NODES: u8 = 5;
/// How many Services have an address of the pool.
const SERVICES: usize = 10;
/// What is aimed at, in ms.
const AIM: f64 = 100.0;
const POOL: &str = "moving";
/// The addresses of the pool, by turns.
const ADDRESSES: [&str; 2] = ["100.64.0.0/24", "100.65.0.0/24"];
/// How long a session is watched that is not to end.
const WATCH: Duration = Duration::from_secs(1);
/// The label by which an advertisement selects the pool.
const LABEL: &str = "announced";

const WITHDRAWN: &str = "pool not selected any more to last UPDATE";
const ANNOUNCED: &str = "pool selected to last UPDATE";
const MOVED: &str = "other addresses of the pool to last UPDATE";
const PEERED: &str = "peers added to last session";
const ENDED: &str = "other sessions that ended";

/// What one system's changes took.
#[derive(Default)]
struct Samples {
    withdrawn: Vec<f64>,
    announced: Vec<f64>,
    moved: Vec<f64>,
    peered: Vec<f64>,
    ended: Vec<f64>,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges(
        "An object changes, every node follows: min, median, max",
        "ms",
    );
    let mut report = Report::new("kubernetes-configuration", chart);
    let systems = System::available()?;
    if !systems.contains(&System::MetalLb) {
        report.notes.push(NO_METALLB.to_owned());
    }
    let samples = compare(&systems, options.runs)?;
    let cases: [(&str, &'static str, fn(&Samples) -> &[f64]); 5] = [
        (ANNOUNCED, "ms", |samples| &samples.announced),
        (WITHDRAWN, "ms", |samples| &samples.withdrawn),
        (MOVED, "ms", |samples| &samples.moved),
        (PEERED, "ms", |samples| &samples.peered),
        (ENDED, "sessions", |samples| &samples.ended),
    ];
    for (case, unit, of) in cases {
        for (system, samples) in systems.iter().zip(&samples) {
            let record = Record::new(system.name(), case, usize::from(NODES), unit, of(samples));
            let mut row = Row::from(record.context("no runs")?);
            if *system == System::Carillon {
                aim(&mut row, case);
            }
            report.rows.push(row);
        }
    }
    for Row { record, .. } in &report.rows {
        if record.unit == "ms" {
            let name = format!("{}: {}", record.system, record.case);
            report
                .chart
                .range(&name, [record.min, record.p50, record.max]);
        }
    }
    Ok(report)
}

fn aim(row: &mut Row, case: &str) {
    match case {
        ANNOUNCED | WITHDRAWN | MOVED => {
            let met = row.record.p99 <= AIM;
            row.aim(format!("p99 ≤ {AIM}"), met);
        }
        ENDED => {
            let met = row.record.max == 0.0;
            row.aim("0".to_owned(), met);
        }
        _ => {}
    }
}

fn compare(systems: &[System], runs: Option<usize>) -> Result<Vec<Samples>> {
    let (changes, peers) = (runs.unwrap_or(RUNS), runs.unwrap_or(PEER_RUNS));
    let bar = progress("configuration", systems.len() * (changes + peers));
    let mut entrants = Vec::new();
    for system in systems {
        bar.set_message(format!("a cluster for {}", system.name()));
        entrants.push((system, prepare(*system)?, Samples::default()));
    }
    for run in 0..changes {
        entrants.rotate_left(1);
        for (system, fleet, samples) in &mut entrants {
            bar.set_message(format!("change {}: {}", run + 1, system.name()));
            change(fleet, run, samples).with_context(|| system.name())?;
            bar.inc(1);
        }
    }
    for run in 0..peers {
        entrants.rotate_left(1);
        for (system, fleet, samples) in &mut entrants {
            bar.set_message(format!("peer {}: {}", run + 1, system.name()));
            add_peers(fleet, samples).with_context(|| system.name())?;
            bar.inc(1);
        }
    }
    entrants.rotate_right((changes + peers) % systems.len());
    bar.finish_and_clear();
    Ok(entrants
        .into_iter()
        .map(|(_, _, samples)| samples)
        .collect())
}

/// A cluster whose nodes announce all Services.
fn prepare(system: System) -> Result<Fleet> {
    let mut fleet = Fleet::new(system, NODES)?;
    let pool = json!({"addresses": [ADDRESSES[0]]});
    let selector = json!({"ipAddressPoolSelectors": [{"matchLabels": {LABEL: "yes"}}]});
    let mut requests = vec![
        objects::resource("IPAddressPool", POOL, &json!({LABEL: "yes"}), &pool),
        objects::resource("BGPAdvertisement", POOL, &Value::Null, &selector),
    ];
    for number in 0..SERVICES {
        let (name, node) = (format!("service-{number}"), objects::NODE);
        requests.push(objects::create_endpoint_slice(&name, node));
        requests.push(objects::create_service(&name));
    }
    fleet.send_all(&requests)?;
    fleet.start()?;
    await_announced(&fleet, ADDRESSES[0].parse()?)?;
    Ok(fleet)
}

fn change(fleet: &mut Fleet, run: usize, samples: &mut Samples) -> Result<()> {
    let label = |value: &str| patch(&json!({"metadata": {"labels": {LABEL: value}}}));
    let [first, second] = ADDRESSES;
    let (current, other) = match run % 2 {
        0 => (first, second),
        _ => (second, first),
    };
    let current: Ipv4Net = current.parse()?;
    let before = begin(fleet, &label("no"))?;
    let last = await_withdrawn(fleet, current)?;
    samples.withdrawn.push(millis(last - before));
    let before = begin(fleet, &label("yes"))?;
    let last = await_announced(fleet, current)?;
    samples.announced.push(millis(last - before));
    let before = begin(fleet, &patch(&json!({"spec": {"addresses": [other]}})))?;
    let last = await_announced(fleet, other.parse()?)?;
    samples.moved.push(millis(last - before));
    Ok(())
}

fn patch(patch: &Value) -> Request {
    let pool = format!("{}/{POOL}", objects::collection("IPAddressPool"));
    Request::patch(pool, patch.clone())
}

/// Makes a change after a quiet time, at a moment that no timer of the programs keeps step with, and
/// returns the moment before it.
fn begin(fleet: &mut Fleet, request: &Request) -> Result<Instant> {
    fleet.connect()?;
    thread::sleep(Duration::from_millis(rand::random_range(300..600)));
    fleet.drain();
    let before = Instant::now();
    fleet.send(request)?;
    Ok(before)
}

/// Waits until each node has announced an address of this pool for each Service, and returns when
/// the last of them came.
fn await_announced(fleet: &Fleet, pool: Ipv4Net) -> Result<Instant> {
    await_updates(fleet, pool, |update| update.announced)
}

/// Waits until each node has withdrawn those of the pool, and returns when the last of them came.
fn await_withdrawn(fleet: &Fleet, pool: Ipv4Net) -> Result<Instant> {
    await_updates(fleet, pool, |update| update.withdrawn)
}

fn await_updates(
    fleet: &Fleet,
    pool: Ipv4Net,
    prefixes: fn(Update) -> Vec<Ipv4Net>,
) -> Result<Instant> {
    let mut last = Vec::new();
    for node in &fleet.nodes {
        let mut seen = HashSet::new();
        let at = loop {
            let (at, update) = node.peer.update(PATIENCE).with_context(|| {
                let (count, name) = (seen.len(), &node.name);
                format!("{name}: {count} of {SERVICES}")
            })?;
            let prefixes = prefixes(update).into_iter();
            seen.extend(prefixes.filter(|prefix| pool.contains(prefix)));
            if seen.len() == SERVICES {
                break at;
            }
        };
        last.push(at);
    }
    last.into_iter().max().context("no nodes")
}

/// Gives each node one more peer, and takes it away again.
fn add_peers(fleet: &mut Fleet, samples: &mut Samples) -> Result<()> {
    fleet.drain();
    fleet.nodes.iter().for_each(|node| node.extra.drain());
    let before = Instant::now();
    let sessions = fleet.extra_sessions();
    fleet.send_all(&sessions)?;
    let mut last = Vec::new();
    for node in &fleet.nodes {
        last.push(node.extra.established(PATIENCE)?);
    }
    let last = last.into_iter().max().context("no nodes")?;
    samples.peered.push(millis(last - before));
    let peers = objects::collection("BGPPeer");
    let removals = fleet.nodes.iter().map(|node| {
        let name = &node.name;
        Request::delete(format!("{peers}/extra-{name}"))
    });
    fleet.send_all(&removals.collect::<Vec<_>>())?;
    samples.ended.push(fleet.ended(WATCH) as f64);
    Ok(())
}
