//! Whoever reads the log must not be able to stop the daemon.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is how a test fails"
)]
#![expect(clippy::disallowed_methods, reason = "a process takes time")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// As many problems as are listed, a log line each.
const FILES: usize = 100;
/// How often all of them change: with their names, more lines than a pipe has room for (64 KiB).
const ROUNDS: usize = 3;

struct Daemon {
    child: Child,
    dir: tempfile::TempDir,
}

impl Daemon {
    /// A daemon whose standard error is a pipe that nobody reads.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        fs::create_dir(&files).unwrap();
        let node = format!("log-{}", dir.path().display());
        let child = Command::new(env!("CARGO_BIN_EXE_carillon"))
            .args(["run", "--node-name", &node, "--files"])
            .arg(&files)
            .arg("--socket")
            .arg(dir.path().join("socket"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    fn break_files(&self, text: &str) {
        for n in 0..FILES {
            let file = format!("files/broken-{n}-{}.yaml", "x".repeat(200));
            fs::write(self.dir.path().join(file), text).unwrap();
        }
    }

    /// Waits until `carillon status --json` speaks of all broken files.
    fn await_problems(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while problems(&self.dir.path().join("socket"), text) < FILES {
            assert!(Instant::now() < deadline, "no answer, or not all problems");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn problems(socket: &Path, text: &str) -> usize {
    let status = Command::new(env!("CARGO_BIN_EXE_carillon"))
        .args(["status", "--json", "--socket"])
        .arg(socket)
        .output()
        .unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
    let files = status["problems"]["files"].as_array();
    files.map_or(0, |files| {
        let texts = files.iter().filter_map(|file| file.as_str());
        texts.filter(|problem| problem.contains(text)).count()
    })
}

#[test]
fn a_reader_that_stalls_or_goes_away_does_not_stop_the_daemon() {
    let mut daemon = Daemon::start();
    for _ in 0..ROUNDS {
        daemon.break_files("kind: []");
        daemon.await_problems("kind");
        daemon.break_files("kind: Service");
        daemon.await_problems("apiVersion");
    }
    drop(daemon.child.stderr.take());
    daemon.break_files("kind: []");
    daemon.await_problems("kind");
    assert_eq!(daemon.child.try_wait().unwrap(), None);
}
