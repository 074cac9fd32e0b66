//! Carillon's pods on the whole cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::Cluster;
use carillon_lab::{Family, ip, net, seed, wait};

/// After an outage, Kubernetes takes its nodes for lost, and their pods for not ready, until it has
/// heard of them again; its controllers pause for up to a minute before they ask.
pub(crate) const SOON: Duration = Duration::from_secs(180);
pub(crate) const NAMESPACE: &str = include_str!("../../../manifests/namespace.yaml");
pub(crate) const CARILLON: &str = include_str!("../../../manifests/carillon.yaml");

/// As in the walk-through, up to the session with the router; `objects` are created last.
pub(crate) fn install(cluster: &Cluster, objects: &[&str]) -> Result<()> {
    let image = image();
    cluster.import_carillon(image)?;
    cluster.frr.configure(seed::ROUTER_CONFIG)?;
    for objects in [NAMESPACE, CARILLON].iter().chain(objects) {
        create(cluster, objects)?;
    }
    await_rollout(cluster)
}

/// The name of the image in the manifests.
pub(crate) fn image() -> &'static str {
    let (_, image) = CARILLON.split_once("image: ").unwrap_or_default();
    image.lines().next().unwrap_or_default()
}

pub(crate) fn create(cluster: &Cluster, yaml: &str) -> Result<()> {
    cluster
        .api
        .kubectl_stdin(&["create", "--filename", "-"], yaml)?;
    Ok(())
}

pub(crate) fn await_rollout(cluster: &Cluster) -> Result<()> {
    let status = "rollout status daemonset/speaker -n metallb-system --timeout 60s";
    kubectl(cluster, status)?;
    Ok(())
}

/// What kubectl prints for a line of words.
pub(crate) fn kubectl(cluster: &Cluster, line: &str) -> Result<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    cluster.kubectl(&words)
}

/// A fact of each of Carillon's pods, in order.
pub(crate) fn speakers(cluster: &Cluster, fact: &str) -> Result<Vec<String>> {
    let each = format!("jsonpath={{range .items[*]}}{fact} {{end}}");
    let of = [
        "--namespace",
        "metallb-system",
        "--selector",
        "component=speaker",
    ];
    let facts = cluster.kubectl(&[&["get", "pods", "--output", &each], &of[..]].concat())?;
    let mut facts: Vec<_> = facts.split_whitespace().map(str::to_owned).collect();
    facts.sort();
    Ok(facts)
}

/// Waits until the router's kernel has the route to an address over exactly these nodes.
pub(crate) fn await_gateways(cluster: &Cluster, vip: &str, nodes: &[&str]) -> Result<()> {
    let nodes = seed::NODES.iter().filter(|node| nodes.contains(&node.name));
    let gateways: BTreeSet<_> = nodes.map(|node| ip(node.address)).collect();
    wait::until(format!("{vip} over {gateways:?}"), SOON, || {
        let mut routes = cluster.router.routes(Family::V4)?;
        let seen = routes
            .remove(&net(&format!("{vip}/32")))
            .unwrap_or_default();
        ensure!(seen == gateways, "it goes over {seen:?}");
        Ok(())
    })
}
