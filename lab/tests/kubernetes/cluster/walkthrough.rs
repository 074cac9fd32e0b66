//! The walk-through on the whole cluster, and what its operators do next.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::Cluster;
use carillon_lab::{Family, Process, binary, seed, test, wait};
use serde_json::{Value, json};

use crate::pods::{SOON, await_gateways, await_rollout, create, image, kubectl, speakers};

/// A service that is created later, and the address that it gets.
const LATER: &str = "{apiVersion: v1, kind: Service, metadata: {name: later}, spec: {\
    type: LoadBalancer, selector: {env: test}, ports: [{port: 80}]}}";
const LATER_VIP: &str = "198.51.100.2";
/// The address that it asks for in the end.
const CHANGED_VIP: &str = "198.51.100.9";

/// A service that is passed on by the nodes of its pods alone.
const LOCAL: &str = "{apiVersion: v1, kind: Service, metadata: {name: local}, spec: {\
    type: LoadBalancer, externalTrafficPolicy: Local, selector: {env: test}, ports: [{port: 80}], \
    loadBalancerIP: 198.51.100.5}}";
const LOCAL_VIP: &str = "198.51.100.5";

/// Longer than a Lease, a session and the patience of whatever depends on the API server.
const OUTAGE: Duration = Duration::from_secs(120);

#[test]
fn the_service_of_the_walk_through_outlives_what_operators_do() {
    test(|lab| {
        let mut cluster = Cluster::start(lab)?;
        install(&cluster)?;
        both_pods_answer(&cluster)?;
        local_traffic_waits_for_kube_proxy(&cluster)?;
        status_is_told_in_each_pod(&cluster)?;
        a_second_daemon_of_a_node_waits(&cluster)?;
        a_second_pod_of_a_node_is_refused(&cluster)?;

        let monitor = Monitor::start(&cluster)?;
        a_new_version_rolls_out(&cluster)?;
        a_rollout_stops_while_the_configuration_is_refused(&cluster)?;
        monitor.saw_no_withdrawal()?;
        a_node_is_drained_and_rebooted(&mut cluster)?;
        monitor.saw_no_withdrawal()?;
        the_api_server_is_away(&mut cluster, &monitor)?;
        nothing_was_restarted(&cluster)?;

        kubectl(&cluster, "delete service demo")?;
        await_gateways(&cluster, seed::VIP, &[])?;
        wait::until("the monitor to see it", SOON, || {
            ensure!(monitor.withdrawals()? > 0, "it saw nothing");
            Ok(())
        })?;
        Ok(())
    });
}

/// As in the walk-through, to the last step: the address at the router.
fn install(cluster: &Cluster) -> Result<()> {
    crate::pods::install(cluster, &[seed::CONFIG_MAP, seed::DEMO])?;
    cluster.tag_image(image(), "localhost/carillon:next")?;
    await_gateways(cluster, seed::VIP, &["master-0", "worker-0"])?;
    let address = "get service demo --output jsonpath={.status.loadBalancer.ingress[*].ip}";
    let address = kubectl(cluster, address)?;
    ensure!(address == seed::VIP, "the service has {address:?}");
    let events = kubectl(cluster, "events --for service/demo")?;
    ensure!(events.contains("IPAllocated"), "{events}");
    Ok(())
}

fn both_pods_answer(cluster: &Cluster) -> Result<()> {
    let mut answered = BTreeSet::new();
    wait::until("an answer from both pods", SOON, || {
        let curl = ["-sS", "--max-time", "1", seed::VIP];
        answered.insert(cluster.router.run("curl", curl)?);
        let pods = seed::NODES.map(|node| node.pod);
        let of = |pod: &&str| answered.iter().any(|answer| answer.contains(*pod));
        ensure!(pods.iter().all(of), "{answered:?}");
        Ok(())
    })
}

/// Which says that it passes the traffic on, before that is not waited for any longer.
fn local_traffic_waits_for_kube_proxy(cluster: &Cluster) -> Result<()> {
    create(cluster, LOCAL)?;
    await_gateways(cluster, LOCAL_VIP, &["master-0", "worker-0"])?;
    for pod in speakers(cluster, "{.metadata.name}")? {
        let log = kubectl(cluster, &format!("logs -n metallb-system {pod}"))?;
        ensure!(log.contains("proxyNotReady"), "it has not waited: {log}");
        ensure!(!log.contains("not waiting for it"), "in vain: {log}");
    }
    kubectl(cluster, "delete service local")?;
    await_gateways(cluster, LOCAL_VIP, &[])
}

