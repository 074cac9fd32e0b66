//! `full-table`: from Established to the last UPDATE.

use anyhow::{Context, Result};

use super::chart::Chart;
use super::entrant::{Entrant, Transfer};
use super::peer::wire::packed_minimum;
use super::record::Record;
use super::report::{Report, Row};
use super::sender::System;
use super::{Options, millis, progress};
use crate::Lab;

/// Routes to send, and runs of each.
const SIZES: [(usize, usize); 4] = [(1, 20), (1_000, 20), (10_000, 20), (100_000, 20)];
/// Carillon first: the others are what it is compared with.
const SYSTEMS: [System; 4] = [
    System::Carillon { per_file: 1_000 },
    System::FrrAtOnce,
    System::Frr,
    System::Bird,
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(
        "full-table",
        Chart::lines("Established to last UPDATE", "ms"),
    );
    let mut volumes = Vec::new();
    for (routes, runs) in SIZES {
        let transfers = compare(routes, options.runs.unwrap_or(runs))?;
        report.rows.extend(times(routes, &transfers)?);
        volumes.extend(volume(routes, &transfers)?);
        for row in report.rows.iter().filter(|row| row.record.n == routes) {
            report
                .chart
                .point(&row.record.system, routes, row.record.p50);
        }
    }
    report.rows.extend(volumes);
    Ok(report)
}

/// All systems have their routes loaded and one Established session each; one at a time loses its
/// session and is measured when it comes back. The order rotates.
fn compare(routes: usize, runs: usize) -> Result<Vec<Vec<Transfer>>> {
    let lab = Lab::new()?;
    let receiver = lab.host("receiver")?;
    let bar = progress(&format!("{routes} routes"), SYSTEMS.len() * (runs + 1));
    let mut entrants = Vec::new();
    for (number, system) in (0..).zip(SYSTEMS) {
        let entrant = Entrant::start(&lab, &receiver, number, system, routes, 1)?;
        entrant.converge()?;
        entrants.push((entrant, Vec::new()));
        bar.inc(1);
    }
    for run in 0..runs {
        entrants.rotate_left(1);
        for (entrant, transfers) in &mut entrants {
            bar.set_message(format!("run {}: {}", run + 1, entrant.system.name()));
            transfers.push(entrant.measure_again()?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    entrants.rotate_right(runs % SYSTEMS.len());
    Ok(entrants
        .into_iter()
        .map(|(_, transfers)| transfers)
        .collect())
}

fn records(
    case: &str,
    routes: usize,
    unit: &'static str,
    transfers: &[Vec<Transfer>],
    figure: impl Fn(&Transfer) -> f64,
) -> Result<Vec<Record>> {
    let record = |(system, transfers): (&System, &Vec<Transfer>)| {
        let samples: Vec<f64> = transfers.iter().map(&figure).collect();
        Record::new(system.name(), case, routes, unit, &samples).context("no runs")
    };
    SYSTEMS.iter().zip(transfers).map(record).collect()
}

fn times(routes: usize, transfers: &[Vec<Transfer>]) -> Result<Vec<Row>> {
    let records = records("time", routes, "ms", transfers, |transfer| {
        millis(transfer.time)
    })?;
    let others = records.iter().skip(1).map(|record| record.p50);
    let best = others.fold(f64::INFINITY, f64::min);
    let mut rows: Vec<Row> = records.into_iter().map(Row::from).collect();
    if let Some(ours) = rows.first_mut() {
        ours.aim(
            format!("p50 ≤ {best:.2}, the fastest other"),
            ours.record.p50 <= best,
        );
    }
    Ok(rows)
}

fn volume(routes: usize, transfers: &[Vec<Transfer>]) -> Result<Vec<Row>> {
    let ours = transfers
        .first()
        .and_then(|transfers| transfers.first())
        .context("no runs")?;
    let (_, least) = packed_minimum(routes, ours.attribute_bytes);
    let bytes = records("UPDATE bytes", routes, "B", transfers, |t| t.bytes as f64)?;
    let messages = records("UPDATE messages", routes, "messages", transfers, |t| {
        t.messages as f64
    })?;
    let mut rows: Vec<Row> = bytes.into_iter().chain(messages).map(Row::from).collect();
    if let Some(ours) = rows.first_mut() {
        let met = ours.record.max <= 1.01 * least as f64;
        ours.aim(format!("≤ 1.01 × {least}, packed"), met);
    }
    Ok(rows)
}
