//! A cluster of an API server and one node, and the router that the node announces to.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::entrant::PATIENCE;
use super::super::peer::Peer;
use super::{metallb, objects};
use crate::kubernetes::{ApiServer, Connection};
use crate::{Host, Lab, Process, binary};

const API: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const NODE_TO_RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
/// How many connections write at a time what waits in the API.
const WRITERS: usize = 16;
/// The Service that comes and goes.
const EXTRA: &str = "extra";

/// What announces the Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// `carillon run --kubernetes`.
    Carillon,
    /// MetalLB's controller and speaker, with BGP of its own.
    MetalLb,
}

impl System {
    /// Those that can be run here.
    pub(super) fn available() -> Result<Vec<Self>> {
        let mut systems = vec![Self::Carillon];
        systems.extend(metallb::directory()?.map(|_| Self::MetalLb));
        Ok(systems)
    }

    /// Makes its kinds of resources known to an API server, and what else it needs there.
    pub(super) fn install(self, api: &ApiServer, nodes: &[&str]) -> Result<()> {
        match self {
            Self::Carillon => {
                let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
                define(api, &lab.join("../manifests/crds.yaml"))
            }
            Self::MetalLb => {
                let directory = metallb::directory()?.context("MetalLB is not built")?;
                define(api, &directory.join("crd"))?;
                let speakers = nodes
                    .iter()
                    .map(|node| objects::pod(&metallb::speaker_pod(node), node));
                let mut pods: Vec<_> = speakers.collect();
                let node = nodes.first().context("no nodes")?;
                pods.push(objects::pod(metallb::CONTROLLER_POD, node));
                api.send_all(&pods)
            }
        }
    }

    /// The name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Carillon => "Carillon",
            Self::MetalLb => "MetalLB",
        }
    }
}

/// An API server, a node whose `system` may be started, and the receiver of its routes.
pub(super) struct Entrant {
    pub(super) system: System,
    /// The system's programs, if started; the one that announces is the last.
    pub(super) programs: Vec<(&'static str, Process)>,
    pub(super) peer: Peer,
    connection: Connection,
    /// When a bare watch was told of the Service that comes and goes.
    told: Receiver<Instant>,
    pub(super) api: ApiServer,
    node: Host,
}

/// How long it took from before a request was sent.
pub(super) struct Change {
    /// Until the API server told a watch that does nothing else.
    pub(super) told: Duration,
    /// Until the UPDATE at the receiver.
    pub(super) update: Duration,
}

impl Entrant {
    /// All of it with the configuration, this many more objects of configuration, and no Services.
    pub(super) fn new(system: System, more: usize) -> Result<Self> {
        let lab = Lab::new()?;
        let (host, node, receiver) = (lab.host("api")?, lab.host("node")?, lab.host("receiver")?);
        node.cable("eth0", &host, "eth0")?;
        node.cable("eth1", &receiver, "eth0")?;
        host.address("eth0", &[&format!("{API}/24")])?;
        node.address("eth0", &[&format!("{NODE}/24")])?;
        node.address("eth1", &[&format!("{NODE_TO_RECEIVER}/24")])?;
        receiver.address("eth0", &[&format!("{RECEIVER}/24")])?;
        let listen = || Peer::listen((RECEIVER, 179).into(), objects::RECEIVER_ASN, RECEIVER);
        let peer = receiver.enter(listen)??;
        let api = ApiServer::start(&host)?;
        api.send_all(&[objects::node(objects::NODE), objects::namespace()])?;
        system.install(&api, &[objects::NODE])?;
        let configuration = objects::configuration(RECEIVER).into_iter();
        let all: Vec<_> = configuration.chain(objects::crowd(more)).collect();
        api.send_all(&all)?;
        Ok(Self {
            system,
            programs: Vec::new(),
            peer,
            connection: api.connect()?,
            told: api.connect()?.watch(&objects::watch(EXTRA))?,
            api,
            node,
        })
    }

    /// Creates so many Services, each after its EndpointSlice.
    pub(super) fn add_services(&self, count: usize) -> Result<()> {
        let (api, numbers): (_, Vec<usize>) = (&self.api, (0..count).collect());
        let create = |numbers: &[usize]| {
            let mut connection = api.connect()?;
            for number in numbers {
                let name = format!("service-{number}");
                connection.send(&objects::create_endpoint_slice(&name, objects::NODE))?;
                connection.send(&objects::create_service(&name))?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let parts = numbers.chunks(count.div_ceil(WRITERS).max(1));
            let writers: Vec<_> = parts.map(|part| scope.spawn(|| create(part))).collect();
            let died = |_| bail!("a writer died");
            let mut results = writers.into_iter().map(thread::ScopedJoinHandle::join);
            results.try_for_each(|result| result.unwrap_or_else(died))
        })
    }

