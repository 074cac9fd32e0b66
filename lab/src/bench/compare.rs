//! Two binaries of Carillon beside each other, in turns: what a change has cost.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum as _;
use comfy_table::{CellAlignment, Table, presets};

use super::record::Record;
use super::{Benchmark, Options, progress};

/// The medians of all rounds, by system, case, size and unit.
type Medians = BTreeMap<(String, String, usize, String), Samples>;

#[derive(Default)]
struct Samples {
    before: Vec<f64>,
    now: Vec<f64>,
}

/// Runs a benchmark with the binary at `before` and with today's by turns, so many times each, and
/// prints the medians of both. What other systems have there differs by chance alone: so much the figures are worth.
///
/// # Errors
/// A run has failed.
pub fn run(benchmark: Benchmark, before: &Path, rounds: usize, options: &Options) -> Result<()> {
    let value = benchmark.to_possible_value();
    let name = value
        .context("a benchmark without name")?
        .get_name()
        .to_owned();
    let now = crate::carillon::binary()?;
    let mut medians = Medians::new();
    let bar = progress(&name, rounds * 2);
    for round in 0..rounds {
        // Whoever is first in one round is second in the next.
        for is_now in [round % 2 == 0, round % 2 == 1] {
            let binary = if is_now { now.as_path() } else { before };
            for record in once(&name, binary, options)? {
                let key = (
                    record.system,
                    record.case,
                    record.n,
                    record.unit.into_owned(),
                );
                let samples = medians.entry(key).or_default();
                let samples = if is_now {
                    &mut samples.now
                } else {
                    &mut samples.before
                };
                samples.push(record.p50);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    println!(
        "## {name}: {rounds} rounds by turns\n\n{}\n",
        table(medians)
    );
    Ok(())
}

/// One run in a process of its own, for the path of the binary is a matter of the environment.
fn once(name: &str, binary: &Path, options: &Options) -> Result<Vec<Record>> {
    let directory = tempfile::tempdir()?;
    let status = Command::new(env::current_exe()?)
        .args([
            name,
            "--runs",
            &options.runs.unwrap_or(1).to_string(),
            "--out",
        ])
        .arg(directory.path())
        .env("CARILLON_BIN", binary)
        .stdout(Stdio::null())
        .status()?;
    ensure!(
        status.success(),
        "{name} with {} has failed",
        binary.display()
    );
    let path = directory.path().join(format!("{name}.json"));
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

fn table(medians: Medians) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "system",
        "case",
        "n",
        "unit",
        "before",
        "now",
        "now / before",
    ]);
    for ((system, case, n, unit), samples) in medians {
        let [before, now] = [samples.before, samples.now].map(median);
        // Of two that are 0 there is no ratio.
        let figures = [before, now, now / before].map(|figure| format!("{figure:.2}"));
        let words = [system, case, n.to_string(), unit];
        table.add_row(words.into_iter().chain(figures));
    }
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
