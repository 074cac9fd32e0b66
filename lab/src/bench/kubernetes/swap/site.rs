//! The cluster that is swapped: an API server with its garbage collector, two nodes, and a router
//! that is the client as well, on one segment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::inventory::Inventory;
use super::services::{self, ASN, PASSWORD, Protocol};
use crate::bench::kubernetes::{metallb, objects};
use crate::kubernetes::{ApiServer, programs};
use crate::layer2::{Cluster, Responder, Segment};
use crate::{Carillon, Family, Frr, Host, Lab, Process, binary, wait};

/// How long anything may take before the benchmark fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const NODES: [&str; 2] = ["node-1", "node-2"];
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CONTROL_PLANE: u8 = 10;
const VISITOR: u8 = 3;
/// Between two questions for an address.
const ASKING: Duration = Duration::from_millis(2);
/// How long it may take to find a neighbour.
const VISIT: Duration = Duration::from_secs(4);

/// See the module's documentation.
pub(super) struct Site {
    pub(super) api: ApiServer,
    metallb: PathBuf,
    cluster: Cluster,
    control_plane: Host,
    /// Who has talked to nobody yet.
    visitor: Host,
    router: Frr,
    /// What runs of MetalLB.
    processes: Vec<Process>,
    /// What runs of Carillon.
    daemons: Vec<Carillon>,
    _collector: Process,
}

impl Site {
    /// A cluster on which MetalLB has given every Service an address.
    pub(super) fn new(services: usize) -> Result<Self> {
        let lab = Lab::new()?;
        let cluster = Cluster::new(&lab, &NODES)?;
        let segment = &cluster.segment;
        let control_plane = segment.plug(&lab, "control-plane", CONTROL_PLANE)?.host;
        let visitor = segment.plug(&lab, "visitor", VISITOR)?.host;
        let mut config = format!("router bgp {ASN}\n");
        for station in &segment.stations {
            let address = station.address();
            let _ = writeln!(config, " neighbor {address} remote-as {ASN}");
            let _ = writeln!(config, " neighbor {address} password {PASSWORD}");
        }
        config += " address-family ipv4 unicast\n  maximum-paths ibgp 4\n";
        let router = Frr::start(&segment.client, &config)?;
        let api = ApiServer::start_dual_stack(&control_plane)?;
        let collector = start_collector(&api)?;
        let mut site = Self {
            api,
            metallb: metallb::directory()?.context("MetalLB is not built")?,
            cluster,
            control_plane,
            visitor,
            router,
            processes: Vec::new(),
            daemons: Vec::new(),
            _collector: collector,
        };
        site.prepare(services)?;
        Ok(site)
    }

    fn prepare(&mut self, services: usize) -> Result<()> {
        self.api.send_all(&NODES.map(objects::node))?;
        self.apply_metallb(false)?;
        self.api.send_all(&services::configuration(ROUTER))?;
        self.api.send_all(&services::services(services, &NODES))?;
        // From now on nobody would be let through: what answers it is not run here.
        self.apply_metallb(true)?;
        self.start_metallb()?;
        wait::until("all Services to have addresses", PATIENCE, || {
            let inventory = Inventory::read(&self.api)?;
            let lacking = inventory.without_address();
            ensure!(lacking.is_empty(), "{lacking:?} have none");
            Ok(())
        })
    }

    /// Where the nodes and the client are.
    pub(super) fn segment(&self) -> &Segment {
        &self.cluster.segment
    }

    /// What MetalLB's users apply, with its webhooks or without.
    fn apply_metallb(&self, webhooks: bool) -> Result<()> {
        let text = std::fs::read_to_string(self.metallb.join("metallb-native.yaml"))?;
        let documents = text.split("\n---\n").filter(|document| {
            webhooks || !document.contains("\nkind: ValidatingWebhookConfiguration\n")
        });
        let documents: Vec<_> = documents.collect();
        let apply = ["apply", "--filename", "-"];
        self.api.kubectl_stdin(&apply, &documents.join("\n---\n"))?;
        self.await_definitions()
    }

    fn await_definitions(&self) -> Result<()> {
        let wait = ["wait", "crd", "--all", "--for", "condition=Established"];
        self.api.kubectl(&wait).map(drop)
    }

