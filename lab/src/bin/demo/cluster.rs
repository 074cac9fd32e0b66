//! The network of the walk-through: a router, two nodes, a pod on each.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use carillon_lab::{Carillon, Frr, Host, Lab, Process};

/// The address that the service gets.
pub(crate) const VIP: &str = "198.51.100.1";
pub(crate) const ROUTER: &str = "192.168.7.10";

/// What is typed into vtysh, line for line.
pub(crate) const ROUTER_CONFIG: &str = "router bgp 64512
 neighbor metallb peer-group
 neighbor metallb remote-as 64512
 bgp listen limit 200
 bgp listen range 192.168.7.0/24 peer-group metallb
";

/// The configuration.
pub(crate) const CONFIG_MAP: &str = include_str!("../../../seed/metal-bgp.yaml");

/// The objects that exist from the start.
const OBJECTS: [(&str, &str); 2] = [
    (
        "metal-bgp.yaml",
        include_str!("../../../seed/metal-bgp.yaml"),
    ),
    ("nodes.yaml", include_str!("../../../seed/nodes.yaml")),
];
/// The application, and what Kubernetes adds to it.
const SERVICE: [(&str, &str); 2] = [
    (
        "endpoints.yaml",
        include_str!("../../../seed/endpoints.yaml"),
    ),
    ("demo.yaml", include_str!("../../../seed/demo.yaml")),
];

/// The facts of a node and its pod.
pub(crate) struct Plan {
    pub(crate) node: &'static str,
    pub(crate) address: &'static str,
    pub(crate) pod: &'static str,
    pub(crate) pod_address: &'static str,
    pod_network: &'static str,
    pod_gateway: &'static str,
}

pub(crate) const NODES: [Plan; 2] = [
    Plan {
        node: "master-0",
        address: "192.168.7.13",
        pod: "test-0",
        pod_address: "10.254.0.66",
        pod_network: "10.254.0.0/24",
        pod_gateway: "10.254.0.1",
    },
    Plan {
        node: "worker-0",
        address: "192.168.7.16",
        pod: "test-1",
        pod_address: "10.254.1.230",
        pod_network: "10.254.1.0/24",
        pod_gateway: "10.254.1.1",
    },
];

/// A node with its pod.
pub(crate) struct Node {
    pub(crate) plan: &'static Plan,
    pub(crate) host: Host,
    _web: Process,
}

/// The whole of it. The directory of objects has the role of the Kubernetes API: every node reads
/// it.
pub(crate) struct Cluster {
    pub(crate) router: Host,
    pub(crate) frr: Frr,
    pub(crate) nodes: Vec<Node>,
    pub(crate) daemons: Vec<Carillon>,
    pub(crate) objects: PathBuf,
}

impl Cluster {
    /// Everything but the router's configuration and Carillon.
    pub(crate) fn build(lab: &Lab) -> Result<Self> {
        let lan = lab.switch("switch")?;
        let router = lab.host("bgp-router")?;
        lan.plug(&router, "enp1s0", &[&format!("{ROUTER}/24")])?;
        router.forward()?;
        // Balance by connection, not by pair of addresses: so that one client sees both nodes.
        router.sysctl("net.ipv4.fib_multipath_hash_policy", "1")?;
        let frr = Frr::start(&router, "")?;
        let mut nodes = Vec::new();
        for plan in &NODES {
            let host = lab.host(plan.node)?;
            lan.plug(&host, "enp1s0", &[&format!("{}/24", plan.address)])?;
            host.forward()?;
            for other in NODES.iter().filter(|other| other.node != plan.node) {
                host.ip(&format!(
                    "route add {} via {}",
                    other.pod_network, other.address
                ))?;
            }
            let web = pod(lab, &host, plan)?;
            nodes.push(Node {
                plan,
                host,
                _web: web,
            });
        }
        let objects = lab.dir().join("objects");
        fs::create_dir(&objects)?;
        let cluster = Self {
            router,
            frr,
            nodes,
            daemons: Vec::new(),
            objects,
        };
        cluster.write(&OBJECTS)?;
        Ok(cluster)
    }

    /// `carillon run` on every node.
    pub(crate) fn start_carillon(&mut self) -> Result<()> {
        for node in &self.nodes {
            self.daemons
                .push(Carillon::start(&node.host, node.plan.node, &self.objects)?);
        }
        Ok(())
    }

    pub(crate) fn create_service(&self) -> Result<()> {
        self.write(&SERVICE)
    }

    pub(crate) fn delete_service(&self) -> Result<()> {
        for (name, _) in SERVICE.iter().rev() {
            fs::remove_file(self.objects.join(name))?;
        }
        Ok(())
    }

    fn write(&self, objects: &[(&str, &str)]) -> Result<()> {
        for (name, text) in objects {
            let path = self.objects.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// On every node, what kube-proxy does for the service: packets to its address go to one pod
    /// after the other, and come back through the node.
    pub(crate) fn proxy(&self) -> Result<()> {
        let pods = NODES
            .iter()
            .enumerate()
            .map(|(n, plan)| format!("{n} : {}", plan.pod_address));
        let pods = pods.collect::<Vec<_>>().join(", ");
        let count = NODES.len();
        let ruleset = format!(
            "table ip kube-proxy {{
                chain services {{
                    type nat hook prerouting priority dstnat
                    ip daddr {VIP} tcp dport 80 counter \
                        dnat to numgen inc mod {count} map {{ {pods} }}
                }}
                chain return_path {{
                    type nat hook postrouting priority srcnat
                    ct status dnat counter masquerade
                }}
            }}"
        );
        self.nodes
            .iter()
            .try_for_each(|node| node.host.nft(&ruleset))
    }
}

/// The node's pod, in a namespace of its own, with a web server: this program again.
fn pod(lab: &Lab, node: &Host, plan: &Plan) -> Result<Process> {
    let pod = lab.host(plan.pod)?;
    node.cable(plan.pod, &pod, "eth0")?;
    node.address(plan.pod, &[&format!("{}/24", plan.pod_gateway)])?;
    pod.address("eth0", &[&format!("{}/24", plan.pod_address)])?;
    pod.ip(&format!("route add default via {}", plan.pod_gateway))?;
    let mut server = pod.command(std::env::current_exe()?);
    pod.spawn(
        "web",
        server.args(["web", &format!("{}:80", plan.pod_address), plan.pod]),
    )
}
