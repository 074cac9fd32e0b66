//! `l2-cpu-hog`: nobody fails, but every core is busy.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Entrant, System, VIP};
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, millis, progress};

const MINUTES: u64 = 30;
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
const TICK: Duration = Duration::from_millis(20);
/// Busy programs for each core.
const HOGS_PER_CORE: usize = 2;
const SYSTEMS: [System; 5] = [
    System::Carillon(None),
    System::Carillon(Some("100ms")),
    System::Carillon(Some("20ms")),
    System::Keepalived("0.05"),
    System::Keepalived("0.01"),
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let minutes = options.minutes.unwrap_or(MINUTES);
    let mut entrants = Vec::new();
    for system in SYSTEMS {
        entrants.push(Entrant::start(system, &NODES)?);
    }
    let mut askers = Vec::new();
    for entrant in &entrants {
        entrant.owner()?;
        askers.push(entrant.segment().ask(&[VIP], TICK)?);
    }
    let cores = thread::available_parallelism()?.get();
    let somewhere = &entrants.first().context("no entrants")?.segment().client;
    let mut hogs = Vec::new();
    for number in 0..HOGS_PER_CORE * cores {
        let mut hog = somewhere.command("sh");
        hog.args(["-c", "while :; do :; done"]);
        hogs.push(somewhere.spawn(&format!("hog{number}"), &mut hog)?);
    }
    let bar = progress("l2-cpu-hog", usize::try_from(minutes * 60)?);
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    while Instant::now() < end {
        thread::sleep(Duration::from_secs(1));
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop(hogs);
    let chart = Chart::ranges("Busy cores: moves of the address", "moves");
    let mut report = Report::new("l2-cpu-hog", chart);
    report.notes.push(format!(
        "{minutes} minutes with {HOGS_PER_CORE} busy programs for each of {cores} cores; all systems \
         at once; who has the address is asked every {} ms.",
        TICK.as_millis()
    ));
    for (system, asker) in SYSTEMS.into_iter().zip(askers) {
        let answers = asker.stop();
        let record = |case, unit, figure: f64| {
            Record::new(&system.name(), case, NODES.len(), unit, &[figure]).context("no figure")
        };
        let moves = answers.moves() as f64;
        let mut row = Row::from(record("false failovers", "moves", moves)?);
        if matches!(system, System::Carillon(_)) {
            row.aim("0".to_owned(), moves == 0.0);
        }
        report.chart.range(&system.name(), [moves; 3]);
        report.rows.push(row);
        let doubled = millis(answers.time_with_two_owners());
        report
            .rows
            .push(record("with two owners", "ms", doubled)?.into());
    }
    Ok(report)
}
