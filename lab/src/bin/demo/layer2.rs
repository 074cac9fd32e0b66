//! The walk-through of layer 2, step by step. Every step checks what it shows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::{Cluster, Prober, Responder, Segment, Station};
use carillon_lab::{Carillon, Lab, wait};
use serde_json::Value;

use crate::looks::SOON;
use crate::page;

const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
/// The nodes have the address while they announce it.
const ASSIGN: [&str; 2] = ["--assign-vips", "lo"];
const TICK: Duration = Duration::from_millis(1);
/// For how long one node answers before it counts as the one.
const STEADY: Duration = Duration::from_millis(300);

/// What stands after the walk.
pub(crate) struct Stage {
    cluster: Cluster,
    daemons: Vec<Carillon>,
    _responders: Vec<Responder>,
}

/// Plays all steps and returns what then stands.
pub(crate) fn walk(lab: &Lab) -> Result<Stage> {
    page::step("Three nodes and a client on one segment; Carillon starts on each node");
    let stage = Stage::start(lab)?;

    page::step("The service is created, and one node announces its address");
    stage.cluster.serve("web", VIP)?;
    let first = stage.owner()?;
    stage.look(first)?;
    page::met(&format!("{} has {VIP}", first.host.name()));

    page::step("The cable of that node is cut, while the client asks every millisecond");
    let second = stage.cut(first)?;

    page::step("The cable is mended: the address stays where it is");
    first.cable.mend()?;
    stage.await_members()?;
    let owner = stage.owner()?;
    ensure!(owner.number == second.number, "it went back");
    stage.look(owner)?;
    page::met(&format!("{} still has it", owner.host.name()));

    page::step("That node is drained: it gives the address to another, and nothing is lost");
    stage.drain(second)?;
    Ok(stage)
}

impl Stage {
    fn start(lab: &Lab) -> Result<Self> {
        let cluster = Cluster::new(lab, &NODES)?;
        let responders = cluster.segment.serve(VIP)?;
        page::drawing_layer2();
        let daemons = cluster.start_all(&ASSIGN)?;
        let stage = Self {
            cluster,
            daemons,
            _responders: responders,
        };
        stage.await_members()?;
        page::met("the three know each other");
        Ok(stage)
    }

    fn owner(&self) -> Result<&Station> {
        self.cluster.segment.await_owner(VIP, SOON)
    }

    fn daemon(&self, station: &Station) -> Result<&Carillon> {
        let daemon = self.daemons.get(self.cluster.place(station)?);
        daemon.context("no daemon")
    }

    /// Waits until every daemon knows all nodes.
    fn await_members(&self) -> Result<()> {
        wait::until("the nodes to know each other", SOON, || {
            for daemon in &self.daemons {
                let status = daemon.status()?;
                let nodes = status.get("nodes").and_then(Value::as_array);
                let nodes = nodes.context("no nodes")?;
                let able = nodes
                    .iter()
                    .filter(|node| node.get("why_none").is_none_or(Value::is_null));
                ensure!(able.count() == NODES.len(), "{nodes:?}");
            }
            Ok(())
        })
    }

    /// Shows what the owner says, and what the client's kernel has learned.
    fn look(&self, owner: &Station) -> Result<()> {
        let daemon = self.daemon(owner)?;
        let line = format!("carillon status --socket {}", daemon.socket().display());
        let prompt = format!("[root@{} ~]#", owner.host.name());
        page::command(&prompt, &line, &daemon.status_text()?);
        self.neighbor(owner)
    }

    /// Shows the client's entry for the address, which is this node's.
    fn neighbor(&self, owner: &Station) -> Result<()> {
        let client = &self.cluster.segment.client;
        let reach = || client.run("ping", ["-c", "1", "-W", "1", &VIP.to_string()]);
        wait::until("the client to reach it", SOON, reach)?;
        let mac = client.neighbor(VIP)?;
        ensure!(mac == owner.mac, "the client sends to {mac}");
        let line = format!("neigh show {VIP}");
        page::command(
            "[root@client ~]#",
            &format!("ip {line}"),
            &client.ip(&line)?,
        );
        Ok(())
    }

    fn probe(&self, owner: &Station) -> Result<Prober> {
        let prober = self.cluster.segment.probe(VIP, TICK)?;
        let number = Segment::await_steady(&prober, STEADY, SOON)?;
        ensure!(number == owner.number, "{number} answers");
        Ok(prober)
    }

    /// Cuts a node off; returns who has the address then.
    fn cut(&self, owner: &Station) -> Result<&Station> {
        let prober = self.probe(owner)?;
        let cut = Instant::now();
        owner.cable.cut()?;
        await_other(&prober, owner)?;
        let probes = prober.stop().since(cut);
        let outage = probes.outage();
        let next = self.owner()?;
        self.neighbor(next)?;
        let name = next.host.name();
        page::met(&format!(
            "{name} has {VIP} now; the client had no answer for {} ms",
            outage.as_millis()
        ));
        Ok(next)
    }

    fn drain(&self, owner: &Station) -> Result<()> {
        let prober = self.probe(owner)?;
        let daemon = self.daemon(owner)?;
        let line = format!("carillon drain --socket {}", daemon.socket().display());
        let prompt = format!("[root@{} ~]#", owner.host.name());
        page::command(&prompt, &line, &daemon.tell("drain", &[])?);
        await_other(&prober, owner)?;
        let probes = prober.stop();
        let next = self.owner()?;
        self.neighbor(next)?;
        ensure!(probes.lost() == 0, "{} probes were lost", probes.lost());
        page::met(&format!(
            "{} has {VIP} now; of {} probes, none was lost",
            next.host.name(),
            probes.sent()
        ));
        Ok(())
    }

    /// How to use a lab that was left standing.
    pub(crate) fn look_around(&self) -> Result<()> {
        let carillon = carillon_lab::binary()?;
        let carillon = carillon.display();
        let client = self.cluster.segment.client.namespace();
        page::step("The lab stands. Look around:");
        println!("ip netns exec {client} ping {VIP}");
        println!("ip netns exec {client} ip neigh");
        for daemon in &self.daemons {
            println!("{carillon} status --socket {}", daemon.socket().display());
        }
        println!("\nMove the address, and let all nodes have it again:\n");
        let daemon = self.daemons.first().context("no daemon")?;
        let socket = daemon.socket().display();
        println!("{carillon} move {VIP} {} --socket {socket}", NODES[0]);
        for daemon in &self.daemons {
            println!("{carillon} undrain --socket {}", daemon.socket().display());
        }
        println!("\nRemove the lab:\n\nmake demo-layer2-clean");
        Ok(())
    }
}

fn await_other(prober: &Prober, owner: &Station) -> Result<()> {
    wait::until("another node to answer", SOON, || {
        let number = prober.probes().steady(STEADY).context("nobody does")?;
        ensure!(number != owner.number, "the old one does");
        Ok(())
    })
}
