//! A node that runs the `carillon` binary.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::host::Host;
use crate::process::Process;
use crate::wait;

/// A host on which `carillon run` announces what a directory of YAML files or the Kubernetes API
/// says.
pub struct Carillon {
    host: Host,
    /// The arguments of `carillon`.
    arguments: Vec<OsString>,
    socket: PathBuf,
    /// The daemon.
    pub process: Process,
}

impl Carillon {
    /// Starts `carillon run` for the node `node` with the directory `files`, and waits until it
    /// answers.
    pub fn start(host: &Host, node: &str, files: &Path) -> Result<Self> {
        Self::start_with(host, node, files, &[] as &[&str])
    }

    /// The same with more arguments.
    pub fn start_with(
        host: &Host,
        node: &str,
        files: &Path,
        more: &[impl AsRef<OsStr>],
    ) -> Result<Self> {
        let mut arguments = vec!["--files".as_ref(), files.as_ref()];
        arguments.extend(more.iter().map(AsRef::as_ref));
        Self::launch(host, node, &arguments)
    }

    /// Starts `carillon run` for the node `node` of the cluster that a kubeconfig file names, and
    /// waits until it answers.
    pub fn start_kubernetes(host: &Host, node: &str, kubeconfig: &Path) -> Result<Self> {
        Self::start_kubernetes_with(host, node, kubeconfig, &[] as &[&str])
    }

    /// The same with more arguments.
    pub fn start_kubernetes_with(
        host: &Host,
        node: &str,
        kubeconfig: &Path,
        more: &[impl AsRef<OsStr>],
    ) -> Result<Self> {
        let mut arguments = vec![
            "--kubernetes".as_ref(),
            "--kubeconfig".as_ref(),
            kubeconfig.as_ref(),
        ];
        arguments.extend(more.iter().map(AsRef::as_ref));
        Self::launch(host, node, &arguments)
    }

    fn launch(host: &Host, node: &str, source: &[&OsStr]) -> Result<Self> {
        let socket = host.file("carillon.sock");
        let mut arguments = vec!["run".into()];
        arguments.extend(source.iter().map(OsString::from));
        arguments.extend(["--node-name", node, "--socket"].map(OsString::from));
        arguments.push(socket.clone().into());
        let process = host.spawn("carillon", host.command(binary()?).args(&arguments))?;
        let mut carillon = Self {
            host: host.clone(),
            arguments,
            socket,
            process,
        };
        carillon.await_answer()?;
        Ok(carillon)
    }

    /// Starts it again after it was terminated or killed (see [`Carillon::process`]).
    pub fn restart(&mut self) -> Result<()> {
        self.restart_with(&[])
    }

    /// The same with environment variables.
    pub fn restart_with(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        self.launch_again(&binary()?, environment)
    }

    /// The same with another binary.
    pub fn restart_as(&mut self, binary: &Path) -> Result<()> {
        self.launch_again(binary, &[])
    }

    fn launch_again(&mut self, binary: &Path, environment: &[(&str, &str)]) -> Result<()> {
        ensure!(
            self.process.exit_status()?.is_some(),
            "end the daemon before restarting it"
        );
        let mut command = self.host.command(binary);
        command.args(&self.arguments).envs(environment.to_vec());
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
        self.tell("status", options)
    }

    /// Runs another command of `carillon` that talks to the daemon: `tell("drain", &[])`.
    pub fn tell(&self, subcommand: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.host.command(binary()?);
        command.args([subcommand, "--socket"]).arg(&self.socket);
        crate::process::output(command.args(arguments))
    }
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
