//! The network of the walk-through: a router, two nodes, a pod on each.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use carillon_lab::{Carillon, Frr, Host, Lab, Process, seed};

/// The objects that exist from the start.
const OBJECTS: [(&str, &str); 2] = [
    ("metal-bgp.yaml", seed::CONFIG_MAP),
    ("nodes.yaml", include_str!("../../../seed/nodes.yaml")),
];
/// The application, and what Kubernetes adds to it.
const SERVICE: [(&str, &str); 2] = [
    (
        "endpoints.yaml",
        include_str!("../../../seed/endpoints.yaml"),
    ),
    ("demo.yaml", seed::DEMO),
];

/// The facts of a pod.
pub(crate) struct Pod {
    pub(crate) address: &'static str,
    gateway: &'static str,
}

/// The pods, one on each of the nodes.
pub(crate) const PODS: [Pod; 2] = [
    Pod {
        address: "10.254.0.66",
        gateway: "10.254.0.1",
    },
    Pod {
        address: "10.254.1.230",
        gateway: "10.254.1.1",
    },
];

/// A node with its pod.
pub(crate) struct Node {
    plan: seed::Node,
    pub(crate) host: Host,
    _web: Process,
}

impl Node {
    pub(crate) fn name(&self) -> &'static str {
        self.plan.name
    }
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
        let (router, frr) = seed::start_router(lab, &lan)?;
        let mut nodes = Vec::new();
        for (plan, facts) in seed::NODES.into_iter().zip(&PODS) {
            let host = lab.host(plan.name)?;
            lan.plug(&host, "enp1s0", &[&format!("{}/24", plan.address)])?;
            host.forward()?;
            seed::route_to_pods(&host, plan.address)?;
            let web = pod(lab, &host, &plan, facts)?;
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
                .push(Carillon::start(&node.host, node.name(), &self.objects)?);
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
        let pods = PODS
            .iter()
            .enumerate()
            .map(|(n, pod)| format!("{n} : {}", pod.address));
        let pods = pods.collect::<Vec<_>>().join(", ");
        let (vip, count) = (seed::VIP, PODS.len());
        let ruleset = format!(
            "table ip kube-proxy {{
                chain services {{
                    type nat hook prerouting priority dstnat
                    ip daddr {vip} tcp dport 80 counter \
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
fn pod(lab: &Lab, node: &Host, plan: &seed::Node, facts: &Pod) -> Result<Process> {
    let pod = lab.host(plan.pod)?;
    node.cable(plan.pod, &pod, "eth0")?;
    node.address(plan.pod, &[&format!("{}/24", facts.gateway)])?;
    pod.address("eth0", &[&format!("{}/24", facts.address)])?;
    pod.ip(&format!("route add default via {}", facts.gateway))?;
    let mut server = pod.command(std::env::current_exe()?);
    let address = format!("{}:80", facts.address);
    pod.spawn("web", server.args(["web", &address, plan.pod]))
}
