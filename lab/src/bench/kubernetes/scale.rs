//! `kubernetes-scale`: thousands of Services wait in the API when the system is started.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::chart::Chart;
use super::super::entrant::PATIENCE;
use super::super::memory::memory;
use super::super::record::Record;
use super::super::report::{Report, Row};
use super::super::{Options, progress};
use super::{Entrant, NO_METALLB, System, Usage, Writes};

/// Who announces how many Services, and whether it is watched for a while afterwards. MetalLB takes
/// six minutes for ten thousand.
const CASES: [(System, usize, bool); 3] = [
    (System::Carillon, FEW, false),
    (System::MetalLb, FEW, true),
    (System::Carillon, MANY, true),
];
const FEW: usize = 1_000;
const MANY: usize = 10_000;
/// MetalLB's time for [`MANY`] on another day, in seconds.
const ELSEWHERE: f64 = 350.0;
const ELSEWHERE_NOTE: &str = "\
MetalLB 0.16.1 with 10 000 Services, measured on another day on a machine like this one: 350 s, \
70 129 writes, 123 CPU seconds of the controller and 307 of the speaker, RSS 177 and 310 MB.";
/// How much of MetalLB's time is aimed at.
const SHARE: f64 = 0.1;
/// The most writes for each Service: its status, the Event that it has an address, the object that
/// says who announces it (which takes two), and the Event that says so.
const WRITES: f64 = 5.0;
/// The most writes about the configuration and how many addresses of a pool are in use.
const OTHER_WRITES: f64 = 100.0;
/// The most memory in MB.
const RSS: f64 = 30.0;
/// How long nothing may be written for the work to be taken as done.
const REST: Duration = Duration::from_secs(10);
/// How often the API server is asked what has been written.
const GLANCE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);
/// After a start, what is not confirmed within a minute is removed.
const CONFIRMED: Duration = Duration::from_secs(70);
const TIME: &str = "start to last route";
const WRITTEN: &str = "start to last write";
/// When nothing is to be written any more.
const WATCHED: [(&str, &str, fn(&mut Entrant, usize) -> Result<()>); 2] = [
    ("writes in an idle minute", "at rest", idle),
    ("writes after a restart", "starting again", restart),
];

/// A figure: its case and unit, its value, and what was aimed at.
struct Figure {
    case: String,
    unit: &'static str,
    value: f64,
    most: Option<f64>,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges("Start to the last route: min, median, max", "s");
    let mut report = Report::new("kubernetes-scale", chart);
    report.notes.push(ELSEWHERE_NOTE.to_owned());
    let systems = System::available()?;
    if !systems.contains(&System::MetalLb) {
        report.notes.push(NO_METALLB.to_owned());
    }
    let runs = options.runs.unwrap_or(1);
    for (system, services, watched) in CASES {
        if systems.contains(&system) {
            let samples: Result<Vec<_>> = (0..runs)
                .map(|_| measure(system, services, watched, &mut report.notes))
                .collect();
            report.rows.extend(rows(system, services, &samples?)?);
        }
    }
    compare_times(&mut report.rows, TIME, Some(ELSEWHERE));
    compare_times(&mut report.rows, WRITTEN, None);
    for Row { record, .. } in &report.rows {
        if record.case == TIME {
            let name = format!("{}, {} Services", record.system, record.n);
            let range = [record.min, record.p50, record.max];
            report.chart.range(&name, range);
        }
    }
    Ok(report)
}

