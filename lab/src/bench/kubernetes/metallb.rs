//! MetalLB's own controller and speaker, which `lab/kubernetes/metallb/build.sh` builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::objects::NAMESPACE;
use crate::Host;
use crate::kubernetes::programs;

/// The pod that the controller takes itself for.
pub(super) const CONTROLLER_POD: &str = "controller";

const GO_MOD: &str = include_str!("../../../kubernetes/metallb/go.mod");

/// The directory with the programs and the resource definitions, if they are built.
pub(super) fn directory() -> Result<Option<PathBuf>> {
    let mut lines = GO_MOD.lines();
    let version = lines
        .find_map(|line| line.strip_prefix("require go.universe.tf/metallb "))
        .context("lab/kubernetes/metallb/go.mod names no version of MetalLB")?;
    let directory = programs::cache()?.join(format!("metallb-{version}"));
    Ok(directory.join("speaker").is_file().then_some(directory))
}

/// The controller's command.
pub(super) fn controller(host: &Host, kubeconfig: &Path, directory: &Path) -> Command {
    let mut controller = command(host, kubeconfig, directory, "controller");
    controller.args(["--pod-name", CONTROLLER_POD]);
    controller.args(["--port", "9120", "--health-probe-port", "17472"]);
    controller.args(["--webhook-mode", "disabled", "--disable-cert-rotation"]);
    controller
}

/// The command of a node's speaker, with BGP of its own ("native").
pub(super) fn speaker(host: &Host, node: &str, kubeconfig: &Path, directory: &Path) -> Command {
    let mut speaker = command(host, kubeconfig, directory, "speaker");
    speaker.args(["--node-name", node, "--pod-name", &speaker_pod(node)]);
    speaker.args(["--port", "9121", "--health-probe-port", "17473"]);
    speaker
}

/// The pod that a node's speaker takes itself for.
pub(super) fn speaker_pod(node: &str) -> String {
    format!("speaker-{node}")
}

fn command(host: &Host, kubeconfig: &Path, directory: &Path, name: &str) -> Command {
    let mut command = host.command(directory.join(name));
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["--namespace", NAMESPACE]);
    command
}
