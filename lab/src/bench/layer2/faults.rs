//! `l2-faults`: forged frames, deaf and dumb nodes, lost gossip, floods and pauses; what becomes of the
//! addresses of nodes that are well.

use std::thread;

use anyhow::{Context, Result, anyhow};

use super::{Daemon, System};
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, progress};

mod fault;
mod outcome;
mod site;

use fault::Fault;
use outcome::Outcome;
use site::{Site, VIPS};

const RUNS: usize = 3;
const SYSTEMS: [System; 2] = [System::Carillon(None), System::Keepalived("1")];
/// Of Carillon: seconds without an answer, and moves.
const AIM: (f64, f64) = (0.2, 0.0);

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let runs = options.runs.unwrap_or(RUNS);
    let mut samples: Vec<[Samples; 2]> = Vec::new();
    samples.resize_with(Fault::ALL.len(), Default::default);
    let bar = progress("l2-faults", runs * Fault::ALL.len());
    for _ in 0..runs {
        for (fault, samples) in Fault::ALL.into_iter().zip(&mut samples) {
            bar.set_message(fault.name());
            for (samples, outcome) in samples.iter_mut().zip(measure_all(fault)?) {
                samples.add(&outcome);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    report(&samples)
}

/// Every system has nodes of its own for every fault. They suffer it at the same time, except where that
/// takes a core of its own.
fn measure_all(fault: Fault) -> Result<Vec<Outcome>> {
    let measure = |system: System| {
        let outcome = Site::start(system, fault).and_then(|mut site| site.measure(fault));
        outcome.with_context(|| format!("{}: {}", system.name(), fault.name()))
    };
    if fault == Fault::Flood {
        return SYSTEMS.into_iter().map(measure).collect();
    }
    thread::scope(|scope| {
        let threads = SYSTEMS.map(|system| scope.spawn(move || measure(system)));
        let outcomes = threads.into_iter().map(|thread| {
            let outcome = thread.join();
            outcome.map_err(|_| anyhow!("a thread has failed"))?
        });
        outcomes.collect()
    })
}

/// What the runs of one system with one fault gave.
#[derive(Default)]
struct Samples {
    unanswered: Vec<f64>,
    its_own: Vec<f64>,
    moves: Vec<f64>,
    owners: Vec<f64>,
}

impl Samples {
    fn add(&mut self, outcome: &Outcome) {
        self.unanswered.push(outcome.unanswered.as_secs_f64());
        let its_own = outcome.its_own.map(|time| time.as_secs_f64());
        self.its_own.extend(its_own);
        self.moves.push(outcome.moves as f64);
        self.owners.push(outcome.owners as f64);
    }
}

fn report(samples: &[[Samples; 2]]) -> Result<Report> {
    let chart = Chart::ranges("Without an answer, of nodes that are well", "s");
    let mut report = Report::new("l2-faults", chart);
    for (fault, samples) in Fault::ALL.into_iter().zip(samples) {
        for (system, samples) in SYSTEMS.into_iter().zip(samples) {
            rows(&mut report, (system, fault), samples)?;
        }
    }
    Ok(report)
}

fn rows(report: &mut Report, (system, fault): (System, Fault), samples: &Samples) -> Result<()> {
    let record = |what: &str, unit, samples: &[f64]| {
        let case = format!("{}: {what}", fault.name());
        Record::new(&system.name(), &case, VIPS, unit, samples)
    };
    let is_ours = matches!(system, System::Carillon(_));
    let aimed = |record: Record, most: f64| {
        let mut row = Row::from(record);
        if is_ours {
            let text = format!("max ≤ {most}");
            row.aim(text, row.record.max <= most);
        }
        row
    };
    let unanswered = record("unanswered", "s", &samples.unanswered).context("no runs")?;
    let range = [unanswered.min, unanswered.p50, unanswered.max];
    let label = format!("{}: {}", system.name(), fault.name());
    report.chart.range(&label, range);
    report.rows.push(aimed(unanswered, AIM.0));
    let its_own = record("unanswered, the node's own", "s", &samples.its_own);
    report.rows.extend(its_own.map(Row::from));
    let moves = record("moves", "moves", &samples.moves).context("no runs")?;
    report.rows.push(aimed(moves, AIM.1));
    let owners = record("owners at a time", "owners", &samples.owners);
    report.rows.push(owners.context("no runs")?.into());
    Ok(())
}
