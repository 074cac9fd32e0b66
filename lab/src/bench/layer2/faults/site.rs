//! Three nodes with twelve addresses, a client that uses all of them, and a stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;

use super::outcome::{Outcome, Seen};
use super::{Daemon, Fault, System};
use crate::layer2::{
    Cluster, GOSSIP, Hostile, Responder, Segment, Station, Vrrp, endpoints, hostile_datagrams,
    service,
};
use crate::{Instance, Keepalived, Lab, wait};

/// How many addresses there are.
pub(super) const VIPS: usize = 12;
const FIRST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const NODES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Of keepalived's virtual routers, of which each node is to be the master of one.
const ROUTERS: [u8; 3] = [51, 52, 53];
/// Between two probes of an address, and two questions for it.
const TICK: Duration = Duration::from_millis(20);
/// How long the nodes are left alone before the fault: keepalived announces again 5 s after a change.
const SETTLE: Duration = Duration::from_secs(6);
/// How long is watched after the fault.
const AFTERWARDS: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);
const STRANGER: u8 = 50;
/// For how long daemons are listened to.
const RECORDING: Duration = Duration::from_secs(3);

/// A system on nodes of its own.
pub(super) struct Site {
    pub(super) system: System,
    pub(super) cluster: Cluster,
    /// The daemons in the order of the stations.
    pub(super) daemons: Vec<Daemon>,
    pub(super) stranger: Station,
    pub(super) attack: Attack,
    _responders: Vec<Responder>,
}

/// What the stranger sends.
pub(super) enum Attack {
    /// Of frames, or nothing.
    Frames,
    /// What was recorded of daemons, and worse.
    Datagrams(Hostile, Vec<Vec<u8>>),
    /// To keepalived.
    Advertisements(Vrrp),
}

/// The addresses.
pub(super) fn vips() -> impl Iterator<Item = Ipv4Addr> {
    (FIRST.to_bits()..).take(VIPS).map(Ipv4Addr::from_bits)
}

/// keepalived's virtual routers with their addresses.
pub(super) fn routers() -> Vec<(u8, Vec<Ipv4Addr>)> {
    let router = |(index, router): (usize, u8)| {
        let addresses = vips().skip(index).step_by(ROUTERS.len());
        (router, addresses.collect())
    };
    ROUTERS.into_iter().enumerate().map(router).collect()
}

impl Site {
    /// Starts a system, and waits until every address has one owner and nothing changes any more.
    pub(super) fn start(system: System, fault: Fault) -> Result<Self> {
        let lab = Lab::new()?;
        let cluster = Cluster::new(&lab, &NODES)?;
        let stranger = cluster.segment.plug(&lab, "stranger", STRANGER)?;
        let mut responders = Vec::new();
        for vip in vips() {
            responders.extend(cluster.segment.serve(vip.into())?);
        }
        let (daemons, attack) = match system {
            System::Keepalived(interval) => {
                let attack =
                    Attack::Advertisements(Vrrp::open(&stranger.host, stranger.address())?);
                (start_keepalived(&cluster, interval)?, attack)
            }
            System::Carillon(_) => start_carillon(&cluster, &stranger, fault)?,
        };
        let site = Self {
            system,
            cluster,
            daemons,
            stranger,
            attack,
            _responders: responders,
        };
        site.owners()?;
        thread::sleep(SETTLE);
        Ok(site)
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.cluster.segment
    }

    /// The one owner of each address.
    fn owners(&self) -> Result<BTreeMap<IpAddr, MacAddress>> {
        let all: Vec<IpAddr> = vips().map(IpAddr::from).collect();
        wait::until("one owner of each address", PATIENCE, || {
            let asker = self.segment().ask(&all, TICK / 10)?;
            thread::sleep(TICK * 10);
            let mut owners: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
            for (_, address, answers) in asker.stop().questions {
                let stations = answers.iter().map(|answer| answer.station);
                owners.entry(address).or_default().extend(stations);
            }
            let single = owners.iter().filter(|(_, stations)| stations.len() == 1);
            let count = single.count();
            ensure!(count == VIPS, "{count} of {VIPS} have one: {owners:?}");
            let owners = owners.into_iter();
            Ok(owners
                .filter_map(|(address, stations)| Some((address, stations.into_iter().next()?)))
                .collect())
        })
    }