    /// Starts the system and returns the moment before the program that announces was started.
    pub(super) fn start(&mut self) -> Result<Instant> {
        self.peer.drain();
        let mut started = Instant::now();
        for (name, mut command) in self.commands()? {
            started = Instant::now();
            let process = self.node.spawn(name, &mut command)?;
            self.programs.push((name, process));
        }
        Ok(started)
    }

    fn commands(&self) -> Result<Vec<(&'static str, Command)>> {
        let (node, kubeconfig) = (&self.node, self.api.kubeconfig());
        match self.system {
            System::Carillon => {
                let command = carillon(node, objects::NODE, kubeconfig, "both")?;
                Ok(vec![("carillon", command)])
            }
            System::MetalLb => {
                let directory = metallb::directory()?.context("MetalLB is not built")?;
                let controller = metallb::controller(node, kubeconfig, &directory);
                let speaker = metallb::speaker(node, objects::NODE, kubeconfig, &directory);
                Ok(vec![("controller", controller), ("speaker", speaker)])
            }
        }
    }

    /// Ends the system as an operator would (SIGTERM); what has not ended after 10 s is killed.
    pub(super) fn stop(&mut self) -> Result<()> {
        for (_, mut process) in self.programs.drain(..) {
            if process.terminate().is_err() {
                process.kill()?;
            }
        }
        Ok(())
    }

    /// Waits until the receiver has so many routes and returns when the last of them came.
    pub(super) fn receive(&self, routes: usize) -> Result<Instant> {
        let mut last = self.peer.established(PATIENCE)?;
        let mut received = HashSet::with_capacity(routes);
        while received.len() < routes {
            let (at, update) = self
                .peer
                .update(PATIENCE)
                .with_context(|| format!("{} of {routes} routes received", received.len()))?;
            last = at;
            ensure!(update.withdrawn.is_empty(), "a withdrawal after the start");
            received.extend(update.announced);
        }
        Ok(last)
    }

    /// Puts the EndpointSlice of the Service that comes and goes.
    pub(super) fn prepare_change(&mut self) -> Result<()> {
        let request = objects::create_endpoint_slice(EXTRA, objects::NODE);
        self.connection.send(&request).map(drop)
    }

    /// Creates or deletes one Service, and waits for the UPDATE.
    pub(super) fn change(&mut self, announce: bool) -> Result<Change> {
        let request = if announce {
            objects::create_service(EXTRA)
        } else {
            objects::delete_service(EXTRA)
        };
        self.peer.drain();
        while self.told.try_recv().is_ok() {}
        let before = Instant::now();
        self.connection.send(&request)?;
        let (at, update) = self.peer.update(PATIENCE)?;
        let expected = if announce { (1, 0) } else { (0, 1) };
        let got = (update.announced.len(), update.withdrawn.len());
        ensure!(
            got == expected,
            "{}: an UPDATE with {got:?} routes",
            self.system.name()
        );
        let told = self.told.recv_timeout(PATIENCE)?;
        Ok(Change {
            told: told - before,
            update: at - before,
        })
    }
}

/// Applies the definitions in a file or a directory, and waits until they count.
fn define(api: &ApiServer, definitions: &Path) -> Result<()> {
    let definitions = definitions.display().to_string();
    api.kubectl(&["apply", "--server-side", "--filename", &definitions])?;
    let established = ["--for", "condition=Established", "--timeout", "60s"];
    let mut arguments = vec!["wait", "crd", "--all"];
    arguments.extend(established);
    api.kubectl(&arguments).map(drop)
}

/// The command of Carillon on a host.
pub(super) fn carillon(host: &Host, node: &str, kubeconfig: &Path, role: &str) -> Result<Command> {
    let mut command = host.command(binary()?);
    command.args(["run", "--kubernetes", "--kubeconfig"]);
    command.arg(kubeconfig).args(["--node-name", node]);
    command.args(["--role", role]);
    command.arg("--socket").arg(host.file("carillon.sock"));
    Ok(command)
}
