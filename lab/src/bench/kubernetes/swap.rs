//! `kubernetes-swap`: a cluster that runs MetalLB swaps it for Carillon, and back, with clients at
//! work. Fails when an address changes.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::chart::Chart;
use super::super::record::Record;
use super::super::report::{Report, Row};
use super::super::{Options, progress};
use super::{NO_METALLB, Writes, metallb};
use clients::{Clients, Outage};
use inventory::Inventory;
use site::Site;

mod clients;
mod inventory;
mod services;
mod site;

const RUNS: usize = 3;
const SERVICES: usize = 200;
/// How many of them are written down, as MetalLB leaves them.
const RECORDED: usize = 20;
/// How long what runs then is watched after a swap.
const REST: Duration = Duration::from_secs(5);

/// A swap: its name, and how it is done.
type Swap = (&'static str, fn(&mut Site) -> Result<()>);
const SWAPS: [Swap; 2] = [
    ("MetalLB to Carillon", Site::become_carillon),
    ("Carillon to MetalLB", Site::become_metallb),
];

/// Runs it.
pub fn run(options: &Options) -> Result<Report> {
    let chart = Chart::ranges("A client without an answer: min, median, max", "s");
    let mut report = Report::new("kubernetes-swap", chart);
    if metallb::directory()?.is_none() {
        report.notes.push(NO_METALLB.to_owned());
        return Ok(report);
    }
    let mut outages = Vec::new();
    for _ in 0..options.runs.unwrap_or(RUNS) {
        for (swap, outage) in there_and_back(options, &mut report.notes)? {
            outages.push((format!("{swap}, {}", outage.client), outage.seconds));
        }
    }
    for (swap, _) in SWAPS {
        for client in clients::KINDS {
            let case = format!("{swap}, {client}");
            let of = outages.iter().filter(|(name, _)| *name == case);
            let seconds: Vec<f64> = of.map(|(_, seconds)| *seconds).collect();
            let record = Record::new("clients", &case, SERVICES, "s", &seconds);
            let record = record.context("no clients")?;
            let range = [record.min, record.p50, record.max];
            report.chart.range(&case, range);
            report.rows.push(Row::from(record));
        }
    }
    Ok(report)
}

/// Both swaps on a new cluster.
fn there_and_back(
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Vec<(&'static str, Outage)>> {
    let bar = progress("swap", 3);
    bar.set_message("a cluster with MetalLB");
    let mut site = Site::new(SERVICES)?;
    let before = Inventory::read(&site.api)?;
    site.await_announced(&before)?;
    notes.push(format!("`carillon check`: {}", site.check()?));
    fs::create_dir_all(&options.directory)?;
    let record = options.directory.join("kubernetes-swap.objects.json");
    fs::write(record, format!("{:#}\n", before.some(RECORDED)))?;
    let _responders = clients::serve(&site, &before)?;
    bar.inc(1);
    let mut outages = Vec::new();
    for swap in SWAPS {
        bar.set_message(swap.0);
        let missed = measure(&mut site, swap, &before, notes)?;
        outages.extend(missed.into_iter().map(|outage| (swap.0, outage)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outages)
}

fn measure(
    site: &mut Site,
    (name, swap): Swap,
    before: &Inventory,
    notes: &mut Vec<String>,
) -> Result<Vec<Outage>> {
    let clients = Clients::start(site, before)?;
    let writes = Writes::read(&site.api)?;
    swap(site)?;
    site.await_announced(before)?;
    thread::sleep(REST);
    let outages = clients.stop()?;
    let after = Inventory::read(&site.api)?;
    let moved = before.moved(&after);
    ensure!(moved.is_empty(), "{name}: addresses moved: {moved:?}");
    let changed = before.changed(&after);
    ensure!(changed.is_empty(), "{name}: objects changed: {changed:?}");
    site.ensure_understood()?;
    let writes = Writes::read(&site.api)?.since(&writes);
    notes.push(format!(
        "{name}: {} Services, every address the same, {} of them written; all writes, those of \
         kubectl too: {writes}.",
        before.services(),
        before.rewritten(&after)
    ));
    Ok(outages)
}
