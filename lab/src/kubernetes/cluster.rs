//! A cluster with nodes that run pods.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::frr::Frr;
use crate::host::Host;
use crate::kubernetes::{ApiServer, Node, image, programs};
use crate::lab::Lab;
use crate::process::Process;
use crate::seed;
use crate::switch::Switch;
use crate::wait;

const ADDRESS: &str = "192.168.7.2";
const READY: Duration = Duration::from_secs(60);

/// The cluster of the walk-through ([`seed`]): a control plane (192.168.7.2), two nodes, and a
/// router with FRR, on one switch.
///
/// Nothing pulls images: give the nodes what pods ask for with [`Cluster::import_image`], and let
/// the pods' `imagePullPolicy` be `Never` or `IfNotPresent`. There is no DNS.
pub struct Cluster {
    /// The API server, on the host `control-plane`.
    pub api: ApiServer,
    /// The host `bgp-router`, which balances over equal routes by connection.
    pub router: Host,
    /// The switch.
    pub lan: Switch,
    /// The router's FRR, without configuration: [`seed::ROUTER_CONFIG`] is the walk-through's.
    pub frr: Frr,
    nodes: Vec<Node>,
    _controllers: Vec<Process>,
}

impl Cluster {
    /// Starts everything and waits until the nodes are ready for pods.
    pub fn start(lab: &Lab) -> Result<Self> {
        let names = seed::NODES.map(|node| node.name);
        let lan = lab.switch("lan")?;
        let (router, frr) = seed::start_router(lab, &lan)?;
        let control_plane = lab.host("control-plane")?;
        lan.plug(&control_plane, "enp1s0", &[&format!("{ADDRESS}/24")])?;
        seed::route_to_pods(&control_plane, ADDRESS)?;
        let api = ApiServer::start_cluster(&control_plane, &names)?;
        let controllers = start_controllers(&api)?;
        let images = [image::PAUSE.archive()?, image::WEB.archive()?];
        let nodes = start_nodes(lab, &lan, &api)?;
        let cluster = Self {
            api,
            router,
            lan,
            frr,
            nodes,
            _controllers: controllers,
        };
        for image in images {
            cluster.import_image(&image)?;
        }
        cluster.await_ready(&names)?;
        Ok(cluster)
    }

    /// What kubectl prints, as an administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.api.kubectl(arguments)
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its name, `master-0` or `worker-0`.
    pub fn node(&mut self, name: &str) -> Result<&mut Node> {
        let node = self.nodes.iter_mut().find(|node| node.name() == name);
        node.with_context(|| format!("no node {name}"))
    }

    /// Gives every node the image in an OCI archive, under the name that it has there.
    pub fn import_image(&self, archive: &Path) -> Result<()> {
        self.nodes
            .iter()
            .try_for_each(|node| node.import_image(archive))
    }

    /// Gives every node the image of Carillon under a name: the one that `make image` builds, with
    /// the [`binary`](crate::binary) under test.
    pub fn import_carillon(&self, name: &str) -> Result<()> {
        let directory = self.router.file("image");
        let archive = image::carillon(&directory, name)?;
        self.import_image(&archive)?;
        fs::remove_dir_all(&directory)?;
        Ok(())
    }

    /// Gives an image that every node has another name, for a pod that is to get a new one.
    pub fn tag_image(&self, name: &str, tag: &str) -> Result<()> {
        self.nodes
            .iter()
            .try_for_each(|node| node.tag_image(name, tag))
    }

    /// Waits until nodes are ready and every namespace has what pods need.
    fn await_ready(&self, names: &[&str]) -> Result<()> {
        wait::until("the nodes to be ready", READY, || {
            let nodes = self.api.get("/api/v1/nodes")?;
            let nodes = nodes.pointer("/items").and_then(Value::as_array);
            let ready: BTreeSet<_> = nodes.into_iter().flatten().filter_map(ready).collect();
            ensure!(ready == names.iter().copied().collect(), "ready: {ready:?}");
            self.api
                .get("/api/v1/namespaces/default/serviceaccounts/default")?;
            self.api
                .get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
        })?;
        Ok(())
    }
}

/// The node's name if it is ready.
fn ready(node: &Value) -> Option<&str> {
    let conditions = node.pointer("/status/conditions")?.as_array()?;
    let is = |condition: &&Value, key: &str, value: &str| {
        condition.get(key).and_then(Value::as_str) == Some(value)
    };
    let ready = conditions
        .iter()
        .find(|condition| is(condition, "type", "Ready"))?;
    is(&ready, "status", "True").then_some(())?;
    node.pointer("/metadata/name")?.as_str()
}

fn start_controllers(api: &ApiServer) -> Result<Vec<Process>> {
    let manager = "kube-controller-manager";
    let scheduler = "kube-scheduler";
    let programs = programs::directory(&[manager, scheduler])?;
    let command = |program: &str| {
        let mut command = api.host().command(programs.join(program));
        command.arg("--kubeconfig").arg(api.kubeconfig());
        command.arg("--leader-elect=false");
        command
    };
    let mut controllers = command(manager);
    controllers.arg("--controllers=*,-node-ipam-controller,-node-route-controller");
    controllers
        .arg("--service-account-private-key-file")
        .arg(api.service_accounts_key());
    controllers
        .arg("--root-ca-file")
        .arg(api.access().authority);
    let host = api.host();
    // It makes this directory, and would do so below /usr.
    controllers
        .arg("--flex-volume-plugin-dir")
        .arg(host.file("volume-plugins"));
    Ok(vec![
        host.spawn(manager, &mut controllers)?,
        host.spawn(scheduler, &mut command(scheduler))?,
    ])
}

fn start_nodes(lab: &Lab, lan: &Switch, api: &ApiServer) -> Result<Vec<Node>> {
    thread::scope(|scope| {
        let start = |plan| scope.spawn(move || Node::create(lab, lan, api, plan));
        let starting = seed::NODES.map(start).into_iter();
        starting
            .map(|node| {
                node.join()
                    .map_err(|_| anyhow!("starting a node panicked"))?
            })
            .collect()
    })
}