    /// Lets the owner of the first address, or all nodes, suffer a fault, and looks on.
    pub(super) fn measure(&mut self, fault: Fault) -> Result<Outcome> {
        let owners = self.owners()?;
        let mac = owners.get(&FIRST.into()).context("no first address")?;
        let node = self.cluster.place(self.segment().station(*mac)?)?;
        let all: Vec<IpAddr> = owners.keys().copied().collect();
        let probe = |address| self.segment().probe(address, TICK);
        let probers = all.iter().map(|address| probe(*address));
        let probers = probers.collect::<Result<Vec<_>>>()?;
        // The client's kernel asks for the neighbours at the first probe.
        thread::sleep(TICK * 10);
        let start = Instant::now();
        let asker = self.segment().ask(&all, TICK / u32::try_from(VIPS)?)?;
        fault.inflict(self, node)?;
        thread::sleep(AFTERWARDS);
        let answers = asker.stop();
        let seen = probers.into_iter().zip(&owners);
        let seen: Vec<_> = seen
            .map(|(prober, (address, owner))| Seen {
                address: *address,
                is_its_own: fault.is_of_a_node() && owner == mac,
                probes: prober.stop().since(start),
            })
            .collect();
        Ok(Outcome::of(&seen, &answers, TICK))
    }
}

fn start_keepalived(cluster: &Cluster, interval: &str) -> Result<Vec<Daemon>> {
    let stations = cluster.segment.stations.iter().enumerate();
    let start = |(place, station): (usize, &Station)| {
        let instances = routers().into_iter().zip(priorities().skip(place));
        let instances = instances.map(|((router, addresses), priority)| Instance {
            router,
            priority,
            addresses,
        });
        let instances: Vec<_> = instances.collect();
        let daemon = Keepalived::start_all(&station.host, &instances, interval);
        daemon.map(Daemon::Keepalived)
    };
    stations.map(start).collect()
}

/// Each router's at the first node; at the next node, from the second on.
fn priorities() -> impl Iterator<Item = u8> {
    [100, 99, 98].into_iter().cycle()
}

fn start_carillon(
    cluster: &Cluster,
    stranger: &Station,
    fault: Fault,
) -> Result<(Vec<Daemon>, Attack)> {
    for station in &cluster.segment.stations {
        for vip in vips() {
            station.accept(vip.into())?;
        }
    }
    let mut text = String::new();
    for vip in vips() {
        let name = format!("s{}", vip.to_string().replace('.', "-"));
        let slice = endpoints(&name, vip.into(), &NODES);
        let _ = write!(text, "{}{slice}", service(&name, vip.into(), ""));
    }
    let hostile = match fault {
        Fault::Flood => Some(Hostile::open(&stranger.host, stranger.address())?),
        _ => None,
    };
    let seed = format!("{}:{GOSSIP}", stranger.address());
    let join = ["--join", &seed];
    let options = if hostile.is_some() { &join[..] } else { &[] };
    let daemons = cluster.start_all(options)?;
    // They know each other before there is an address to have.
    thread::sleep(RECORDING);
    cluster.write("services.yaml", &text)?;
    let attack = hostile.map_or(Attack::Frames, |hostile| {
        let recorded = hostile.record(RECORDING);
        Attack::Datagrams(hostile, hostile_datagrams(&recorded))
    });
    let daemons = daemons.into_iter().map(Daemon::Carillon);
    Ok((daemons.collect(), attack))
}
