//! MetalLB's own controller and speaker, which `lab/kubernetes/metallb/build.sh` builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::objects::{NAMESPACE, NODE};
use crate::Host;
use crate::kubernetes::{ApiServer, programs};

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

/// Makes its kinds of resources known to the API server.
pub(super) fn define_resources(api: &ApiServer, directory: &Path) -> Result<()> {
    let definitions = directory.join("crd").display().to_string();
    api.kubectl(&["apply", "--server-side", "--filename", &definitions])?;
    let established = ["--for", "condition=Established", "--timeout", "60s"];
    let mut arguments = vec!["wait", "crd", "--all"];
    arguments.extend(established);
    api.kubectl(&arguments).map(drop)
}

/// The commands on a node: the controller's and the speaker's, with BGP of its own ("native").
pub(super) fn commands(
    node: &Host,
    kubeconfig: &Path,
    directory: &Path,
) -> [(&'static str, Command); 2] {
    let command = |name, ports: [&str; 2]| {
        let mut command = node.command(directory.join(name));
        command.arg("--kubeconfig").arg(kubeconfig);
        command.args(["--namespace", NAMESPACE, "--pod-name", name]);
        command.args(["--port", ports[0], "--health-probe-port", ports[1]]);
        command
    };
    let mut controller = command("controller", ["9120", "17472"]);
    controller.args(["--webhook-mode", "disabled", "--disable-cert-rotation"]);
    let mut speaker = command("speaker", ["9121", "17473"]);
    speaker.args(["--node-name", NODE]);
    [("controller", controller), ("speaker", speaker)]
}