/// One row for each figure of the runs.
fn rows(system: System, services: usize, runs: &[Vec<Figure>]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (n, figure) in runs.first().into_iter().flatten().enumerate() {
        let values = runs.iter().filter_map(|figures| figures.get(n));
        let values: Vec<f64> = values.map(|figure| figure.value).collect();
        let Figure { case, unit, .. } = figure;
        let record = Record::new(system.name(), case, services, unit, &values);
        let mut row = Row::from(record.context("no runs")?);
        if let (System::Carillon, Some(most)) = (system, figure.most) {
            let met = row.record.max <= most;
            row.aim(format!("≤ {most}"), met);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Our times beside MetalLB's.
fn compare_times(rows: &mut [Row], case: &str, elsewhere: Option<f64>) {
    let mut times = rows.iter().map(|row| &row.record);
    let theirs = times.find(|time| time.case == case && time.system == System::MetalLb.name());
    let theirs = [(FEW, theirs.map(|time| time.p50)), (MANY, elsewhere)];
    for (services, theirs) in theirs {
        let ours = rows.iter_mut().find(|row| {
            let time = &row.record;
            time.case == case && time.system == System::Carillon.name() && time.n == services
        });
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let met = ours.record.p50 <= SHARE * theirs;
            ours.aim(format!("≤ {SHARE} × {theirs:.1}, MetalLB"), met);
        }
    }
}

fn measure(
    system: System,
    services: usize,
    watched: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Figure>> {
    let name = format!("{}, {services} Services", system.name());
    let bar = progress(&name, 4);
    bar.set_message("creating them");
    let mut entrant = Entrant::new(system, 0)?;
    entrant.add_services(services)?;
    thread::sleep(REST);
    bar.inc(1);
    bar.set_message("announcing them");
    let mut figures = announce(&mut entrant, services, &name, notes)?;
    bar.inc(1);
    if watched {
        for (case, message, act) in WATCHED {
            bar.set_message(message);
            let before = Writes::read(&entrant.api)?;
            act(&mut entrant, services)?;
            let writes = Writes::read(&entrant.api)?.since(&before);
            notes.push(format!("{name}, {case}: {writes}."));
            figures.push(figure(case, "requests", writes.count() as f64, Some(0.0)));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(figures)
}

/// From the start to the last route, and what that took.
fn announce(
    entrant: &mut Entrant,
    services: usize,
    name: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<Figure>> {
    let before = Usage::now(entrant)?;
    let started = entrant.start()?;
    let time = entrant.receive(services)? - started;
    let (after, last_write) = settle(entrant)?;
    let writes = after.writes.since(&before.writes);
    notes.push(format!("{name}, writes: {writes}."));
    let api_cpu = after.api_cpu - before.api_cpu;
    let most = WRITES * services as f64 + OTHER_WRITES;
    let mut figures = vec![
        figure(TIME, "s", time.as_secs_f64(), None),
        figure(WRITTEN, "s", (last_write - started).as_secs_f64(), None),
        figure("writes", "requests", writes.count() as f64, Some(most)),
        figure("CPU of the API server", "s", api_cpu, None),
    ];
    for ((program, process), cpu) in entrant.programs.iter().zip(after.cpu) {
        let resident = memory(process.id(), "Rss:")?;
        figures.push(figure(&format!("CPU, {program}"), "s", cpu, None));
        figures.push(figure(
            &format!("RSS, {program}"),
            "MB",
            resident,
            Some(RSS),
        ));
    }
    Ok(figures)
}

/// Waits until nothing has been written for a while, and returns what has been used until then, and
/// when the last write was seen.
fn settle(entrant: &Entrant) -> Result<(Usage, Instant)> {
    let deadline = Instant::now() + 3 * PATIENCE;
    let mut writes = Writes::read(&entrant.api)?;
    let mut last = Instant::now();
    while last.elapsed() < REST {
        thread::sleep(GLANCE);
        let later = Writes::read(&entrant.api)?;
        if later.since(&writes).count() > 0 {
            (writes, last) = (later, Instant::now());
        }
        ensure!(Instant::now() < deadline, "the writes do not end");
    }
    Ok((Usage::now(entrant)?, last))
}

/// Fails when the receiver hears anything.
fn idle(entrant: &mut Entrant, _: usize) -> Result<()> {
    entrant.peer.drain();
    match entrant.peer.next(IDLE, "anything") {
        Ok(event) => bail!("at rest: {:?}", event.kind),
        Err(_) => Ok(()),
    }
}

fn restart(entrant: &mut Entrant, services: usize) -> Result<()> {
    entrant.stop()?;
    entrant.start()?;
    entrant.receive(services)?;
    thread::sleep(CONFIRMED);
    Ok(())
}

fn figure(case: &str, unit: &'static str, value: f64, most: Option<f64>) -> Figure {
    let case = case.to_owned();
    Figure {
        case,
        unit,
        value,
        most,
    }
}
