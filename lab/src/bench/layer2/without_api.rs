//! `l2-without-api`: the owner of an address is cut off while the Kubernetes API is there, and when it
//! has been away for minutes.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::entrant::{self, OPTIONS};
use super::failover::{Samples, fail_over};
use super::{Daemon, Entrant, System};
use crate::Lab;
use crate::bench::chart::Chart;
use crate::bench::record::Record;
use crate::bench::report::{Report, Row};
use crate::bench::{Options, progress};
use crate::kubernetes::ApiServer;
use crate::layer2::Cluster;

const RUNS: usize = 50;
/// The API server goes and comes as often.
const BLOCKS: usize = 3;
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
const API: &str = "192.0.2.3/24";
const SYSTEM: System = System::Carillon(None);
/// How long it has been away before a node is cut off, and how long it is back.
const AWAY: Duration = Duration::from_secs(120);
const BACK: Duration = Duration::from_secs(20);
/// Beside the outage with it.
const AIM: f64 = 1.1;

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let per_block = options.runs.unwrap_or(RUNS).div_ceil(BLOCKS);
    let (mut api, mut entrant) = start()?;
    let (mut with, mut without) = (Samples::default(), Samples::default());
    let bar = progress("l2-without-api", 2 * BLOCKS * per_block);
    let block = |entrant: &mut Entrant, samples: &mut Samples| {
        (0..per_block).try_for_each(|_| {
            bar.inc(1);
            fail_over(entrant, samples)
        })
    };
    for _ in 0..BLOCKS {
        block(&mut entrant, &mut with)?;
        api.stop()?;
        thread::sleep(AWAY);
        block(&mut entrant, &mut without)?;
        api.start_again()?;
        thread::sleep(BACK);
    }
    bar.finish_and_clear();
    report(&with, &without)
}

fn start() -> Result<(ApiServer, Entrant)> {
    let lab = Lab::new()?;
    let cluster = Cluster::new(&lab, &NODES)?;
    let host = lab.host("api")?;
    cluster.segment.lan.plug(&host, "eth0", &[API])?;
    let api = ApiServer::start(&host)?;
    let object = |kind: &str, name: &str| {
        format!("---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
    };
    let mut objects = object("Namespace", "metallb-system");
    for node in NODES {
        objects += &object("Node", node);
    }
    api.apply(&objects)?;
    entrant::serve(&cluster)?;
    for file in ["config.yaml", "web.yaml"] {
        api.apply(&fs::read_to_string(cluster.files.join(file))?)?;
    }
    let stations = cluster.segment.stations.iter();
    let start = |station| cluster.start_kubernetes(station, api.kubeconfig(), &OPTIONS);
    let daemons = stations.map(|station| start(station).map(Daemon::Carillon));
    let daemons = daemons.collect::<Result<_>>()?;
    Ok((api, Entrant::of(SYSTEM, cluster, daemons)?))
}

fn report(with: &Samples, without: &Samples) -> Result<Report> {
    let chart = Chart::ranges("The owner is cut off: outage, min, median, max", "ms");
    let mut report = Report::new("l2-without-api", chart);
    report.notes.push(format!(
        "The API server is away for {} s before the first cut without it, {BLOCKS} times.",
        AWAY.as_secs()
    ));
    let record = |case, samples: &Samples| {
        Record::new(&SYSTEM.name(), case, NODES.len(), "ms", &samples.outage).context("no runs")
    };
    let normal = record("outage, API server there", with)?;
    let mut row = Row::from(record("outage, API server away", without)?);
    let (p50, p99) = (AIM * normal.p50, AIM * normal.p99);
    let is_met = row.record.p50 <= p50 && row.record.p99 <= p99;
    row.aim(format!("p50 ≤ {p50:.0}, p99 ≤ {p99:.0}"), is_met);
    for row in [Row::from(normal), row] {
        let range = [row.record.min, row.record.p50, row.record.max];
        report.chart.range(&row.record.case, range);
        report.rows.push(row);
    }
    Ok(report)
}
