//! Three nodes that share an address, and a client that uses it.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::layer2::{Cluster, GOSSIP, Meter, Prober, Responder, Segment, Station};
use crate::{Carillon, Keepalived, Lab, Process, wait};

/// The address that moves.
pub(super) const VIP: IpAddr = IpAddr::V4(SHARED);
const SHARED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
/// How long a change may take before the benchmark fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long nodes are left alone after a disturbance: keepalived announces again 5 s after a
/// change.
const REST: Duration = Duration::from_secs(6);
/// For how long answers come from one host, without loss, until they count as steady.
const STEADY: Duration = Duration::from_millis(300);

/// Of Carillon: what is measured are moves for a reason, so nothing goes back to where it was.
pub(super) const OPTIONS: [&str; 2] = ["--rebalance-after", "0s"];

/// What moves the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// keepalived with this `advert_int`, in seconds.
    Keepalived(&'static str),
    /// Carillon, with this `--heartbeat-interval` or as it comes.
    Carillon(Option<&'static str>),
}

impl System {
    /// The name in tables.
    pub(super) fn name(self) -> String {
        match self {
            Self::Keepalived(interval) => format!("keepalived, advert_int {interval}"),
            Self::Carillon(None) => "Carillon".to_owned(),
            Self::Carillon(Some(interval)) => format!("Carillon, heartbeats of {interval}"),
        }
    }
}

/// A daemon of one node.
pub(super) enum Daemon {
    Keepalived(Keepalived),
    Carillon(Carillon),
}

impl Daemon {
    pub(super) fn process(&mut self) -> &mut Process {
        match self {
            Self::Keepalived(daemon) => &mut daemon.process,
            Self::Carillon(daemon) => &mut daemon.process,
        }
    }

    pub(super) fn restart(&mut self) -> Result<()> {
        match self {
            Self::Keepalived(daemon) => daemon.restart(),
            Self::Carillon(daemon) => daemon.restart(),
        }
    }
}

/// A system on nodes of its own, in a lab of its own.
pub(super) struct Entrant {
    pub(super) system: System,
    pub(super) cluster: Cluster,
    /// The daemons, in the order of the stations.
    pub(super) daemons: Vec<Daemon>,
    /// What they send to each other, in the same order.
    pub(super) meters: Vec<Meter>,
    disturbed: Instant,
    _responders: Vec<Responder>,
}

impl Entrant {
    /// Starts a system on nodes with these names.
    pub(super) fn start(system: System, nodes: &[&str]) -> Result<Self> {
        let cluster = Cluster::new(&Lab::new()?, nodes)?;
        let daemons = match system {
            System::Keepalived(interval) => start_keepalived(&cluster.segment.stations, interval)?,
            System::Carillon(interval) => start_carillon(&cluster, interval)?,
        };
        Self::of(system, cluster, daemons)
    }

    /// The same of daemons that run already.
    pub(super) fn of(system: System, cluster: Cluster, daemons: Vec<Daemon>) -> Result<Self> {
        let stations = &cluster.segment.stations;
        let responders = cluster.segment.serve(VIP)?;
        let what = match system {
            System::Keepalived(_) => Keepalived::PACKETS.to_owned(),
            System::Carillon(_) => format!("udp dport {GOSSIP}"),
        };
        let meters = stations.iter().map(|s| Meter::start(&s.host, &what));
        let meters = meters.collect::<Result<_>>()?;
        Ok(Self {
            system,
            cluster,
            daemons,
            meters,
            disturbed: Instant::now(),
            _responders: responders,
        })
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.cluster.segment
    }

    /// Says that the nodes were disturbed: they have a rest before [`Entrant::owner`] returns.
    pub(super) fn disturb(&mut self) {
        self.disturbed = Instant::now();
    }

    /// The place of the node that has the address, when all are at rest again.
    pub(super) fn owner(&self) -> Result<usize> {
        thread::sleep((self.disturbed + REST).saturating_duration_since(Instant::now()));
        let owner = self.segment().await_owner(VIP, PATIENCE)?;
        self.cluster.place(owner)
    }

    pub(super) fn station(&self, place: usize) -> Result<&Station> {
        let station = self.segment().stations.get(place);
        station.with_context(|| format!("no node {place}"))
    }

    pub(super) fn daemon(&mut self, place: usize) -> Result<&mut Daemon> {
        let daemon = self.daemons.get_mut(place);
        daemon.with_context(|| format!("no daemon {place}"))
    }

    /// Probes the address, and returns when it is answered by the node in this place.
    pub(super) fn probe(&self, interval: Duration, place: usize) -> Result<Prober> {
        let prober = self.segment().probe(VIP, interval)?;
        let number = Segment::await_steady(&prober, STEADY, PATIENCE)?;
        let expected = self.station(place)?.number;
        ensure!(number == expected, "answered by {number}, not {expected}");
        Ok(prober)
    }

    /// Waits until another node than this one answers.
    pub(super) fn await_other(&self, prober: &Prober, place: usize) -> Result<()> {
        let owner = self.station(place)?.number;
        wait::until("another node to answer", PATIENCE, || {
            let number = prober
                .probes()
                .steady(STEADY)
                .context("no steady answers")?;
            ensure!(number != owner, "the old one answers");
            Ok(())
        })
    }
}

fn start_keepalived(stations: &[Station], interval: &str) -> Result<Vec<Daemon>> {
    let priorities = (1..=100).rev();
    let start = |(station, priority): (&Station, u8)| {
        let daemon = Keepalived::start(&station.host, SHARED, priority, interval);
        daemon.map(Daemon::Keepalived)
    };
    stations.iter().zip(priorities).map(start).collect()
}

/// Makes the address a service of every node, which Carillon does not assign.
pub(super) fn serve(cluster: &Cluster) -> Result<()> {
    for station in &cluster.segment.stations {
        station.accept(VIP)?;
    }
    cluster.serve("web", VIP)
}

fn start_carillon(cluster: &Cluster, interval: Option<&str>) -> Result<Vec<Daemon>> {
    serve(cluster)?;
    let mut options = OPTIONS.to_vec();
    options.extend(
        interval
            .iter()
            .flat_map(|interval| ["--heartbeat-interval", interval]),
    );
    let daemons = cluster.start_all(&options)?;
    Ok(daemons.into_iter().map(Daemon::Carillon).collect())
}
