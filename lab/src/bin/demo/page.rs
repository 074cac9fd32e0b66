//! What the reader of the demo sees.

use anyhow::Result;
use carillon_lab::seed;

use crate::cluster::Cluster;

/// A headline.
pub(crate) fn step(title: &str) {
    println!("=== {title}\n");
}

/// A command at a prompt, and what it printed.
pub(crate) fn command(prompt: &str, command: &str, output: &str) {
    println!("{prompt} {command}");
    let output = output.trim_end();
    if !output.is_empty() {
        println!("{output}");
    }
    println!();
}

/// An expectation that was met.
pub(crate) fn met(what: &str) {
    println!("ok: {what}\n");
}

/// The network.
pub(crate) fn drawing() {
    println!("  bgp-router 192.168.7.10 --+-- master-0 192.168.7.13 --- pod test-0 10.254.0.66");
    println!("                            +-- worker-0 192.168.7.16 --- pod test-1 10.254.1.230\n");
}

/// The network of the cluster.
pub(crate) fn drawing_kubernetes() {
    println!("  bgp-router 192.168.7.10 --+-- control-plane 192.168.7.2");
    println!("                            +-- master-0 192.168.7.13 --- pods 10.254.0.0/24");
    println!("                            +-- worker-0 192.168.7.16 --- pods 10.254.1.0/24\n");
}

/// The network of layer 2.
pub(crate) fn drawing_layer2() {
    println!("  client 192.0.2.1 --+-- alpha 192.0.2.11");
    println!("                     +-- beta  192.0.2.12");
    println!("                     +-- gamma 192.0.2.13\n");
}

/// How to use a lab that was left standing.
pub(crate) fn look_around(cluster: &Cluster) -> Result<()> {
    let carillon = carillon_lab::binary()?;
    let router = cluster.router.namespace();
    let vtysh = cluster.frr.vty_socket();
    let service = cluster.objects.join("demo.yaml");
    let service = service.display();
    step("The lab stands, with the service created again. Look around:");
    println!("ip netns exec {router} vtysh {vtysh}");
    println!("ip netns exec {router} curl {}", seed::VIP);
    println!("ip netns exec {router} ip route");
    for daemon in &cluster.daemons {
        println!(
            "{} status --socket {}",
            carillon.display(),
            daemon.socket().display()
        );
    }
    for node in &cluster.nodes {
        println!("ip netns exec {} nft list ruleset", node.host.namespace());
    }
    println!("tail -f {}/*.log", cluster.router.lab().dir().display());
    println!("\nDelete the service, and create it again:\n");
    println!("rm {service}");
    println!("cp lab/seed/demo.yaml {service}");
    println!("\nRemove the lab:\n\nmake demo-clean");
    Ok(())
}
