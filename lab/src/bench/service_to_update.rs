//! `service-to-update`: from a changed file to the UPDATE at the router.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::chart::Chart;
use super::entrant::Entrant;
use super::record::Record;
use super::report::{Report, Row};
use super::sender::System;
use super::{Options, millis, progress};
use crate::Lab;

const RUNS: usize = 100;
const MANY: usize = 10_000;
/// The other services present, and how each system is started then.
const CASES: [(usize, System, &str); 7] = [
    (0, System::Carillon { per_file: 1 }, ""),
    (0, System::Frr, ""),
    (0, System::Bird, ""),
    (
        MANY,
        System::Carillon { per_file: 1 },
        ", others in a file each",
    ),
    (
        MANY,
        System::Carillon { per_file: MANY },
        ", others in one file",
    ),
    (MANY, System::Frr, ""),
    (MANY, System::Bird, ""),
];
/// The aim: median and 99th percentile in ms.
const AIM: (f64, f64) = (5.0, 15.0);
const ELSEWHERE: &str = "\
MetalLB 0.16.1, measured on another day on a machine like this one, from the Service in the API (not \
a file) to the UPDATE, p50 / p99 in ms: native mode 14.2 / 21.6, withdrawal 5.6 / 13.0; FRR mode \
8480 / 8560, withdrawal 3460 / 3560.";

/// What one entrant's changes took, in milliseconds.
#[derive(Default)]
struct Samples {
    announced: Vec<f64>,
    withdrawn: Vec<f64>,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let runs = options.runs.unwrap_or(RUNS);
    let chart = Chart::ranges("Changed file to UPDATE: min, median, max", "ms");
    let mut report = Report::new("service-to-update", chart);
    report.notes.push(ELSEWHERE.to_owned());
    for others in [0, MANY] {
        let cases: Vec<_> = CASES.iter().filter(|case| case.0 == others).collect();
        let samples = compare(others, &cases, runs)?;
        for ((_, system, layout), samples) in cases.into_iter().zip(samples) {
            for (what, samples) in [
                ("announce", samples.announced),
                ("withdraw", samples.withdrawn),
            ] {
                let case = format!("{what}{layout}");
                let record = Record::new(system.name(), &case, others, "ms", &samples);
                report.rows.push(row(*system, record.context("no runs")?));
            }
        }
    }
    for Row { record, .. } in &report.rows {
        let name = format!("{}: {}, {} others", record.system, record.case, record.n);
        report
            .chart
            .range(&name, [record.min, record.p50, record.max]);
    }
    Ok(report)
}

fn row(system: System, record: Record) -> Row {
    let met = record.p50 <= AIM.0 && record.p99 <= AIM.1;
    let mut row = Row::from(record);
    if matches!(system, System::Carillon { .. }) {
        row.aim(format!("p50 ≤ {}, p99 ≤ {}", AIM.0, AIM.1), met);
    }
    row
}

fn compare(others: usize, cases: &[&(usize, System, &str)], runs: usize) -> Result<Vec<Samples>> {
    let lab = Lab::new()?;
    let receiver = lab.host("receiver")?;
    let bar = progress(
        &format!("{others} other services"),
        cases.len() * (runs + 1),
    );
    let mut entrants = Vec::new();
    for (number, (_, system, _)) in (0..).zip(cases) {
        let entrant = Entrant::start(&lab, &receiver, number, *system, others, 1)?;
        entrant.converge()?;
        entrants.push((entrant, Samples::default()));
        bar.inc(1);
    }
    for run in 0..runs {
        entrants.rotate_left(1);
        for (entrant, samples) in &mut entrants {
            bar.set_message(format!("change {}: {}", run + 1, entrant.system.name()));
            pause();
            samples.announced.push(millis(entrant.change(true)?));
            pause();
            samples.withdrawn.push(millis(entrant.change(false)?));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    entrants.rotate_right(runs % cases.len());
    Ok(entrants.into_iter().map(|(_, samples)| samples).collect())
}

/// Changes come after a quiet time, at moments that no timer of the senders keeps step with.
fn pause() {
    thread::sleep(Duration::from_millis(rand::random_range(100..300)));
}
