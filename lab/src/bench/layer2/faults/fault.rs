//! The faults, and how they are made.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::site::{Attack, Site, routers, vips};
use super::{Daemon, System};
use crate::layer2::{Advertisement, GOSSIP, Station, flood, forge, lowest_mark};
use crate::{Host, Keepalived};

/// How many packets of a flood there are in a second.
const RATE: u32 = 20_000;
/// Between two forged frames.
const SELDOM: Duration = Duration::from_secs(3);
const OFTEN: Duration = Duration::from_millis(100);
/// Every node stands still for a moment, one after the other.
const STALL: Duration = Duration::from_millis(300);
const BETWEEN_STALLS: Duration = Duration::from_secs(4);
/// The priority of the owner of the addresses, in VRRP.
const OWNER: u8 = 255;

/// What happens to a node, or to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A stranger says that it has addresses, and does not answer for them.
    Forged(Forgery),
    /// Packets are lost.
    Filtered(Filter),
    /// A node's transmit queue does not drain.
    StuckQueue,
    /// A node's own address is taken off its interface.
    LostAddress,
    /// A stranger sends a node very many replayed, forged and senseless packets.
    Flood,
    /// The daemon of a node stands still.
    Stopped,
    /// One packet of ten between the daemons is lost, and nodes stand still for a moment.
    Lossy,
}

/// How often is forged, and for which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    /// Once for one.
    Once,
    /// Every 3 s for one.
    Seldom,
    /// Ten times in a second for all.
    Often,
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// All to a node.
    Deaf,
    /// All from a node.
    Dumb,
    /// Those of other daemons to a node.
    GossipUnheard,
    /// Those of daemons between a node and all others.
    GossipSplit,
}

impl Fault {
    /// In the order of the table.
    pub(super) const ALL: [Self; 12] = [
        Self::Forged(Forgery::Once),
        Self::Forged(Forgery::Seldom),
        Self::Forged(Forgery::Often),
        Self::Filtered(Filter::Deaf),
        Self::Filtered(Filter::Dumb),
        Self::Filtered(Filter::GossipUnheard),
        Self::Filtered(Filter::GossipSplit),
        Self::StuckQueue,
        Self::LostAddress,
        Self::Flood,
        Self::Stopped,
        Self::Lossy,
    ];

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Forged(Forgery::Once) => "one forged frame",
            Self::Forged(Forgery::Seldom) => "a forged frame every 3 s",
            Self::Forged(Forgery::Often) => "forged frames, 10/s for each address",
            Self::Filtered(Filter::Deaf) => "a node that does not hear",
            Self::Filtered(Filter::Dumb) => "a node that is not heard",
            Self::Filtered(Filter::GossipUnheard) => "one node hears no gossip",
            Self::Filtered(Filter::GossipSplit) => "gossip split",
            Self::StuckQueue => "a stuck transmit queue",
            Self::LostAddress => "a node loses its IPv4 address",
            Self::Flood => "20 000 hostile packets/s",
            Self::Stopped => "a daemon stopped for 5 s",
            Self::Lossy => "10 % loss, stalls of 300 ms",
        }
    }

    /// How long it lasts.
    fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Stopped => 5,
            Self::Forged(Forgery::Once) | Self::Flood => 10,
            Self::Forged(Forgery::Seldom | Forgery::Often)
            | Self::Filtered(Filter::Dumb | Filter::GossipUnheard | Filter::GossipSplit)
            | Self::StuckQueue
            | Self::LostAddress => 20,
            Self::Lossy => 60,
            Self::Filtered(Filter::Deaf) => 80,
        })
    }

    /// Whether a node suffers it that cannot serve its addresses meanwhile: others are to have them.
    pub(super) fn is_of_a_node(self) -> bool {
        match self {
            Self::Filtered(filter) => matches!(filter, Filter::Deaf | Filter::Dumb),
            Self::StuckQueue | Self::LostAddress | Self::Stopped => true,
            Self::Forged(_) | Self::Flood | Self::Lossy => false,
        }
    }

    /// Lets it happen to a node, or to all, and end.
    pub(super) fn inflict(self, site: &mut Site, place: usize) -> Result<()> {
        let time = self.time();
        let stations = &site.cluster.segment.stations;
        let node = stations.get(place).context("no such node")?;
        match self {
            Self::Forged(forgery) => forgery.inflict(site, node, time),
            Self::Filtered(filter) => filter.inflict(site, node, time),
            Self::StuckQueue => stuck(&node.host, time),
            Self::LostAddress => {
                let own = format!("{}/24 dev eth0", node.address());
                node.host.ip(&format!("address delete {own}"))?;
                thread::sleep(time);
                node.host.ip(&format!("address add {own}")).map(drop)
            }
            Self::Flood => flood_for(site, node, time),
            Self::Stopped => stand_still(&mut site.daemons, place, time),
            Self::Lossy => {
                let packets = packets(site.system);
                let tenth = format!(
                    "type filter hook input priority 0; {packets} numgen random mod 10 == 0 drop;"
                );
                let hosts: Vec<_> = stations.iter().map(|station| &station.host).collect();
                let mut places = (0..stations.len()).cycle();
                let daemons = &mut site.daemons;
                filtered(&hosts, "inet", &[&tenth], || {
                    repeat(time, BETWEEN_STALLS, || {
                        stand_still(daemons, places.next().unwrap_or_default(), STALL)
                    })
                })
            }
        }
    }
}

