//! The whole cluster.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{Cluster, Request};
use carillon_lab::{Lab, seed, test, wait};
use serde_json::json;

// It takes longest: among the first, so that others run beside it.
mod walkthrough;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_cluster_runs_pods_survives_a_power_failure_and_leaves_nothing() -> Result<()> {
    let mut traces = None;
    test(|lab| {
        let mut cluster = Cluster::start(lab)?;
        cluster
            .api
            .kubectl_stdin(&["create", "--filename", "-"], seed::DEMO)?;
        cluster.tag_image("localhost/pause:1", "localhost/pause:2")?;
        cluster.kubectl(&["run", "pause", "--image=localhost/pause:2"])?;
        await_pods(&cluster)?;
        pods_answer_behind_the_service(&cluster)?;
        pods_come_back_after_a_power_failure(&mut cluster)?;
        traces = Some(Traces::of(lab)?);
        Ok(())
    });
    let left = traces.context("the test did not come to its end")?.left()?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

fn await_pods(cluster: &Cluster) -> Result<()> {
    let ready = ["--for=condition=Ready", "pod", "--all", "--timeout=60s"];
    cluster.kubectl(&[&["wait"], &ready[..]].concat())?;
    Ok(())
}

/// In the place of Carillon: an address for the Service, and the routes to it.
fn pods_answer_behind_the_service(cluster: &Cluster) -> Result<()> {
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": seed::VIP}]}}});
    let path = "/api/v1/namespaces/default/services/demo/status";
    cluster.api.send(&Request::patch(path, status))?;
    let [a, b] = seed::NODES.map(|node| format!("nexthop via {}", node.address));
    cluster
        .router
        .ip(&format!("route add {} {a} {b}", seed::VIP))?;
    let mut answered = BTreeSet::new();
    wait::until("an answer from both pods", SOON, || {
        let curl = ["-sS", "--max-time", "1", seed::VIP];
        let answer = cluster.router.run("curl", curl)?;
        answered.extend(
            seed::NODES
                .map(|node| node.pod)
                .into_iter()
                .filter(|pod| answer.contains(pod)),
        );
        ensure!(answered.len() == 2, "from {answered:?}");
        Ok(())
    })
}

fn pods_come_back_after_a_power_failure(cluster: &mut Cluster) -> Result<()> {
    let node = cluster.node("worker-0")?;
    node.stop()?;
    ensure!(
        node.command("true").is_err(),
        "a node that is off runs commands"
    );
    node.start()?;
    wait::until("the pod to run again", SOON, || {
        let restarts = "jsonpath={.status.containerStatuses[0].restartCount}";
        let restarts = cluster.kubectl(&["get", "pod", "test-1", "--output", restarts])?;
        ensure!(restarts != "0", "it was not restarted yet");
        Ok(())
    })?;
    await_pods(cluster)
}

/// What a lab made on this machine.
struct Traces {
    id: String,
    dir: PathBuf,
    processes: Vec<String>,
}

impl Traces {
    fn of(lab: &Lab) -> Result<Self> {
        let mut processes = Vec::new();
        for group in control_groups(Path::new("/sys/fs/cgroup"), lab.id())? {
            let ids = fs::read_to_string(group.join("cgroup.procs"))?;
            processes.extend(ids.lines().map(str::to_owned));
        }
        ensure!(!processes.is_empty(), "the pods have no processes");
        Ok(Self {
            id: lab.id().to_owned(),
            dir: lab.dir().to_owned(),
            processes,
        })
    }

    /// What is left of it.
    fn left(&self) -> Result<Vec<String>> {
        let mut left = self.processes.clone();
        left.retain(|id| Path::new("/proc").join(id).exists());
        let groups = control_groups(Path::new("/sys/fs/cgroup"), &self.id)?;
        left.extend(groups.iter().map(|group| group.display().to_string()));
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let ours = |line: &&str| line.contains(&self.id);
        left.extend(mounts.lines().filter(ours).map(str::to_owned));
        left.extend(self.dir.exists().then(|| self.dir.display().to_string()));
        for entry in fs::read_dir("/proc")? {
            // Processes end while we look.
            let command = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            left.extend(command.contains(&self.id).then_some(command));
        }
        Ok(left)
    }
}

/// The control groups at and below those that are named after a lab.
fn control_groups(directory: &Path, id: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let path = entry.path();
            found.extend(control_groups(&path, id)?);
            let ours = path.to_string_lossy().contains(&format!("{id}-"));
            found.extend(ours.then_some(path));
        }
    }
    Ok(found)
}
