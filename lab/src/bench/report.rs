//! How results are shown: a Markdown table, a JSON file and a chart.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};

use super::chart::Chart;
use super::record::Record;

/// The outcome of one benchmark.
pub struct Report {
    /// The benchmark's name, which also names its files.
    pub name: &'static str,
    /// What was measured, in the order shown.
    pub rows: Vec<Row>,
    /// The picture of it.
    pub chart: Chart,
    /// What a reader should know beside the table.
    pub notes: Vec<String>,
}

/// A record, and what was hoped for where something was.
pub struct Row {
    /// What was measured.
    pub record: Record,
    /// Whether that is good enough.
    pub aim: Option<Aim>,
}

/// A figure to reach.
pub struct Aim {
    /// The figure, as shown.
    pub text: String,
    /// Whether it was reached.
    pub met: bool,
}

impl From<Record> for Row {
    fn from(record: Record) -> Self {
        Self { record, aim: None }
    }
}

impl Row {
    /// Says what was hoped for, and whether it was reached.
    pub fn aim(&mut self, text: String, met: bool) {
        self.aim = Some(Aim { text, met });
    }
}

impl Report {
    /// An empty report.
    pub fn new(name: &'static str, chart: Chart) -> Self {
        let (rows, notes) = (Vec::new(), Vec::new());
        Self {
            name,
            rows,
            chart,
            notes,
        }
    }

    /// The table and the notes, in Markdown so that they can be pasted into a document.
    pub fn to_markdown(&self) -> String {
        let mut text = self.table() + "\n";
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "system", "case", "n", "unit", "runs", "min", "p50", "p90", "p99", "max", "aim",
        ]);
        for Row { record, aim } in &self.rows {
            let aim = aim.as_ref().map_or(String::new(), |Aim { text, met }| {
                format!("{text}: {}", if *met { "met" } else { "**missed**" })
            });
            let mut cells = vec![
                record.system.clone(),
                record.case.clone(),
                record.n.to_string(),
                record.unit.to_string(),
                record.runs.to_string(),
            ];
            cells.extend([record.min, record.p50, record.p90, record.p99, record.max].map(figure));
            cells.push(aim);
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(2).take(8) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    /// Writes `NAME.json` and `NAME.svg` into `directory`, which is made if need be.
    pub fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        let records: Vec<&Record> = self.rows.iter().map(|row| &row.record).collect();
        for (extension, text) in [
            ("json", serde_json::to_string_pretty(&records)? + "\n"),
            ("svg", self.chart.to_svg()?),
        ] {
            let path = directory.join(self.name).with_extension(extension);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Three significant digits, and never fewer than the integer part has.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 || v == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let shown = [0.0, 0.01234, 1.2345, 12.345, 123.45, 123_456.7].map(figure);
        assert_eq!(shown, ["0", "0.012", "1.23", "12.3", "123", "123457"]);
    }

    #[test]
    fn the_table_says_whether_an_aim_was_missed() {
        let record = Record::new("carillon", "case", 1, "ms", &[7.0]).unwrap();
        let mut report = Report::new("x", Chart::ranges("x", "ms"));
        let mut row = Row::from(record);
        row.aim("p50 ≤ 5".to_owned(), false);
        report.rows.push(row);
        assert!(report.table().contains("p50 ≤ 5: **missed**"));
    }
}
