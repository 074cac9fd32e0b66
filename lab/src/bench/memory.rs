//! `memory`: what a sender weighs, and how fast it is there.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::chart::Chart;
use super::entrant::{Entrant, PATIENCE};
use super::record::Record;
use super::report::{Report, Row};
use super::sender::System;
use super::{Options, millis, progress};
use crate::{Lab, binary};

const RUNS: usize = 5;
const START_RUNS: usize = 10;
const ROUTES: usize = 10_000;
const PEERS: u8 = 4;
/// How long after convergence the memory is read.
const REST: Duration = Duration::from_secs(10);
const SYSTEMS: [System; 3] = [
    System::Carillon { per_file: 1_000 },
    System::Frr,
    System::Bird,
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges(
        "Resident memory, 10 000 VIPs and 4 peers: min, median, max",
        "MB",
    );
    let mut report = Report::new("memory", chart);
    let runs = options.runs.unwrap_or(RUNS);
    let (resident, proportional) = weights(runs)?;
    for (case, samples) in [("RSS", resident), ("PSS", proportional)] {
        report.rows.extend(weighed(case, &samples)?);
    }
    for row in &report.rows {
        let record = &row.record;
        let name = format!("{}, {}", record.system, record.case);
        report
            .chart
            .range(&name, [record.min, record.p50, record.max]);
    }
    report
        .rows
        .extend(start_times(options.runs.unwrap_or(START_RUNS))?);
    report.rows.extend(binary_sizes()?);
    Ok(report)
}

type Samples = Vec<Vec<f64>>;

/// RSS and PSS in MB, by system.
fn weights(runs: usize) -> Result<(Samples, Samples)> {
    let mut resident = vec![Vec::new(); SYSTEMS.len()];
    let mut proportional = resident.clone();
    let bar = progress("memory", runs * SYSTEMS.len());
    for run in 0..runs {
        for ((system, resident), proportional) in
            SYSTEMS.iter().zip(&mut resident).zip(&mut proportional)
        {
            bar.set_message(format!("run {}: {}", run + 1, system.name()));
            let lab = Lab::new()?;
            let receiver = lab.host("receiver")?;
            let entrant = Entrant::start(&lab, &receiver, 0, *system, ROUTES, PEERS)?;
            entrant.converge()?;
            thread::sleep(REST);
            resident.push(memory(entrant.sender.pid, "Rss:")?);
            proportional.push(memory(entrant.sender.pid, "Pss:")?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok((resident, proportional))
}

/// A line of `/proc/PID/smaps_rollup`, in MB of 1 000 000 bytes.
pub(super) fn memory(pid: u32, line: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let value = text
        .lines()
        .find_map(|text| text.strip_prefix(line)?.split_whitespace().next());
    let kibibytes: f64 = value
        .with_context(|| format!("no {line} in {path}"))?
        .parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

fn weighed(case: &str, samples: &[Vec<f64>]) -> Result<Vec<Row>> {
    let case = format!("{case}, {PEERS} peers");
    let mut rows = Vec::new();
    for (system, samples) in SYSTEMS.iter().zip(samples) {
        let record = Record::new(system.name(), &case, ROUTES, "MB", samples);
        rows.push(Row::from(record.context("no runs")?));
    }
    let bird = rows.last().map_or(0.0, |row| row.record.p50);
    if let Some(ours) = rows.first_mut() {
        ours.aim(
            format!("≤ 2 × {bird:.1}, BIRD"),
            ours.record.p50 <= 2.0 * bird,
        );
    }
    Ok(rows)
}

/// From the start of the process to its first Established session, with one route.
fn start_times(runs: usize) -> Result<Vec<Row>> {
    let bar = progress("start to Established", runs * SYSTEMS.len());
    let mut samples = vec![Vec::new(); SYSTEMS.len()];
    for _ in 0..runs {
        for (system, samples) in SYSTEMS.iter().zip(&mut samples) {
            bar.set_message(system.name());
            let lab = Lab::new()?;
            let receiver = lab.host("receiver")?;
            let entrant = Entrant::start(&lab, &receiver, 0, *system, 1, 1)?;
            let peer = entrant.peers.first().context("no receiver")?;
            let established = peer.established(PATIENCE)?;
            samples.push(millis(established - entrant.sender.started));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let row = |(system, samples): (&System, &Vec<f64>)| {
        let record = Record::new(system.name(), "start to Established", 1, "ms", samples);
        Ok(Row::from(record.context("no runs")?))
    };
    SYSTEMS.iter().zip(&samples).map(row).collect()
}

fn binary_sizes() -> Result<Vec<Row>> {
    let ours = binary()?;
    let mut rows = Vec::new();
    for (name, path) in [
        (SYSTEMS[0].name(), ours.as_path()),
        ("FRR bgpd, without libfrr", Path::new("/usr/lib/frr/bgpd")),
        ("BIRD", Path::new("/usr/sbin/bird")),
    ] {
        let size = fs::metadata(path)
            .with_context(|| format!("no {}", path.display()))?
            .len();
        let record = Record::new(name, "binary", 1, "MB", &[size as f64 / 1e6]);
        rows.push(Row::from(record.context("no size")?));
    }
    Ok(rows)
}