    fn start_metallb(&mut self) -> Result<()> {
        let kubeconfig = self.api.kubeconfig().to_owned();
        self.pod(metallb::CONTROLLER_POD, None)?;
        let mut controller = metallb::controller(&self.control_plane, &kubeconfig, &self.metallb);
        let controller = self.control_plane.spawn("controller", &mut controller)?;
        self.processes.push(controller);
        for station in &self.cluster.segment.stations {
            let (host, node) = (&station.host, station.host.name());
            self.pod(&metallb::speaker_pod(node), Some(node))?;
            let mut speaker = metallb::speaker(host, node, &kubeconfig, &self.metallb);
            self.processes.push(host.spawn("speaker", &mut speaker)?);
        }
        Ok(())
    }

    /// Makes the object of a pod, and returns its UID.
    fn pod(&self, name: &str, node: Option<&str>) -> Result<String> {
        let pod = self
            .api
            .send(&objects::pod(name, node.unwrap_or(NODES[0])))?;
        let uid = pod.pointer("/metadata/uid").and_then(Value::as_str);
        Ok(uid.context("a pod without a UID")?.to_owned())
    }

    /// As the documentation says: MetalLB's programs go, Carillon's come.
    pub(super) fn become_carillon(&mut self) -> Result<()> {
        self.kubectl("delete -n metallb-system deployment/controller daemonset/speaker")?;
        for mut process in self.processes.drain(..) {
            process.terminate()?;
        }
        self.delete_pods()?;
        self.kubectl(
            "delete validatingwebhookconfiguration metallb-webhook-configuration --ignore-not-found",
        )?;
        self.api
            .kubectl(&["apply", "--filename", &manifest("install.yaml")])?;
        let account = |name| self.api.kubeconfig_for(objects::NAMESPACE, name);
        let (controller, speaker) = (account("controller")?, account("speaker")?);
        let mut daemons = Vec::new();
        for station in &self.cluster.segment.stations {
            let node = station.host.name();
            let options = self.options("speaker", node)?;
            let options: Vec<_> = options.iter().map(String::as_str).collect();
            let daemon = self.cluster.start_kubernetes(station, &speaker, &options)?;
            daemons.push(daemon);
        }
        let options = self.options("controller", NODES[0])?;
        daemons.push(Carillon::start_kubernetes_with(
            &self.control_plane,
            NODES[0],
            &controller,
            &options,
        )?);
        self.daemons = daemons;
        Ok(())
    }

    /// The options of a daemon in a pod, which is made.
    fn options(&self, role: &str, node: &str) -> Result<Vec<String>> {
        let pod = format!("carillon-{role}-{node}");
        let uid = self.pod(&pod, Some(node))?;
        let options = ["--role", role, "--pod-name", &pod, "--pod-uid", &uid];
        Ok(options.map(str::to_owned).into())
    }

    /// The way back.
    pub(super) fn become_metallb(&mut self) -> Result<()> {
        self.kubectl("delete -n metallb-system deployment/controller daemonset/speaker")?;
        for mut daemon in self.daemons.drain(..) {
            daemon.process.terminate()?;
        }
        self.delete_pods()?;
        self.api.kubectl(&[
            "delete",
            "--filename",
            &manifest("carillon.yaml"),
            "--ignore-not-found",
        ])?;
        self.apply_metallb(true)?;
        self.start_metallb()
    }

    fn delete_pods(&self) -> Result<()> {
        let delete = "delete pods --all -n metallb-system --grace-period 0 --force";
        self.kubectl(delete)
    }

    fn kubectl(&self, line: &str) -> Result<()> {
        let arguments: Vec<_> = line.split_whitespace().collect();
        self.api.kubectl(&arguments).map(drop)
    }

