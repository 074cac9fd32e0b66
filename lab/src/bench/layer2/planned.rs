//! `l2-planned`: a daemon ends or gives its address away while its node lives.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Daemon, Entrant, System, VIP};
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, millis, progress};
use crate::layer2::{Answers, Probes};

const RUNS: usize = 50;
/// A rolling restart takes long, and is several ends of a daemon.
const ROLLS: usize = 10;
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Of the probes, and of the questions who has the address.
const TICK: Duration = Duration::from_millis(5);
/// For how long is watched what comes of it.
const WATCH: Duration = Duration::from_secs(5);
/// How long each node is left alone in a rolling restart.
const SETTLE: Duration = Duration::from_secs(3);
const SYSTEMS: [System; 2] = [System::Carillon(None), System::Keepalived("1")];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Killed,
    Terminated,
    Drained,
    Rolled,
}

const CASES: [(Case, &str); 4] = [
    (Case::Killed, "kill -9 of the owner's daemon"),
    (Case::Terminated, "SIGTERM to the owner's daemon"),
    (Case::Drained, "drain of the owner"),
    (Case::Rolled, "rolling restart of all"),
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges("Lost probes of 5 ms each: min, median, max", "ms");
    let mut report = Report::new("l2-planned", chart);
    report.notes.push(format!(
        "Two owners are counted for {} s after each event. keepalived does not take the address off a \
         node when it is killed: there it has two until somebody starts it again.",
        WATCH.as_secs()
    ));
    let mut entrants = Vec::new();
    for system in SYSTEMS {
        entrants.push(Entrant::start(system, &NODES)?);
    }
    for (case, name) in CASES {
        let runs = options.runs.unwrap_or(RUNS);
        let runs = if case == Case::Rolled {
            runs.min(ROLLS)
        } else {
            runs
        };
        let bar = progress(name, runs * entrants.len());
        let mut samples: Vec<[Vec<f64>; 2]> = vec![Default::default(); entrants.len()];
        for _ in 0..runs {
            for (entrant, samples) in entrants.iter_mut().zip(&mut samples) {
                if !takes_part(entrant.system, case) {
                    continue;
                }
                bar.set_message(entrant.system.name());
                let (probes, answers) = measure(entrant, case).with_context(|| name.to_owned())?;
                samples[0].push(probes.lost() as f64);
                samples[1].push(millis(answers.time_with_two_owners()));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        for (entrant, [lost, doubled]) in entrants.iter().zip(&samples) {
            if takes_part(entrant.system, case) {
                rows(&mut report, entrant.system, (case, name), lost, doubled)?;
            }
        }
    }
    Ok(report)
}

/// keepalived cannot be told to drain.
fn takes_part(system: System, case: Case) -> bool {
    case != Case::Drained || matches!(system, System::Carillon(_))
}

fn rows(
    report: &mut Report,
    system: System,
    (case, name): (Case, &str),
    lost: &[f64],
    doubled: &[f64],
) -> Result<()> {
    let record = |what: &str, unit, samples: &[f64]| {
        let case = format!("{name}: {what}");
        Record::new(&system.name(), &case, NODES.len(), unit, samples).context("no runs")
    };
    let mut row = Row::from(record("lost probes", "probes", lost)?);
    if matches!(system, System::Carillon(_)) && case != Case::Killed {
        row.aim("max 0".to_owned(), row.record.max == 0.0);
    }
    let time = |count: f64| count * millis(TICK);
    let range = [row.record.min, row.record.p50, row.record.max].map(time);
    report
        .chart
        .range(&format!("{}, {name}", system.name()), range);
    report.rows.push(row);
    report
        .rows
        .push(record("with two owners", "ms", doubled)?.into());
    Ok(())
}

fn measure(entrant: &mut Entrant, case: Case) -> Result<(Probes, Answers)> {
    let owner = entrant.owner()?;
    let prober = entrant.probe(TICK, owner)?;
    let asker = entrant.segment().ask(&[VIP], TICK)?;
    thread::sleep(Duration::from_millis(rand::random_range(500..1500)));
    match case {
        Case::Killed => entrant.daemon(owner)?.process().kill()?,
        Case::Terminated => drop(entrant.daemon(owner)?.process().terminate()?),
        Case::Drained => tell(entrant.daemon(owner)?, "drain")?,
        Case::Rolled => {
            for place in 0..NODES.len() {
                let daemon = entrant.daemon(place)?;
                daemon.process().terminate()?;
                daemon.restart()?;
                thread::sleep(SETTLE);
            }
        }
    }
    thread::sleep(WATCH);
    let outcome = (prober.stop(), asker.stop());
    match case {
        Case::Killed | Case::Terminated => entrant.daemon(owner)?.restart()?,
        Case::Drained => tell(entrant.daemon(owner)?, "undrain")?,
        Case::Rolled => {}
    }
    entrant.disturb();
    Ok(outcome)
}

fn tell(daemon: &Daemon, command: &str) -> Result<()> {
    match daemon {
        Daemon::Carillon(daemon) => daemon.tell(command, &[]).map(drop),
        Daemon::Keepalived(_) => bail!("keepalived cannot be told to {command}"),
    }
}
