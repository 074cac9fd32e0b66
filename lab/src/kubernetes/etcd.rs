//! etcd, where the API server keeps its objects.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::host::Host;
use crate::process::Process;
use crate::wait;

/// Where it listens.
pub(crate) const URL: &str = "http://127.0.0.1:2379";

/// An etcd on a host's loopback address.
pub(crate) struct Etcd {
    host: Host,
    _process: Process,
}

impl Etcd {
    /// Starts it, from `programs` if there is one, and waits until it is ready.
    pub(crate) fn start(host: &Host, programs: &Path, data: &Path) -> Result<Self> {
        let own = programs.join("etcd");
        let mut command = host.command(if own.is_file() { own } else { "etcd".into() });
        command.arg("--data-dir").arg(data);
        command.args(["--listen-client-urls", URL, "--advertise-client-urls", URL]);
        // A power failure is not among what the lab outlives.
        command.args([
            "--unsafe-no-fsync",
            "--logger",
            "zap",
            "--log-level",
            "warn",
        ]);
        let mut process = host.spawn("etcd", &mut command)?;
        wait::until("etcd to be ready", Duration::from_secs(30), || {
            process.ensure_running()?;
            let health = format!("{URL}/health");
            let health = host.run("curl", ["-sS", "--max-time", "1", &health])?;
            ensure!(health.contains("true"), "{health}");
            Ok(())
        })?;
        Ok(Self {
            host: host.clone(),
            _process: process,
        })
    }

    /// Forgets every revision but the latest, which it makes, so that nobody has seen it yet.
    pub(crate) fn compact(&self) -> Result<()> {
        // Base64 of "lab", a key that no object has.
        let put = self.call("kv/put", &json!({"key": "bGFi", "value": "bGFi"}))?;
        let revision = put.pointer("/header/revision");
        let revision = revision.with_context(|| format!("etcd tells no revision: {put}"))?;
        self.call(
            "kv/compaction",
            &json!({"revision": revision, "physical": true}),
        )?;
        Ok(())
    }

    fn call(&self, name: &str, body: &Value) -> Result<Value> {
        let (url, body) = (format!("{URL}/v3/{name}"), body.to_string());
        let arguments = ["-sS", "--fail-with-body", "--data", &body, &url];
        let answer = self.host.run("curl", arguments)?;
        serde_json::from_str(&answer).with_context(|| format!("etcd {name}: {answer}"))
    }
}
