//! A cluster of several nodes, each with a receiver of its own.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::entrant::PATIENCE;
use super::super::peer::{EventKind, Peer};
use super::entrant::{System, carillon};
use super::{metallb, objects};
use crate::kubernetes::{ApiServer, Connection, Request};
use crate::{Host, Lab, Process};

/// A switch with the control plane (10.0.0.1), the receivers (10.0.1.N, and 10.0.2.N for sessions
/// that come and go) and the nodes (10.0.0.N, from 11 on).
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    connection: Connection,
    api: ApiServer,
    control_plane: Host,
    /// The system's programs, if started.
    programs: Vec<Process>,
    system: System,
}

/// A node and its receivers.
pub(super) struct Node {
    pub(super) name: String,
    host: Host,
    /// The receiver of the session that is always there.
    pub(super) peer: Peer,
    /// That of the session that comes and goes.
    pub(super) extra: Peer,
    receivers: [Ipv4Addr; 2],
}

impl Fleet {
    /// All of it, with a session of each node and nothing that runs.
    pub(super) fn new(system: System, nodes: u8) -> Result<Self> {
        let lab = Lab::new()?;
        let lan = lab.switch("lan")?;
        let (control_plane, receivers) = (lab.host("api")?, lab.host("receivers")?);
        lan.plug(&control_plane, "eth0", &["10.0.0.1/16"])?;
        lan.plug(&receivers, "eth0", &["10.0.0.2/16"])?;
        let nodes = (11..11 + nodes).map(|number| {
            let host = lab.host(&format!("node-{number}"))?;
            lan.plug(&host, "eth0", &[&format!("10.0.0.{number}/16")])?;
            Node::new(host, &receivers, number)
        });
        let nodes: Vec<_> = nodes.collect::<Result<_>>()?;
        let api = ApiServer::start(&control_plane)?;
        let mut fleet = Self {
            connection: api.connect()?,
            nodes,
            api,
            control_plane,
            programs: Vec::new(),
            system,
        };
        fleet.prepare()?;
        Ok(fleet)
    }

    fn prepare(&mut self) -> Result<()> {
        let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut requests: Vec<_> = names.iter().map(|name| objects::node(name)).collect();
        requests.push(objects::namespace());
        self.api.send_all(&requests)?;
        self.system.install(&self.api, &names)?;
        let peers = self
            .nodes
            .iter()
            .map(|node| node.session("peer", node.receivers[0]));
        self.api.send_all(&peers.collect::<Vec<_>>())
    }

    /// Sends requests, in no order.
    pub(super) fn send_all(&self, requests: &[Request]) -> Result<()> {
        self.api.send_all(requests)
    }

    /// Sees to it that there is a connection, which the API server ends after a while of silence.
    pub(super) fn connect(&mut self) -> Result<()> {
        let namespace = Request::get("/api/v1/namespaces/default");
        if self.connection.send(&namespace).is_err() {
            self.connection = self.api.connect()?;
            self.connection.send(&namespace)?;
        }
        Ok(())
    }

    /// Sends one request, over a connection that is there.
    pub(super) fn send(&mut self, request: &Request) -> Result<()> {
        self.connection.send(request).map(drop)
    }

    /// Starts the system and waits for the sessions.
    pub(super) fn start(&mut self) -> Result<()> {
        let kubeconfig = self.api.kubeconfig();
        let plane = &self.control_plane;
        let first = self.nodes.first().context("no nodes")?;
        let mut commands = Vec::new();
        match self.system {
            System::Carillon => {
                let controller = carillon(plane, &first.name, kubeconfig, "controller")?;
                commands.push((plane, controller));
                for Node { host, name, .. } in &self.nodes {
                    commands.push((host, carillon(host, name, kubeconfig, "speaker")?));
                }
            }
            System::MetalLb => {
                let directory = metallb::directory()?.context("MetalLB is not built")?;
                commands.push((plane, metallb::controller(plane, kubeconfig, &directory)));
                for Node { host, name, .. } in &self.nodes {
                    let speaker = metallb::speaker(host, name, kubeconfig, &directory);
                    commands.push((host, speaker));
                }
            }
        }
        for (host, mut command) in commands {
            self.programs
                .push(host.spawn(self.system.name(), &mut command)?);
        }
        for node in &self.nodes {
            node.peer.established(PATIENCE)?;
        }
        Ok(())
    }

    /// The objects of the sessions that come and go.
    pub(super) fn extra_sessions(&self) -> Vec<Request> {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| node.session("extra", node.receivers[1]))
            .collect()
    }

    /// Forgets what the receivers of the lasting sessions have heard.
    pub(super) fn drain(&self) {
        self.nodes.iter().for_each(|node| node.peer.drain());
    }

    /// How many of the lasting sessions have ended within a time from now.
    pub(super) fn ended(&self, within: Duration) -> usize {
        let deadline = Instant::now() + within;
        let ended = self.nodes.iter().filter(|node| node.ended(deadline));
        ended.count()
    }
}

impl Node {
    fn new(host: Host, receivers: &Host, number: u8) -> Result<Self> {
        let addresses = [1, 2].map(|net| Ipv4Addr::new(10, 0, net, number));
        let listen = |address: Ipv4Addr| -> Result<Peer> {
            receivers.address("eth0", &[&format!("{address}/16")])?;
            let listen = || Peer::listen((address, 179).into(), objects::RECEIVER_ASN, address);
            receivers.enter(listen)?
        };
        Ok(Self {
            name: host.name().to_owned(),
            host,
            peer: listen(addresses[0])?,
            extra: listen(addresses[1])?,
            receivers: addresses,
        })
    }

    /// A session of this node alone.
    fn session(&self, name: &str, receiver: Ipv4Addr) -> Request {
        let peer = objects::peer_of(&self.name, receiver);
        let name = format!("{name}-{}", self.name);
        objects::resource("BGPPeer", &name, &Value::Null, &peer)
    }

    fn ended(&self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.peer.next(left, "anything") {
                Err(_) => return false,
                Ok(event) if matches!(event.kind, EventKind::Closed(_)) => return true,
                Ok(_) => (),
            }
        }
    }
}
