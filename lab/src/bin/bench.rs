//! Runs the benchmarks; see `docs/benchmarks.md`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use carillon_lab::bench::{Benchmark, Options, compare};
use clap::{Parser, ValueEnum};

/// Measures Carillon beside FRR, BIRD, MetalLB and keepalived in network namespaces of this machine. Needs root.
#[derive(Parser)]
struct Arguments {
    /// The benchmarks to run; all when none is named.
    #[arg(value_enum)]
    names: Vec<Benchmark>,
    /// Runs of each measurement, instead of the benchmark's own number.
    #[arg(long, value_name = "N")]
    runs: Option<NonZeroUsize>,
    /// Minutes of those benchmarks that watch for a time, instead of the benchmark's own number.
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Compare with this binary of another version, by turns, instead of writing results.
    #[arg(long, value_name = "CARILLON")]
    before: Option<PathBuf>,
    /// How many turns each of the two has.
    #[arg(long, value_name = "N", default_value = "5", requires = "before")]
    rounds: NonZeroUsize,
    /// Where NAME.json and NAME.svg are written.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let Arguments {
        names,
        runs,
        minutes,
        before,
        rounds,
        out: directory,
    } = Arguments::parse();
    let runs = runs.map(NonZeroUsize::get);
    let options = Options {
        runs,
        minutes,
        directory,
    };
    let all = Benchmark::value_variants();
    let names = if names.is_empty() { all } else { &names };
    names.iter().try_for_each(|benchmark| match &before {
        Some(before) => compare::run(*benchmark, before, rounds.get(), &options),
        None => benchmark.run(&options),
    })
}
