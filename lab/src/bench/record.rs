//! What a benchmark measured: samples, summarised as records.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One measured quantity of one system in one case; the unit of `target/bench/NAME.json`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    /// The program measured, with the setting that matters where there are several.
    pub system: String,
    /// What was measured.
    pub case: String,
    /// The size of the problem: routes, services or addresses.
    pub n: usize,
    /// The unit of the figures: `ms`, `us`, `B`, `MB`, `messages`.
    pub unit: Cow<'static, str>,
    /// The number of samples.
    pub runs: usize,
    /// The smallest sample.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile; of fewer than 100 samples it is the largest.
    pub p99: f64,
    /// The largest sample.
    pub max: f64,
}

impl Record {
    /// Summarises samples; `None` when there are none.
    pub fn new(
        system: &str,
        case: &str,
        n: usize,
        unit: &'static str,
        samples: &[f64],
    ) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            system: system.to_owned(),
            case: case.to_owned(),
            n,
            unit: Cow::Borrowed(unit),
            runs: sorted.len(),
            min: *sorted.first()?,
            p50: percentile(&sorted, 50)?,
            p90: percentile(&sorted, 90)?,
            p99: percentile(&sorted, 99)?,
            max: *sorted.last()?,
        })
    }
}

/// The nearest-rank percentile: the smallest sample that at least `percent` % of all samples do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let record = Record::new("a", "b", 1, "ms", &samples).unwrap();
        assert_eq!((record.min, record.p50, record.p90), (1.0, 50.0, 90.0));
        assert_eq!((record.p99, record.max), (99.0, 100.0));
    }

    #[test]
    fn few_samples_give_their_largest_as_p99() {
        let record = Record::new("a", "b", 1, "ms", &[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((record.p50, record.p99, record.runs), (2.0, 3.0, 3));
        assert_eq!(Record::new("a", "b", 1, "ms", &[]), None);
    }

    #[test]
    fn json_has_exactly_the_documented_keys() {
        let record = Record::new("a", "b", 1, "ms", &[1.0]).unwrap();
        let json = serde_json::to_value(&record).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let mut expected = [
            "system", "case", "n", "unit", "runs", "min", "p50", "p90", "p99", "max",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }
}
