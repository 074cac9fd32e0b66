//! The benchmarks: Carillon beside FRR, BIRD, MetalLB and keepalived, on one machine, in one run.
//!
//! Each prints a table and writes `NAME.json` (a list of [`record::Record`]) and `NAME.svg`. What
//! they measure and how is described in `docs/benchmarks.md`.

#![allow(
    clippy::cast_precision_loss,
    reason = "counts become figures; none comes near 2^52"
)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

pub mod allocation;
pub mod chart;
pub mod compare;
pub mod entrant;
pub mod full_table;
pub mod kubernetes;
pub mod layer2;
pub mod memory;
pub mod peer;
pub mod record;
pub mod report;
pub mod sender;
pub mod service_to_update;

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Benchmark {
    /// From a changed Service file to the UPDATE at the router.
    ServiceToUpdate,
    /// From Established to the last UPDATE of 1 to 100 000 routes.
    FullTable,
    /// Resident memory, size of the binary, and the time to start.
    Memory,
    /// The time to allocate 10 000 addresses, and the last of them.
    Allocation,
    /// From a Service in the Kubernetes API to the UPDATE at the router.
    KubernetesServiceToUpdate,
    /// 10 000 Services that wait in the Kubernetes API: time, API writes, CPU and memory.
    KubernetesScale,
    /// A pool or a peer changes in the Kubernetes API: until every node has followed.
    KubernetesConfiguration,
    /// MetalLB is replaced by Carillon, and back, with clients at work.
    KubernetesSwap,
    /// The owner of an address is cut from the segment: for how long a client gets no answer.
    L2Failover,
    /// The same with the Kubernetes API there, and after minutes without it.
    L2WithoutApi,
    /// Daemons that end, drain and restart: lost probes, and time with two owners.
    L2Planned,
    /// Two nodes that cannot gossip on a whole segment: time with two owners, and moves.
    L2GossipCut,
    /// Forged frames, deaf and dumb nodes, lost gossip, floods, pauses: unanswered seconds and moves.
    L2Faults,
    /// 10 000 addresses: time to take over those of a cut node, and the cost of foreign ARP.
    L2Scale,
    /// Busy cores: how often an address moves although nobody failed.
    L2CpuHog,
}

/// How to run the benchmarks.
pub struct Options {
    /// Instead of each benchmark's own number of runs.
    pub runs: Option<usize>,
    /// Instead of the time of those benchmarks that watch for a time.
    pub minutes: Option<u64>,
    /// Where the results are written.
    pub directory: PathBuf,
}

impl Benchmark {
    /// Runs it, prints the table and writes the files.
    pub fn run(self, options: &Options) -> Result<()> {
        let report = match self {
            Self::ServiceToUpdate => service_to_update::run(options),
            Self::FullTable => full_table::run(options),
            Self::Memory => memory::run(options),
            Self::Allocation => allocation::run(options),
            Self::KubernetesServiceToUpdate => kubernetes::service_to_update::run(options),
            Self::KubernetesScale => kubernetes::scale::run(options),
            Self::KubernetesConfiguration => kubernetes::configuration::run(options),
            Self::KubernetesSwap => kubernetes::swap::run(options),
            Self::L2Failover => layer2::failover::run(options),
            Self::L2WithoutApi => layer2::without_api::run(options),
            Self::L2Planned => layer2::planned::run(options),
            Self::L2GossipCut => layer2::gossip_cut::run(options),
            Self::L2Faults => layer2::faults::run(options),
            Self::L2Scale => layer2::scale::run(options),
            Self::L2CpuHog => layer2::cpu_hog::run(options),
        }?;
        println!("## {}\n\n{}", report.name, report.to_markdown());
        report.write(&options.directory)
    }
}

fn progress(what: &str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_prefix(what.to_owned());
    let template = "{prefix:>20} {wide_bar} {pos}/{len} {eta} {msg:40!}";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
