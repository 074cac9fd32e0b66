//! `kubernetes-service-to-update`: from a Service in the API to the UPDATE at the router.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::chart::Chart;
use super::super::entrant::PATIENCE;
use super::super::record::Record;
use super::super::report::{Report, Row};
use super::super::{Options, millis, progress};
use super::{Entrant, NO_METALLB, System};

const RUNS: usize = 100;
const START_RUNS: usize = 10;
/// How many more objects of configuration there are the second time.
const CROWD: usize = 1_000;
/// How much of MetalLB's figures is aimed at.
const SHARE: f64 = 0.8;
/// MetalLB's median and 99th percentile in ms on another day, by case, with nothing else configured.
const ELSEWHERE: [(&str, f64, f64); 2] = [(ANNOUNCE, 14.2, 21.6), (WITHDRAW, 5.6, 13.0)];
const ANNOUNCE: &str = "created to UPDATE";
const WITHDRAW: &str = "deleted to withdrawal";

/// What one system's changes took, in milliseconds.
#[derive(Default)]
struct Samples {
    announced: Vec<f64>,
    withdrawn: Vec<f64>,
    /// Until a bare watch was told of the creation.
    created: Vec<f64>,
    /// Until a bare watch was told of the deletion.
    deleted: Vec<f64>,
    /// From the start of the program to Established.
    started: Vec<f64>,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges("Service in the API to UPDATE: min, median, max", "ms");
    let mut report = Report::new("kubernetes-service-to-update", chart);
    let systems = System::available()?;
    if !systems.contains(&System::MetalLb) {
        report.notes.push(NO_METALLB.to_owned());
    }
    let runs = options.runs.unwrap_or(RUNS);
    let starts = options.runs.unwrap_or(START_RUNS);
    for more in [0, CROWD] {
        let samples = compare(&systems, runs, starts, more)?;
        report.rows.extend(rows(&systems, &samples, more)?);
    }
    for Row { record, .. } in &report.rows {
        let name = format!("{}: {}, {}", record.system, record.case, record.n);
        let range = [record.min, record.p50, record.max];
        report.chart.range(&name, range);
    }
    Ok(report)
}

/// The rows of each case, with so many more objects of configuration than there must be.
fn rows(systems: &[System], samples: &[Samples], more: usize) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    let cases: [(&str, fn(&Samples) -> &[f64]); 5] = [
        (ANNOUNCE, |samples| &samples.announced),
        (WITHDRAW, |samples| &samples.withdrawn),
        ("created to a bare watch", |samples| &samples.created),
        ("deleted to a bare watch", |samples| &samples.deleted),
        ("start to Established", |samples| &samples.started),
    ];
    for (case, of) in cases {
        let mut rows = Vec::new();
        for (system, samples) in systems.iter().zip(samples) {
            let record = Record::new(system.name(), case, more, "ms", of(samples));
            rows.push(Row::from(record.context("no runs")?));
        }
        aim(&mut rows);
        all.extend(rows);
    }
    Ok(all)
}

/// Compares the first row with MetalLB's in the second, or with its figures of another day.
fn aim(rows: &mut [Row]) {
    let Some((ours, others)) = rows.split_first_mut() else {
        return;
    };
    let case = &ours.record.case;
    let Some((_, p50, p99)) = ELSEWHERE.iter().find(|(name, ..)| name == case) else {
        return;
    };
    let theirs = others.first().map(|row| (row.record.p50, row.record.p99));
    let elsewhere = (ours.record.n == 0).then_some((*p50, *p99));
    let Some((p50, p99)) = theirs.or(elsewhere) else {
        return;
    };
    let (p50, p99) = (SHARE * p50, SHARE * p99);
    let met = ours.record.p50 <= p50 && ours.record.p99 <= p99;
    ours.aim(format!("p50 ≤ {p50:.1}, p99 ≤ {p99:.1}"), met);
}

fn compare(systems: &[System], runs: usize, starts: usize, more: usize) -> Result<Vec<Samples>> {
    let bar = progress("changes in the API", systems.len() * (runs + starts + 1));
    let mut entrants = Vec::new();
    for system in systems {
        bar.set_message(format!("a cluster for {}", system.name()));
        let mut entrant = Entrant::new(*system, more)?;
        entrant.prepare_change()?;
        entrant.start()?;
        entrant.peer.established(PATIENCE)?;
        // The first change waits for whoever becomes the leader.
        entrant.change(true)?;
        entrant.change(false)?;
        entrants.push((entrant, Samples::default()));
        bar.inc(1);
    }
    for run in 0..runs {
        entrants.rotate_left(1);
        for (entrant, samples) in &mut entrants {
            bar.set_message(format!("change {}: {}", run + 1, entrant.system.name()));
            pause();
            let change = entrant.change(true)?;
            samples.created.push(millis(change.told));
            samples.announced.push(millis(change.update));
            pause();
            let change = entrant.change(false)?;
            samples.deleted.push(millis(change.told));
            samples.withdrawn.push(millis(change.update));
            bar.inc(1);
        }
    }
    entrants.rotate_right(runs % systems.len());
    for run in 0..starts {
        for (entrant, samples) in &mut entrants {
            bar.set_message(format!("start {}: {}", run + 1, entrant.system.name()));
            entrant.stop()?;
            let started = entrant.start()?;
            let established = entrant.peer.established(PATIENCE)?;
            samples.started.push(millis(established - started));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(entrants.into_iter().map(|(_, samples)| samples).collect())
}

/// Changes come after a quiet time, at moments that no timer of the programs keeps step with.
fn pause() {
    thread::sleep(Duration::from_millis(rand::random_range(100..300)));
}
