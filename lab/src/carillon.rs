//! A node that runs the `carillon` binary.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::host::Host;
use crate::process::Process;
use crate::wait;

/// A host on which `carillon run` announces what a directory of YAML files says.
pub struct Carillon {
    host: Host,
    node: String,
    files: PathBuf,
    socket: PathBuf,
    /// The daemon.
    pub process: Process,
}

impl Carillon {
    /// Starts `carillon run` for the node `node` with the directory `files`, and waits until it
    /// answers.
    pub fn start(host: &Host, node: &str, files: &Path) -> Result<Self> {
        let socket = host.file("carillon.sock");
        let process = host.spawn("carillon", &mut run(host, node, files, &socket)?)?;
        let (host, node, files) = (host.clone(), node.to_owned(), files.to_owned());
        let mut carillon = Self {
            host,
            node,
            files,
            socket,
            process,
        };
        carillon.await_answer()?;
        Ok(carillon)
    }

    /// Starts it again after it was terminated or killed (see [`Carillon::process`]).
    pub fn restart(&mut self) -> Result<()> {
        ensure!(
            self.process.exit_status()?.is_some(),
            "end the daemon before restarting it"
        );
        let mut command = run(&self.host, &self.node, &self.files, &self.socket)?;
        self.process = self.host.spawn("carillon", &mut command)?;
        self.await_answer()
    }

    fn await_answer(&mut self) -> Result<()> {
        let what = format!("carillon on {} to answer", self.host.name());
        wait::until(what, Duration::from_secs(10), || {
            self.process.ensure_running()?;
            self.status().map(drop)
        })
    }

    /// Its status socket, for `carillon status --socket`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What `carillon status` prints.
    pub fn status_text(&self) -> Result<String> {
        self.query(&[])
    }

    /// What `carillon status --json` prints.
    pub fn status(&self) -> Result<Value> {
        let text = self.query(&["--json"])?;
        serde_json::from_str(&text).with_context(|| format!("carillon status --json: {text}"))
    }

    fn query(&self, options: &[&str]) -> Result<String> {
        let mut command = self.host.command(binary()?);
        crate::process::output(
            command
                .args(["status", "--socket"])
                .arg(&self.socket)
                .args(options),
        )
    }
}

fn run(host: &Host, node: &str, files: &Path, socket: &Path) -> Result<Command> {
    let mut command = host.command(binary()?);
    command
        .arg("run")
        .arg("--files")
        .arg(files)
        .args(["--node-name", node]);
    command.arg("--socket").arg(socket);
    Ok(command)
}

/// The binary under test: `CARILLON_BIN`, or `carillon` in the directory of the running executable
/// or the one above (tests are in `target/PROFILE/deps`).
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CARILLON_BIN") {
        return Ok(path.into());
    }
    let executable = env::current_exe()?;
    let candidates = executable
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("carillon"));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.context("no carillon binary: `cargo build -p carillon`, or set CARILLON_BIN to its path")
}
