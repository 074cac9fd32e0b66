//! `l2-gossip-cut`: two nodes that cannot gossip, on a segment that is whole.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Entrant, System, VIP};
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, millis, progress};
use crate::layer2::Answers;

const RUNS: usize = 50;
const NODES: [&str; 2] = ["alpha", "beta"];
const TICK: Duration = Duration::from_millis(5);
/// How long the gossip is cut, and how long is watched afterwards.
const CUT: Duration = Duration::from_secs(8);
const AFTERWARDS: Duration = Duration::from_secs(4);
const SYSTEM: System = System::Carillon(None);
/// Milliseconds with two owners, and moves.
const AIM: (f64, f64) = (1000.0, 1.0);

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let runs = options.runs.unwrap_or(RUNS);
    let mut entrant = Entrant::start(SYSTEM, &NODES)?;
    let mut cut = Samples::default();
    let mut healed = Samples::default();
    let bar = progress("l2-gossip-cut", runs);
    for _ in 0..runs {
        entrant.owner()?;
        let lan = entrant.segment().lan.clone();
        let [one, other] = [0, 1].map(|place| entrant.station(place).map(|s| s.cable.clone()));
        let asker = entrant.segment().ask(&[VIP], TICK)?;
        lan.separate(&one?, &other?, true)?;
        thread::sleep(CUT);
        cut.add(&asker.stop());
        let asker = entrant.segment().ask(&[VIP], TICK)?;
        lan.heal()?;
        thread::sleep(AFTERWARDS);
        healed.add(&asker.stop());
        entrant.disturb();
        bar.inc(1);
    }
    bar.finish_and_clear();
    let chart = Chart::ranges("Gossip cut: time with two owners, min, median, max", "ms");
    let mut report = Report::new("l2-gossip-cut", chart);
    for (name, samples) in [("gossip cut", cut), ("gossip back", healed)] {
        samples.report(name, &mut report)?;
    }
    Ok(report)
}

#[derive(Default)]
struct Samples {
    doubled: Vec<f64>,
    moves: Vec<f64>,
    unanswered: Vec<f64>,
}

impl Samples {
    fn add(&mut self, answers: &Answers) {
        self.doubled.push(millis(answers.time_with_two_owners()));
        self.moves.push(answers.moves() as f64);
        self.unanswered.push(answers.unanswered() as f64);
    }

    fn report(&self, name: &str, report: &mut Report) -> Result<()> {
        let record = |what: &str, unit, samples: &[f64]| {
            let case = format!("{name}: {what}");
            Record::new(&SYSTEM.name(), &case, NODES.len(), unit, samples).context("no runs")
        };
        let mut row = Row::from(record("with two owners", "ms", &self.doubled)?);
        row.aim(format!("max ≤ {}", AIM.0), row.record.max <= AIM.0);
        let range = [row.record.min, row.record.p50, row.record.max];
        report.chart.range(name, range);
        report.rows.push(row);
        let mut row = Row::from(record("moves", "moves", &self.moves)?);
        row.aim(format!("max ≤ {}", AIM.1), row.record.max <= AIM.1);
        report.rows.push(row);
        let unanswered = record("unanswered questions", "questions", &self.unanswered)?;
        report.rows.push(unanswered.into());
        Ok(())
    }
}