impl Forgery {
    fn inflict(self, site: &Site, owner: &Station, time: Duration) -> Result<()> {
        let first = vips().next().context("no addresses")?;
        let (interval, addresses) = match self {
            Self::Once => (time, vec![first]),
            Self::Seldom => (SELDOM, vec![first]),
            Self::Often => (OFTEN, vips().collect()),
        };
        repeat(time, interval, || forge_claims(site, owner, &addresses))
    }
}

impl Filter {
    fn inflict(self, site: &Site, node: &Station, time: Duration) -> Result<()> {
        let packets = packets(site.system);
        let drop = |hook: &str| format!("type filter hook {hook} priority 0; {packets} drop;");
        let drop_all =
            |port: &str| format!("type filter hook ingress device {port} priority 0; drop;");
        let (host, family, chains) = match self {
            Self::Deaf => (&node.host, "netdev", vec![drop_all("eth0")]),
            Self::Dumb => {
                let switch = site.segment().lan.host();
                (switch, "netdev", vec![drop_all(node.cable.port())])
            }
            Self::GossipUnheard => (&node.host, "inet", vec![drop("input")]),
            Self::GossipSplit => (&node.host, "inet", vec![drop("input"), drop("output")]),
        };
        let chains: Vec<_> = chains.iter().map(String::as_str).collect();
        filtered(&[host], family, &chains, || {
            thread::sleep(time);
            Ok(())
        })
    }
}

/// The packets between daemons, for nftables.
fn packets(system: System) -> String {
    match system {
        System::Keepalived(_) => Keepalived::PACKETS.to_owned(),
        System::Carillon(_) => format!("udp dport {GOSSIP}"),
    }
}

fn repeat(time: Duration, interval: Duration, mut what: impl FnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + time;
    let mut next = Instant::now();
    while next < end {
        what()?;
        next += interval;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Does something while these chains are in force on some hosts.
fn filtered(
    hosts: &[&Host],
    family: &str,
    chains: &[&str],
    what: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let chains = chains.iter().enumerate();
    let chains = chains.map(|(number, rules)| format!("chain c{number} {{ {rules} }}\n"));
    let chains: String = chains.collect();
    for host in hosts {
        host.nft(&format!("table {family} fault {{\n{chains}}}\n"))?;
    }
    what()?;
    for host in hosts {
        host.nft(&format!("delete table {family} fault\n"))?;
    }
    Ok(())
}

/// Says that a stranger has these addresses: to their owner in Carillon's way, to all in that of VRRP.
fn forge_claims(site: &Site, owner: &Station, addresses: &[Ipv4Addr]) -> Result<()> {
    if let Attack::Advertisements(vrrp) = &site.attack {
        for (router, its) in routers() {
            if its.iter().any(|address| addresses.contains(address)) {
                vrrp.advertise(&Advertisement {
                    router,
                    priority: OWNER,
                    addresses: its,
                })?;
            }
        }
        return Ok(());
    }
    let mark = lowest_mark()?;
    let targets = if addresses.len() > 1 {
        site.segment().stations.iter().collect()
    } else {
        vec![owner]
    };
    for to in targets {
        for address in addresses {
            let claim = (*address, site.stranger.mac);
            forge(&site.stranger, to, claim, Some(&mark))?;
        }
    }
    Ok(())
}

/// One octet leaves in a second.
fn stuck(host: &Host, time: Duration) -> Result<()> {
    let words = "qdisc add dev eth0 root tbf rate 8bit burst 128 limit 1000000";
    host.run("tc", words.split(' '))?;
    thread::sleep(time);
    host.run("tc", "qdisc delete dev eth0 root".split(' '))?;
    Ok(())
}

fn stand_still(daemons: &mut [Daemon], place: usize, time: Duration) -> Result<()> {
    let process = daemons.get_mut(place).context("no such daemon")?.process();
    process.signal_group(Signal::SIGSTOP)?;
    thread::sleep(time);
    process.signal_group(Signal::SIGCONT)
}

fn flood_for(site: &Site, node: &Station, time: Duration) -> Result<()> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(time);
            ended.store(true, Ordering::Relaxed);
        });
        match &site.attack {
            Attack::Frames => bail!("nothing was recorded to send"),
            Attack::Datagrams(hostile, datagrams) => {
                let target = (node.address(), GOSSIP).into();
                hostile.flood(RATE, &[target], datagrams, &ended);
            }
            Attack::Advertisements(vrrp) => {
                let advertisements =
                    routers()
                        .into_iter()
                        .map(|(router, addresses)| Advertisement {
                            router,
                            priority: OWNER,
                            addresses,
                        });
                let advertisements: Vec<_> = advertisements.collect();
                let mut next = advertisements.iter().cycle();
                flood(RATE, &ended, || {
                    // What does not fit into the buffer of the kernel is lost.
                    let _ = next.next().map(|next| vrrp.advertise_damaged(next));
                });
            }
        }
        Ok(())
    })
}
