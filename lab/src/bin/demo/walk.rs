//! The walk-through with files, step by step. Every step checks what it shows.

use anyhow::{Context, Result, ensure};
use carillon_lab::{Lab, seed, wait};

use crate::cluster::{Cluster, PODS};
use crate::looks::{Router, SOON};
use crate::page;

/// Plays all steps and returns what then stands.
pub(crate) fn walk(lab: &Lab) -> Result<Cluster> {
    page::step("A router, two nodes, a pod with a web server on each");
    let mut cluster = Cluster::build(lab)?;
    page::drawing();
    pods_answer(&cluster)?;

    page::step("The router is configured");
    router(&cluster).configure()?;

    page::step("Carillon starts on both nodes");
    start(&mut cluster)?;

    page::step("The service is created");
    create(&cluster)?;

    page::step("The router knows both nodes as the way to the service");
    router(&cluster).routes()?;

    page::step("Requests go to both nodes, and from there to both pods");
    let count = router(&cluster).requests(&PODS.map(|pod| pod.address.to_owned()))?;
    passed_on(&cluster, count)?;

    page::step("The service is deleted");
    delete(&cluster)?;
    Ok(cluster)
}

fn router(cluster: &Cluster) -> Router<'_> {
    Router {
        host: &cluster.router,
        frr: &cluster.frr,
    }
}

fn pods_answer(cluster: &Cluster) -> Result<()> {
    for node in &cluster.nodes {
        for pod in &PODS {
            let url = format!("http://{}", pod.address);
            wait::until(format!("{} to reach {url}", node.name()), SOON, || {
                node.host.run("curl", ["-sS", "--max-time", "1", &url])
            })?;
        }
    }
    page::met("each node reaches both pods");
    Ok(())
}

fn start(cluster: &mut Cluster) -> Result<()> {
    page::command("[root@helper ~]#", "cat metal-bgp.yaml", seed::CONFIG_MAP);
    let objects = cluster.objects.display().to_string();
    page::command(
        "[root@helper ~]#",
        &format!("cp metal-bgp.yaml nodes.yaml {objects}"),
        "",
    );
    cluster.start_carillon()?;
    for (node, daemon) in cluster.nodes.iter().zip(&cluster.daemons) {
        let (name, socket) = (node.name(), daemon.socket().display());
        let line = format!("carillon run --files {objects} --node-name {name} --socket {socket}");
        page::command(&format!("[root@{name} ~]#"), &line, "");
    }
    router(cluster).sessions(0)?;
    page::met("the router has a session with each node, and no prefix from either");
    Ok(())
}

fn create(cluster: &Cluster) -> Result<()> {
    let vip = seed::VIP;
    cluster.create_service()?;
    let line = format!("cp demo.yaml endpoints.yaml {}", cluster.objects.display());
    page::command("[root@helper ~]#", &line, "");
    for daemon in &cluster.daemons {
        let what = format!("the service to have the address {vip}");
        wait::until(what, SOON, || {
            let status = daemon.status_text()?;
            ensure!(status.contains(vip), "{status}");
            Ok(())
        })?;
    }
    // kube-proxy sees the address in the Service's status.
    cluster.proxy()?;
    router(cluster).await_sessions(1)?;
    let daemon = cluster.daemons.first().context("no daemon")?;
    let line = format!("carillon status --socket {}", daemon.socket().display());
    page::command("[root@master-0 ~]#", &line, &daemon.status_text()?);
    router(cluster).sessions(1)?;
    page::met(&format!(
        "the service has {vip}; the router has one prefix from each node"
    ));
    Ok(())
}

/// Shows the rules in the role of kube-proxy, which passed on all of `count` requests.
fn passed_on(cluster: &Cluster, count: usize) -> Result<()> {
    let mut sum = 0;
    for node in &cluster.nodes {
        let rules = node.host.run("nft", ["list", "ruleset"])?;
        let rule = rules
            .lines()
            .find(|line| line.contains(seed::VIP))
            .context("no rule for the service")?;
        let prompt = format!("[root@{} ~]#", node.name());
        let line = format!("nft list ruleset | grep {}", seed::VIP);
        page::command(&prompt, &line, rule.trim());
        let mut words = rule
            .split_whitespace()
            .skip_while(|word| *word != "packets")
            .skip(1);
        sum += words.next().context("no counter")?.parse::<usize>()?;
    }
    ensure!(
        sum == count,
        "the nodes passed on {sum} of {count} requests"
    );
    page::met("the nodes passed them on");
    Ok(())
}

fn delete(cluster: &Cluster) -> Result<()> {
    cluster.delete_service()?;
    let line = format!("rm {}/{{demo,endpoints}}.yaml", cluster.objects.display());
    page::command("[root@helper ~]#", &line, "");
    router(cluster).withdrawn()
}
