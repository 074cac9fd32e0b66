//! What programs used, and what they wrote to the API.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use anyhow::{Context, Result};

use super::entrant::Entrant;
use crate::kubernetes::ApiServer;

/// Of what `/proc/PID/stat` counts in, on every architecture that Linux runs programs on today.
const TICKS_PER_SECOND: f64 = 100.0;
const VERBS: [&str; 6] = [
    "POST",
    "PUT",
    "PATCH",
    "APPLY",
    "DELETE",
    "DELETECOLLECTION",
];
const LEASES: &str = "leases";

/// What was used so far.
pub(super) struct Usage {
    /// The CPU time of each of a system's programs in seconds.
    pub(super) cpu: Vec<f64>,
    /// The CPU time of the API server in seconds; etcd's is not in it.
    pub(super) api_cpu: f64,
    /// Requests to the API that change something.
    pub(super) writes: Writes,
}

impl Usage {
    /// What the programs have used since their start.
    pub(super) fn now(entrant: &Entrant) -> Result<Self> {
        let programs = entrant.programs.iter();
        let cpu: Result<_> = programs
            .map(|(_, process)| cpu_seconds(process.id()))
            .collect();
        Ok(Self {
            cpu: cpu?,
            api_cpu: cpu_seconds(entrant.api.id())?,
            writes: Writes::read(&entrant.api)?,
        })
    }
}

/// Requests that change something, counted by the API server, by verb and resource.
pub(super) struct Writes(BTreeMap<String, u64>);

impl Writes {
    /// Those since the API server's start.
    pub(super) fn read(api: &ApiServer) -> Result<Self> {
        Ok(Self::parse(&api.kubectl(&["get", "--raw", "/metrics"])?))
    }

    fn parse(metrics: &str) -> Self {
        let mut writes = BTreeMap::new();
        for line in metrics.lines() {
            if let Some((what, count)) = write(line) {
                *writes.entry(what).or_default() += count;
            }
        }
        Self(writes)
    }

    /// Those that came after `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let new = |(what, count): (&String, &u64)| {
            let before = earlier.0.get(what).copied().unwrap_or_default();
            let new = count.saturating_sub(before);
            (new > 0).then(|| (what.clone(), new))
        };
        Self(self.0.iter().filter_map(new).collect())
    }

    /// How many, without those of Leases: they are renewed at all times, the API server's too.
    pub(super) fn count(&self) -> u64 {
        let lasting = self.0.iter().filter(|(what, _)| !what.ends_with(LEASES));
        lasting.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (n, (what, count)) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{count} {what}")?;
        }
        Ok(())
    }
}

/// Reads a line `apiserver_request_total{…,resource="services",…} 3` if its verb is one that changes
/// something.
fn write(line: &str) -> Option<(String, u64)> {
    let line = line.strip_prefix("apiserver_request_total{")?;
    let (labels, count) = line.split_once("} ")?;
    let label = |name: &str| {
        let mut labels = labels.split(',').filter_map(|label| label.split_once('='));
        let value = labels.find_map(|(key, value)| (key == name).then_some(value));
        value.unwrap_or_default().trim_matches('"')
    };
    let (verb, resource, subresource) = (label("verb"), label("resource"), label("subresource"));
    let slash = if subresource.is_empty() { "" } else { "/" };
    let count: f64 = count.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a counter"
    )]
    let count = count as u64;
    let what = format!("{verb} {resource}{slash}{subresource}");
    VERBS.contains(&verb).then_some((what, count))
}

/// The CPU time that a process has used, in seconds.
pub(in crate::bench) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name, in parentheses, may contain anything. Behind it, the state is the third field.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: Result<f64, _> = times.map(str::parse::<f64>).sum();
    Ok(ticks.with_context(|| format!("no times in {path}"))? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="",resource="services",subresource="status",verb="PATCH"} 7
apiserver_request_total{code="409",group="",resource="services",subresource="status",verb="PATCH"} 1
apiserver_request_total{code="200",group="",resource="services",subresource="",verb="LIST"} 1e+06
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 12
"#;

    #[test]
    fn writes_are_counted_by_verb_and_resource() {
        let writes = Writes::parse(METRICS);
        assert_eq!(writes.to_string(), "8 PATCH services/status, 12 PUT leases");
        assert_eq!(writes.count(), 8);
    }

    #[test]
    fn only_later_writes_are_left() {
        let (before, after) = (Writes::parse(METRICS), METRICS.replace("} 7", "} 9"));
        let since = Writes::parse(&after).since(&before);
        assert_eq!(since.to_string(), "2 PATCH services/status");
        assert_eq!(before.since(&before).to_string(), "none");
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
