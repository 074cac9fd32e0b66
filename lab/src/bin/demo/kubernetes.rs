//! The walk-through on a real Kubernetes, step by step. Every step checks what it shows.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use carillon_lab::kubernetes::Cluster;
use carillon_lab::{Lab, seed, wait};

use crate::looks::{Router, SOON};
use crate::page;

const HELPER: &str = "[root@helper ~]#";
const NAMESPACE: &str = "metallb-system";

/// Plays all steps and returns what then stands.
pub(crate) fn walk(lab: &Lab) -> Result<Cluster> {
    let image = image()?;
    // Files are named from here.
    env::set_current_dir(top())?;
    page::step("A cluster of two nodes, and a router");
    let cluster = Cluster::start(lab)?;
    cluster.import_image(&image)?;
    page::drawing_kubernetes();
    kubectl(&cluster, "get nodes -o wide")?;

    page::step("Carillon is installed");
    create_file(&cluster, "manifests/namespace.yaml")?;
    create_file(&cluster, "manifests/carillon.yaml")?;

    page::step("The router is configured");
    router(&cluster).configure()?;

    page::step("Carillon is configured");
    page::command(HELPER, "cat lab/seed/metal-bgp.yaml", seed::CONFIG_MAP);
    create_file(&cluster, "lab/seed/metal-bgp.yaml")?;
    kubectl(
        &cluster,
        "rollout status daemonset/speaker -n metallb-system --timeout=60s",
    )?;
    kubectl(&cluster, "get pods -n metallb-system -o wide")?;
    router(&cluster).sessions(0)?;
    page::met("the router has a session with each node, and no prefix from either");

    page::step("The service is created");
    create(&cluster)?;
    look(&cluster)?;

    page::step("The router knows both nodes as the way to the service");
    router(&cluster).routes()?;

    page::step("Requests go to both nodes, and from there to both pods");
    proxy_rules(&cluster)?;
    router(&cluster).requests(&pod_addresses(&cluster)?)?;

    page::step("The service is deleted");
    kubectl(&cluster, "delete -f lab/seed/demo.yaml")?;
    router(&cluster).withdrawn()?;
    Ok(cluster)
}

/// Creates the application, and waits until its pods run and its service has its address.
pub(crate) fn create(cluster: &Cluster) -> Result<()> {
    create_file(cluster, "lab/seed/demo.yaml")?;
    kubectl(
        cluster,
        "wait --for=condition=Ready pod/test-0 pod/test-1 --timeout=60s",
    )?;
    wait::until(
        format!("the service to have the address {}", seed::VIP),
        SOON,
        || {
            let address = "jsonpath={.status.loadBalancer.ingress[*].ip}";
            let address = cluster.kubectl(&["get", "service", "demo", "-o", address])?;
            ensure!(address == seed::VIP, "it has {address:?}");
            Ok(())
        },
    )
}

/// How to use a cluster that was left standing.
pub(crate) fn look_around(cluster: &Cluster) {
    let router = cluster.router.namespace();
    let vtysh = cluster.frr.vty_socket();
    page::step("The cluster stands, with the service created again. Look around:");
    println!("alias k='{}'", cluster.api.kubectl_line());
    println!("k get pods -A -o wide");
    println!("k describe service demo");
    println!("k exec -n {NAMESPACE} daemonset/speaker -- carillon status");
    println!("ip netns exec {router} vtysh {vtysh}");
    println!("ip netns exec {router} curl {}", seed::VIP);
    println!("tail -f {}/*.log", cluster.router.lab().dir().display());
    println!(
        "\nThe kubeconfig file: {}",
        cluster.api.kubeconfig().display()
    );
    println!("\nRemove the cluster:\n\nmake demo-kubernetes-clean");
}

fn router(cluster: &Cluster) -> Router<'_> {
    Router {
        host: &cluster.router,
        frr: &cluster.frr,
    }
}

/// The directory of the sources.
fn top() -> &'static Path {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.parent().unwrap_or(lab)
}

/// What `make image` built.
fn image() -> Result<PathBuf> {
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there is no image for {other}"),
    };
    let image = top().join(format!("target/image/carillon-{architecture}.tar"));
    ensure!(image.is_file(), "no {}: run `make image`", image.display());
    Ok(image)
}

/// Shows what kubectl prints; `arguments` are words.
fn kubectl(cluster: &Cluster, arguments: &str) -> Result<()> {
    let words: Vec<_> = arguments.split_whitespace().collect();
    let output = cluster.kubectl(&words)?;
    page::command(HELPER, &format!("kubectl {arguments}"), &output);
    Ok(())
}

fn create_file(cluster: &Cluster, file: &str) -> Result<()> {
    kubectl(cluster, &format!("create -f {file}"))
}

/// Shows the service from all sides.
fn look(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, "get all")?;
    kubectl(cluster, "get pod -o wide")?;
    router(cluster).await_sessions(1)?;
    kubectl(cluster, "get svc/demo -o yaml")?;
    let events = [
        "get",
        "events",
        "--field-selector",
        "involvedObject.name=demo",
    ];
    wait::until("an event of the service", SOON, || {
        let output = cluster.kubectl(&events)?;
        ensure!(output.contains(seed::VIP), "{output}");
        Ok(())
    })?;
    kubectl(cluster, &events.join(" "))?;
    let status = format!("exec -n {NAMESPACE} daemonset/speaker -- carillon status");
    kubectl(cluster, &status)?;
    router(cluster).sessions(1)?;
    page::met(&format!(
        "the service has {}; the router has one prefix from each node",
        seed::VIP
    ));
    Ok(())
}

fn pod_addresses(cluster: &Cluster) -> Result<Vec<String>> {
    let addresses = "jsonpath={.items[*].status.podIP}";
    let addresses = cluster.kubectl(&["get", "pods", "-o", addresses])?;
    Ok(addresses.split_whitespace().map(str::to_owned).collect())
}

/// Waits until kube-proxy passes on the service on every node, and shows its rule on one.
fn proxy_rules(cluster: &Cluster) -> Result<()> {
    for node in cluster.nodes() {
        let what = format!("kube-proxy on {} to know {}", node.name(), seed::VIP);
        let rule = wait::until(what, SOON, || {
            let rules = node.host().run("nft", ["list", "ruleset"])?;
            let mut lines = rules.lines();
            let line = lines.find(|line| line.contains(seed::VIP));
            line.map(str::to_owned).context("it has no rule")
        })?;
        let prompt = format!("[root@{} ~]#", node.name());
        let command = format!("nft list ruleset | grep {}", seed::VIP);
        page::command(&prompt, &command, rule.trim());
    }
    Ok(())
}
