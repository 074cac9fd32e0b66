//! The walk-through, step by step. Every step checks what it shows, from the router's side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Family, Lab, ip, next_hops, wait};
use ipnet::IpNet;

use crate::cluster::{CONFIG_MAP, Cluster, NODES, ROUTER_CONFIG, VIP};
use crate::page;

/// For what takes milliseconds when all is well; a busy machine may take its time.
const SOON: Duration = Duration::from_secs(30);
const REQUESTS: usize = 10;

/// Plays all steps and returns what then stands.
pub(crate) fn walk(lab: &Lab) -> Result<Cluster> {
    page::step("A router, two nodes, a pod with a web server on each");
    let mut cluster = Cluster::build(lab)?;
    page::drawing();
    pods_answer(&cluster)?;

    page::step("The router is configured");
    cluster.frr.configure(ROUTER_CONFIG)?;
    page::command("[root@bgp-router ~]#", "vtysh", ROUTER_CONFIG);

    page::step("Carillon starts on both nodes");
    start(&mut cluster)?;

    page::step("The service is created");
    create(&cluster)?;

    page::step("The router knows both nodes as the way to the service");
    routes(&cluster)?;

    page::step("Requests go to both nodes, and from there to both pods");
    requests(&cluster)?;

    page::step("The service is deleted");
    delete(&cluster)?;
    Ok(cluster)
}

fn prefix() -> IpNet {
    ip(VIP).into()
}

fn node_addresses() -> BTreeSet<IpAddr> {
    NODES.iter().map(|plan| ip(plan.address)).collect()
}

fn show_vtysh(cluster: &Cluster, command: &str) -> Result<String> {
    let output = cluster.frr.vtysh(command)?;
    page::command("bgp-router#", command, &output);
    Ok(output)
}

fn pods_answer(cluster: &Cluster) -> Result<()> {
    for node in &cluster.nodes {
        for plan in &NODES {
            let url = format!("http://{}", plan.pod_address);
            wait::until(format!("{} to reach {url}", node.plan.node), SOON, || {
                node.host.run("curl", ["-sS", "--max-time", "1", &url])
            })?;
        }
    }
    page::met("each node reaches both pods");
    Ok(())
}

fn start(cluster: &mut Cluster) -> Result<()> {
    page::command("[root@helper ~]#", "cat metal-bgp.yaml", CONFIG_MAP);
    let objects = cluster.objects.display().to_string();
    page::command(
        "[root@helper ~]#",
        &format!("cp metal-bgp.yaml nodes.yaml {objects}"),
        "",
    );
    cluster.start_carillon()?;
    for (node, daemon) in cluster.nodes.iter().zip(&cluster.daemons) {
        let (name, socket) = (node.plan.node, daemon.socket().display());
        let line = format!("carillon run --files {objects} --node-name {name} --socket {socket}");
        page::command(&format!("[root@{name} ~]#"), &line, "");
    }
    sessions_have(cluster, 0)?;
    show_vtysh(cluster, "show ip bgp summary")?;
    page::met("the router has a session with each node, and no prefix from either");
    Ok(())
}

/// Waits until the router has a session with each node and nobody else, each with `count` prefixes.
fn sessions_have(cluster: &Cluster, count: u64) -> Result<()> {
    wait::until(
        format!("two sessions with {count} prefixes each"),
        SOON,
        || {
            let neighbors = cluster.frr.neighbors(Family::V4)?;
            let who: BTreeSet<_> = neighbors.keys().copied().collect();
            ensure!(who == node_addresses(), "sessions with {who:?}");
            for (address, neighbor) in neighbors {
                let (state, received) = (&neighbor.state, neighbor.received);
                ensure!(state == "Established", "{address} is {state}");
                ensure!(received == count, "{address} sent {received} prefixes");
                ensure!(
                    neighbor.connections_dropped == 0,
                    "the session with {address} went down"
                );
            }
            Ok(())
        },
    )
}