fn status_is_told_in_each_pod(cluster: &Cluster) -> Result<()> {
    for pod in speakers(cluster, "{.metadata.name}")? {
        let exec = format!("exec -n metallb-system {pod} -- carillon status");
        let status = kubectl(cluster, &exec)?;
        for expected in ["default/demo", seed::VIP, "Established", seed::ROUTER] {
            ensure!(status.contains(expected), "no {expected} in:\n{status}");
        }
    }
    Ok(())
}

/// Its probes would be answered by the first. So the kubelet refuses it, because its port is taken,
/// whoever sends it there.
fn a_second_pod_of_a_node_is_refused(cluster: &Cluster) -> Result<()> {
    let set = "get daemonset speaker -n metallb-system --output json";
    let set: Value = serde_json::from_str(&kubectl(cluster, set)?)?;
    let spec = set.pointer("/spec/template/spec");
    let spec = spec.and_then(Value::as_object);
    let mut spec = spec.context("no template")?.clone();
    spec.insert("nodeName".to_owned(), json!("worker-0"));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": {"name": "second", "namespace": "metallb-system"},
    });
    create(cluster, &pod.to_string())?;
    let status =
        "get pod second -n metallb-system --output jsonpath={.status.phase}:{.status.reason}";
    wait::until("the second pod to be refused", SOON, || {
        let status = kubectl(cluster, status)?;
        ensure!(status == "Failed:NodePorts", "it is {status}");
        Ok(())
    })?;
    kubectl(cluster, "delete pod second -n metallb-system")?;
    Ok(())
}

/// It does not tear down the session of the first, and does not end either: that would only make
/// the kubelet start it again.
fn a_second_daemon_of_a_node_waits(cluster: &Cluster) -> Result<()> {
    let node = cluster.nodes().first().context("no nodes")?;
    let kubeconfig = cluster.api.kubeconfig_for("metallb-system", "speaker")?;
    let mut second = node.host().command(binary()?);
    second.args(["run", "--kubernetes", "--node-name", node.name()]);
    second.arg("--kubeconfig").arg(kubeconfig);
    second.arg("--socket").arg(node.host().file("second.sock"));
    let mut second = node.host().spawn("second", &mut second)?;
    wait::until("the second daemon to say why it waits", SOON, || {
        second.ensure_running()?;
        let log = second.log()?;
        ensure!(log.contains("another carillon"), "it says: {log}");
        Ok(())
    })?;
    ensure!(second.terminate()?.success(), "{}", second.log()?);
    for (address, neighbor) in cluster.frr.neighbors(Family::V4)? {
        let dropped = neighbor.connections_dropped;
        ensure!(dropped == 0, "the session with {address} went down");
    }
    Ok(())
}

fn a_new_version_rolls_out(cluster: &Cluster) -> Result<()> {
    let set = "set image daemonset/speaker speaker=localhost/carillon:next -n metallb-system";
    kubectl(cluster, set)?;
    await_rollout(cluster)?;
    let images = speakers(cluster, "{.spec.containers[0].image}")?;
    ensure!(images == ["localhost/carillon:next"; 2], "{images:?}");
    await_gateways(cluster, seed::VIP, &["master-0", "worker-0"])
}

/// The new pod has none in force; the others go on with the one that they have.
fn a_rollout_stops_while_the_configuration_is_refused(cluster: &Cluster) -> Result<()> {
    let replace = |config: &str| {
        let arguments = ["replace", "--filename", "-"];
        cluster.api.kubectl_stdin(&arguments, config)
    };
    replace(&seed::CONFIG_MAP.replace("peer-asn", "peer-asm"))?;
    for pod in speakers(cluster, "{.metadata.name}")? {
        wait::until(format!("{pod} to refuse the configuration"), SOON, || {
            let log = kubectl(cluster, &format!("logs -n metallb-system {pod}"))?;
            ensure!(log.contains("configuration refused"), "{log}");
            Ok(())
        })?;
    }
    kubectl(
        cluster,
        "rollout restart daemonset/speaker -n metallb-system",
    )?;
    wait::until("one pod not to become ready", SOON, || {
        let ready = speakers(cluster, "{.status.containerStatuses[0].ready}")?;
        ensure!(ready == ["false", "true"], "{ready:?}");
        Ok(())
    })?;
    replace(seed::CONFIG_MAP)?;
    await_rollout(cluster)?;
    await_gateways(cluster, seed::VIP, &["master-0", "worker-0"])
}

