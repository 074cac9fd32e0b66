//! `l2-failover`: the owner of an address is cut from the segment.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Entrant, System};
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, millis, progress};
use crate::layer2::Meter;

const RUNS: usize = 50;
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
const TICK: Duration = Duration::from_millis(1);
/// In the order of the table.
const SYSTEMS: [System; 7] = [
    System::Carillon(None),
    System::Keepalived("1"),
    System::Keepalived("0.1"),
    System::Carillon(Some("100ms")),
    System::Keepalived("0.05"),
    System::Carillon(Some("20ms")),
    System::Keepalived("0.01"),
];
/// The shipped defaults: the outage's p99 beside that of keepalived's default, and bytes per second.
const AIM: (f64, f64) = (0.12, 3000.0);
/// The fast profile beside keepalived at the same number of packets.
const FAST_AIM: f64 = 1.15;
const ELSEWHERE: &str = "\
MetalLB 0.16.1, measured on another day on a machine like this one, p50 / p99 of 30 runs: 5687 / 6960 ms.";

/// What one system's runs gave.
#[derive(Default)]
pub(super) struct Samples {
    /// In ms.
    pub(super) outage: Vec<f64>,
    /// What the owner sent in a second.
    packets: Vec<f64>,
    bytes: Vec<f64>,
    /// The most that another node sent.
    others_packets: Vec<f64>,
    others_bytes: Vec<f64>,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let runs = options.runs.unwrap_or(RUNS);
    let mut entrants = Vec::new();
    for system in SYSTEMS {
        entrants.push((Entrant::start(system, &NODES)?, Samples::default()));
    }
    let bar = progress("l2-failover", runs * entrants.len());
    for run in 0..runs {
        entrants.rotate_left(1);
        for (entrant, samples) in &mut entrants {
            bar.set_message(format!("cut {}: {}", run + 1, entrant.system.name()));
            fail_over(entrant, samples).with_context(|| entrant.system.name())?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    entrants.rotate_right(runs % SYSTEMS.len());
    let results: Vec<_> = entrants
        .into_iter()
        .map(|(entrant, samples)| (entrant.system, samples))
        .collect();
    report(&results)
}

/// Cuts the owner off, and measures for how long a client gets no answer.
pub(super) fn fail_over(entrant: &mut Entrant, samples: &mut Samples) -> Result<()> {
    let owner = entrant.owner()?;
    let prober = entrant.probe(TICK, owner)?;
    let meters = || entrant.meters.iter().map(Meter::read);
    let before = meters().collect::<Result<Vec<_>>>()?;
    // No timer of the daemons keeps step with this.
    thread::sleep(Duration::from_millis(rand::random_range(1000..2000)));
    let after = meters().collect::<Result<Vec<_>>>()?;
    let cut = Instant::now();
    entrant.station(owner)?.cable.cut()?;
    entrant.await_other(&prober, owner)?;
    let outage = prober.stop().since(cut).outage();
    entrant.station(owner)?.cable.mend()?;
    entrant.disturb();
    samples.outage.push(millis(outage));
    let rates = after
        .into_iter()
        .zip(before)
        .map(|(after, before)| (after - before).rates());
    let mut rates: Vec<_> = rates.collect();
    let (packets, bytes) = rates.swap_remove(owner);
    samples.packets.push(packets);
    samples.bytes.push(bytes);
    let most = |figures: Vec<f64>| figures.into_iter().fold(0.0, f64::max);
    samples
        .others_packets
        .push(most(rates.iter().map(|rate| rate.0).collect()));
    samples
        .others_bytes
        .push(most(rates.iter().map(|rate| rate.1).collect()));
    Ok(())
}

fn report(results: &[(System, Samples)]) -> Result<Report> {
    let chart = Chart::ranges("The owner is cut off: outage, min, median, max", "ms");
    let mut report = Report::new("l2-failover", chart);
    report.notes.push(ELSEWHERE.to_owned());
    let mut outages = Vec::new();
    for (system, samples) in results {
        let record = record(*system, "outage", "ms", &samples.outage)?;
        let range = [record.min, record.p50, record.max];
        report.chart.range(&record.system, range);
        outages.push((*system, record));
    }
    for (system, record) in &outages {
        let mut row = Row::from(record.clone());
        aim(*system, &mut row, &outages);
        report.rows.push(row);
    }
    for (system, samples) in results {
        for (case, unit, figures) in [
            ("sent by the owner", "packets/s", &samples.packets),
            ("sent by the owner", "B/s", &samples.bytes),
            ("sent by another node", "packets/s", &samples.others_packets),
            ("sent by another node", "B/s", &samples.others_bytes),
        ] {
            let mut row = Row::from(record(*system, case, unit, figures)?);
            if unit == "B/s" && *system == System::Carillon(None) {
                row.aim(format!("p50 ≤ {}", AIM.1), row.record.p50 <= AIM.1);
            }
            report.rows.push(row);
        }
    }
    Ok(report)
}

fn record(system: System, case: &str, unit: &'static str, samples: &[f64]) -> Result<Record> {
    Record::new(&system.name(), case, NODES.len(), unit, samples).context("no runs")
}

/// What is hoped for is said in terms of keepalived's figures.
fn aim(system: System, row: &mut Row, outages: &[(System, Record)]) {
    let (rival, factor) = match system {
        System::Keepalived(_) => return,
        System::Carillon(None) => ("1", AIM.0),
        System::Carillon(Some("100ms")) => ("0.05", FAST_AIM),
        System::Carillon(Some(_)) => ("0.01", FAST_AIM),
    };
    let rival = outages
        .iter()
        .find(|(other, _)| *other == System::Keepalived(rival));
    let Some((_, rival)) = rival else {
        return;
    };
    let (p50, p99) = (factor * rival.p50, factor * rival.p99);
    let is_fast = system != System::Carillon(None);
    let met = row.record.p99 <= p99 && (!is_fast || row.record.p50 <= p50);
    let more = if is_fast {
        format!("p50 ≤ {p50:.0}, ")
    } else {
        String::new()
    };
    let text = format!("{factor} × {}: {more}p99 ≤ {p99:.0}", rival.system);
    row.aim(text, met);
}