    /// What `carillon check` says of the cluster; an error if it does not like it.
    pub(super) fn check(&self) -> Result<String> {
        let mut check = self.control_plane.command(binary()?);
        check.args(["check", "--from-cluster", "--kubeconfig"]);
        check.arg(self.api.kubeconfig());
        let output = check.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "carillon check: {said}{complaint}");
        Ok(said + &complaint)
    }

    /// Waits until all of these addresses are announced: by both nodes to the router, or by one to
    /// the segment.
    pub(super) fn await_announced(&self, inventory: &Inventory) -> Result<()> {
        let nodes: BTreeSet<IpAddr> = {
            let stations = self.segment().stations.iter();
            stations.map(|station| station.address().into()).collect()
        };
        let expected: BTreeMap<IpNet, _> = inventory
            .addresses(Protocol::Bgp)
            .into_iter()
            .map(|address| (address.into(), nodes.clone()))
            .collect();
        wait::until("the routes", PATIENCE, || {
            let routes = self.router.routes(Family::V4)?.into_iter();
            let routes = routes.map(|(prefix, paths)| {
                let peers = paths.iter().filter_map(|path| path.peer);
                (prefix, peers.collect())
            });
            let routes: BTreeMap<IpNet, BTreeSet<IpAddr>> = routes.collect();
            let (has, wants) = (routes.len(), expected.len());
            ensure!(routes == expected, "{has} of {wants}: {routes:?}");
            Ok(())
        })?;
        let addresses = inventory.addresses(Protocol::Layer2);
        let addresses: Vec<_> = addresses.into_iter().collect();
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        wait::until("one answer for each address", PATIENCE, || {
            self.ensure_one_answers(&v4)?;
            self.ensure_found(&v6)
        })
    }

    /// Lets the kernel of the visitor look for each address; fails if one is not found. (MetalLB
    /// answers the address, and not the station, that asks for one of IPv6.)
    fn ensure_found(&self, addresses: &[IpAddr]) -> Result<()> {
        self.visitor.ip("-6 neigh flush dev eth0")?;
        let visit = || -> io::Result<()> {
            let socket = UdpSocket::bind("[::]:0")?;
            for address in addresses {
                socket.send_to(&[], (*address, Responder::PORT))?;
            }
            Ok(())
        };
        self.visitor.enter(visit)??;
        wait::until("all to be found", VISIT, || {
            let neighbors = self.visitor.neighbors()?;
            let found = |address: &&IpAddr| {
                let neighbor = neighbors.get(address);
                neighbor.is_some_and(|neighbor| neighbor.mac.is_some())
            };
            let lost = addresses.iter().find(|address| !found(address));
            ensure!(lost.is_none(), "{lost:?} is not found");
            Ok(())
        })
    }

    /// Asks for each address once; fails if one has no owner, or two.
    fn ensure_one_answers(&self, addresses: &[IpAddr]) -> Result<()> {
        let asker = self.segment().ask(addresses, ASKING)?;
        thread::sleep(ASKING * u32::try_from(addresses.len())?);
        let answers = asker.stop();
        let mut asked = BTreeSet::new();
        for (_, address, stations) in &answers.questions {
            let stations: BTreeSet<_> = stations.iter().map(|answer| answer.station).collect();
            ensure!(stations.len() == 1, "{address}: {stations:?}");
            asked.insert(*address);
        }
        let left = addresses.iter().find(|address| !asked.contains(*address));
        ensure!(left.is_none(), "{left:?} was not asked for");
        Ok(())
    }

    /// Waits until whoever runs says that it understands the whole configuration.
    pub(super) fn ensure_understood(&self) -> Result<()> {
        let states = services::collection(("v1beta1", "configurationstates"));
        wait::until("all to understand the configuration", PATIENCE, || {
            let list = self.api.get(&states)?;
            let items = list.pointer("/items").and_then(Value::as_array);
            let results: BTreeMap<_, _> = items
                .into_iter()
                .flatten()
                .map(|state| {
                    let name = state.pointer("/metadata/name").map(Value::to_string);
                    (name, state.pointer("/status").cloned())
                })
                .collect();
            let valid = |status: &Option<Value>| {
                let result = status.as_ref().and_then(|status| status.get("result"));
                result == Some(&json!("Valid"))
            };
            let all = results.len() == NODES.len() + 1 && results.values().all(valid);
            ensure!(all, "{results:?}");
            Ok(())
        })
    }
}

fn manifest(name: &str) -> String {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = lab.join("../manifests").join(name);
    path.to_string_lossy().into_owned()
}

/// The garbage collector, which removes what belongs to a pod that is gone.
fn start_collector(api: &ApiServer) -> Result<Process> {
    let manager = "kube-controller-manager";
    let host = api.host();
    let mut command = host.command(programs::directory(&[manager])?.join(manager));
    command.arg("--kubeconfig").arg(api.kubeconfig());
    command.arg("--leader-elect=false");
    command.arg("--controllers=garbage-collector-controller");
    command
        .arg("--flex-volume-plugin-dir")
        .arg(host.file("volume-plugins"));
    host.spawn(manager, &mut command)
}