fn create(cluster: &Cluster) -> Result<()> {
    cluster.create_service()?;
    let line = format!("cp demo.yaml endpoints.yaml {}", cluster.objects.display());
    page::command("[root@helper ~]#", &line, "");
    for daemon in &cluster.daemons {
        wait::until(
            format!("the service to have the address {VIP}"),
            SOON,
            || {
                let status = daemon.status_text()?;
                ensure!(status.contains(VIP), "{status}");
                Ok(())
            },
        )?;
    }
    // kube-proxy sees the address in the Service's status.
    cluster.proxy()?;
    sessions_have(cluster, 1)?;
    let daemon = cluster.daemons.first().context("no daemon")?;
    let line = format!("carillon status --socket {}", daemon.socket().display());
    page::command("[root@master-0 ~]#", &line, &daemon.status_text()?);
    show_vtysh(cluster, "show ip bgp summary")?;
    page::met(&format!(
        "the service has {VIP}; the router has one prefix from each node"
    ));
    Ok(())
}

fn routes(cluster: &Cluster) -> Result<()> {
    kernel_route(cluster, &node_addresses())?;
    for plan in &NODES {
        let address = ip(plan.address);
        show_vtysh(cluster, &format!("show ip bgp neighbors {address} routes"))?;
        let received = cluster.frr.routes_from(address, Family::V4)?;
        let hops = next_hops(&received, prefix());
        ensure!(
            received.len() == 1 && hops == BTreeSet::from([address]),
            "{received:?}"
        );
    }
    let output = cluster.router.ip("route")?;
    page::command("[root@bgp-router ~]#", "ip route", &output);
    page::met(&format!("{VIP}/32 goes to both nodes, at equal cost"));
    Ok(())
}

/// Waits until the router's kernel has the route to the service over exactly these gateways.
fn kernel_route(cluster: &Cluster, gateways: &BTreeSet<IpAddr>) -> Result<()> {
    wait::until(
        format!("the route to {VIP} over {gateways:?}"),
        SOON,
        || {
            let mut routes = cluster.router.routes(Family::V4)?;
            let seen = routes.remove(&prefix()).unwrap_or_default();
            ensure!(seen == *gateways, "it goes over {seen:?}");
            Ok(())
        },
    )
}

fn requests(cluster: &Cluster) -> Result<()> {
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..REQUESTS {
        let answer = cluster
            .router
            .run("curl", ["-sS", "--max-time", "5", VIP])?;
        println!("[root@bgp-router ~]# curl {VIP}\n{}", answer.trim_end());
        let pod = NODES
            .iter()
            .find(|plan| answer.trim_end().ends_with(plan.pod_address));
        let pod = pod.with_context(|| format!("the answer is from nobody we know: {answer}"))?;
        *answers.entry(pod.pod_address).or_default() += 1;
    }
    println!();
    let passed = passed_on(cluster)?;
    let count = |pod: &str| answers.get(pod).copied().unwrap_or_default();
    let [first, second] = NODES.map(|plan| (plan.pod_address, count(plan.pod_address)));
    ensure!(
        first.1 > 0 && second.1 > 0,
        "one of the pods answered none: {answers:?}"
    );
    ensure!(
        passed == REQUESTS,
        "the nodes passed on {passed} of {REQUESTS} requests"
    );
    let ((a, of_a), (b, of_b)) = (first, second);
    page::met(&format!(
        "{REQUESTS} requests: {a} answered {of_a}, {b} answered {of_b}"
    ));
    Ok(())
}

/// Shows the rules in the role of kube-proxy and returns how many connections they passed on.
fn passed_on(cluster: &Cluster) -> Result<usize> {
    let mut sum = 0;
    for node in &cluster.nodes {
        let rules = node.host.run("nft", ["list", "ruleset"])?;
        let rule = rules
            .lines()
            .find(|line| line.contains(VIP))
            .context("no rule for the service")?;
        let prompt = format!("[root@{} ~]#", node.plan.node);
        page::command(
            &prompt,
            &format!("nft list ruleset | grep {VIP}"),
            rule.trim(),
        );
        let mut words = rule
            .split_whitespace()
            .skip_while(|word| *word != "packets")
            .skip(1);
        sum += words.next().context("no counter")?.parse::<usize>()?;
    }
    Ok(sum)
}

fn delete(cluster: &Cluster) -> Result<()> {
    cluster.delete_service()?;
    let line = format!("rm {}/{{demo,endpoints}}.yaml", cluster.objects.display());
    page::command("[root@helper ~]#", &line, "");
    sessions_have(cluster, 0)?;
    kernel_route(cluster, &BTreeSet::new())?;
    show_vtysh(cluster, "show ip bgp summary")?;
    let output = cluster.router.ip("route")?;
    page::command("[root@bgp-router ~]#", "ip route", &output);
    page::met("both nodes withdrew the route, and their sessions stay");
    Ok(())
}
