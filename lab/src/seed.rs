//! The walk-through that Carillon grew from: its addresses and its files, letter for letter.

use anyhow::Result;

use crate::frr::Frr;
use crate::host::Host;
use crate::lab::Lab;
use crate::switch::Switch;

/// The router's address.
pub const ROUTER: &str = "192.168.7.10";

/// The address that the service gets.
pub const VIP: &str = "198.51.100.1";

/// What is typed into the router's vtysh, line for line.
pub const ROUTER_CONFIG: &str = "router bgp 64512
 neighbor metallb peer-group
 neighbor metallb remote-as 64512
 bgp listen limit 200
 bgp listen range 192.168.7.0/24 peer-group metallb
";

/// The configuration: a peer and a pool.
pub const CONFIG_MAP: &str = include_str!("../seed/metal-bgp.yaml");

/// The application: two pods and a Service.
pub const DEMO: &str = include_str!("../seed/demo.yaml");

/// The nodes.
pub const NODES: [Node; 2] = [
    Node {
        name: "master-0",
        address: "192.168.7.13",
        pod: "test-0",
        pods: "10.254.0.0/24",
    },
    Node {
        name: "worker-0",
        address: "192.168.7.16",
        pod: "test-1",
        pods: "10.254.1.0/24",
    },
];

/// The facts of a node.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// Its address, in a network of 24 bits with the router.
    pub address: &'static str,
    /// The name of the application's pod on it.
    pub pod: &'static str,
    /// The network of its pods.
    pub pods: &'static str,
}

/// Starts the router on a switch. FRR has no configuration yet: see [`ROUTER_CONFIG`].
pub fn start_router(lab: &Lab, lan: &Switch) -> Result<(Host, Frr)> {
    let router = lab.host("bgp-router")?;
    lan.plug(&router, "enp1s0", &[&format!("{ROUTER}/24")])?;
    router.forward()?;
    // Balance by connection, not by pair of addresses: so that one client sees both nodes.
    router.sysctl("net.ipv4.fib_multipath_hash_policy", "1")?;
    let frr = Frr::start(&router, "")?;
    Ok((router, frr))
}

/// Gives a host with the address `own` the routes to the pods of every other node.
pub fn route_to_pods(host: &Host, own: &str) -> Result<()> {
    for node in NODES.iter().filter(|node| node.address != own) {
        host.ip(&format!("route add {} via {}", node.pods, node.address))?;
    }
    Ok(())
}