fn a_node_is_drained_and_rebooted(cluster: &mut Cluster) -> Result<()> {
    kubectl(cluster, "drain worker-0 --ignore-daemonsets --force")?;
    cluster.node("worker-0")?.shut_down()?;
    await_gateways(cluster, seed::VIP, &["master-0"])?;
    cluster.node("worker-0")?.start()?;
    kubectl(cluster, "uncordon worker-0")?;
    await_gateways(cluster, seed::VIP, &["master-0", "worker-0"])?;
    await_rollout(cluster)
}

/// Neither node takes anything back, and what is changed when it is there again is announced.
fn the_api_server_is_away(cluster: &mut Cluster, monitor: &Monitor) -> Result<()> {
    let both = ["master-0", "worker-0"];
    create(cluster, LATER)?;
    await_gateways(cluster, LATER_VIP, &both)?;
    let before = monitor.changes()?.len();
    cluster.api.stop()?;
    thread::sleep(OUTAGE);
    let changes = monitor.changes()?;
    ensure!(changes.len() == before, "{:?}", changes.get(before..));
    cluster.api.start_again()?;
    let other = format!("annotate service later metallb.io/loadBalancerIPs={CHANGED_VIP}");
    kubectl(cluster, &other)?;
    for (vip, nodes) in [
        (CHANGED_VIP, &both[..]),
        (LATER_VIP, &[]),
        (seed::VIP, &both),
    ] {
        await_gateways(cluster, vip, nodes)?;
    }
    Ok(())
}

/// No daemon ended by itself: the only one that was started twice is that of the node that was.
fn nothing_was_restarted(cluster: &Cluster) -> Result<()> {
    let restarts = "{.spec.nodeName}={.status.containerStatuses[0].restartCount}";
    let restarts = speakers(cluster, restarts)?;
    ensure!(restarts == ["master-0=0", "worker-0=1"], "{restarts:?}");
    Ok(())
}

/// Sees every change of the router's routes.
struct Monitor(Process);

impl Monitor {
    fn start(cluster: &Cluster) -> Result<Self> {
        let mut command = cluster.router.command("ip");
        let monitor = cluster
            .router
            .spawn("monitor", command.args(["monitor", "route"]))?;
        Ok(Self(monitor))
    }

    /// The nodes over which the service's route went after each change of it.
    fn changes(&self) -> Result<Vec<BTreeSet<&'static str>>> {
        let mut changes = Vec::new();
        let (mut is_ours, mut is_gone) = (false, false);
        for line in self.0.log()?.lines() {
            // The nexthops of a route are indented below it.
            if !line.starts_with(char::is_whitespace) {
                is_ours = line.split_whitespace().any(|word| word == seed::VIP);
                is_gone = line.starts_with("Deleted");
                if is_ours {
                    changes.push(BTreeSet::new());
                }
            }
            if let Some(nodes) = changes.last_mut().filter(|_| is_ours && !is_gone) {
                let words: Vec<_> = line.split_whitespace().collect();
                let over = |node: &&seed::Node| words.contains(&node.address);
                nodes.extend(seed::NODES.iter().filter(over).map(|node| node.name));
            }
        }
        Ok(changes)
    }

    /// How often the service had no route any more.
    fn withdrawals(&self) -> Result<usize> {
        let changes = self.changes()?;
        Ok(changes.iter().filter(|nodes| nodes.is_empty()).count())
    }

    fn saw_no_withdrawal(&self) -> Result<()> {
        ensure!(self.withdrawals()? == 0, "{}", self.0.log()?);
        Ok(())
    }
}
