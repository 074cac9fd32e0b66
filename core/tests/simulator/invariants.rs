//! What must hold at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::ownership::Scope;

use crate::schedule::{Kind, SETTLING};
use crate::segment;
use crate::world::World;

/// After how long without a disturbance there is one owner of each VIP, and everybody knows it.
pub(crate) const AGREEMENT: Duration = Duration::from_secs(5);
/// How long a VIP has no owner at most while there is a node that could be it, after the last
/// disturbance.
pub(crate) const FAILOVER: Duration = Duration::from_secs(3);
/// How long a VIP is off the air at most, or elsewhere, while nothing is wrong with the node that has
/// had it.
const GAP: Duration = Duration::from_millis(400);
/// How long two nodes at most have one VIP on a segment where they hear each other.
const OVERLAP: Duration = Duration::from_millis(1500);
/// How often it is looked whether all agree: everybody is asked about everything.
const SURVEY: Duration = Duration::from_millis(20);

/// What has been seen so far.
#[derive(Debug)]
pub(crate) struct Invariants {
    kind: Kind,
    /// The version of the world that was looked at last.
    version: Option<u64>,
    unserved: BTreeMap<IpAddr, Instant>,
    owners: BTreeMap<IpAddr, BTreeSet<usize>>,
    /// The node that has each VIP as long as nothing is wrong with it.
    homes: BTreeMap<IpAddr, Home>,
    /// Since when two have a VIP on one segment.
    doubled: BTreeMap<IpAddr, Instant>,
    /// When it is to be looked next whether all agree.
    survey: Option<Instant>,
    /// The longest time without agreement, and that without an owner of a VIP.
    pub(crate) longest_disorder: Duration,
    pub(crate) longest_outage: Duration,
    /// The longest time that a VIP was not where nothing was wrong.
    pub(crate) longest_absence: Duration,
}

/// Where a VIP is to stay.
#[derive(Clone, Copy, Debug)]
struct Home {
    node: usize,
    /// Since when it is not there.
    absent: Option<Instant>,
}

impl Invariants {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            version: None,
            unserved: BTreeMap::new(),
            owners: BTreeMap::new(),
            homes: BTreeMap::new(),
            doubled: BTreeMap::new(),
            survey: None,
            longest_disorder: Duration::ZERO,
            longest_outage: Duration::ZERO,
            longest_absence: Duration::ZERO,
        }
    }

    /// Looks at the world after a step.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&mut self, world: &World) -> Result<(), String> {
        if let Some(violation) = &world.violation {
            return Err(violation.clone());
        }
        let now = world.now();
        if self.version != Some(world.version) {
            self.version = Some(world.version);
            self.look(world)?;
        }
        for (vip, since) in &self.unserved {
            let outage = now.saturating_duration_since((*since).max(world.disturbed));
            self.longest_outage = self.longest_outage.max(outage);
            if outage > FAILOVER {
                return Err(format!("nobody has {vip} for {outage:?}"));
            }
        }
        match self.kind {
            Kind::Forged | Kind::OneWay | Kind::Gossip | Kind::Paused => {
                self.check_homes(world)?;
            }
            Kind::Calm | Kind::Planned | Kind::Wild => {}
        }
        self.check_agreement(world)
    }

    /// Whether each VIP stays where nothing is wrong, whatever happens elsewhere.
    fn check_homes(&mut self, world: &World) -> Result<(), String> {
        let now = world.now();
        for (vip, home) in &self.homes {
            let absence = home.absent.map_or(Duration::ZERO, |since| now - since);
            self.longest_absence = self.longest_absence.max(absence);
            if absence > GAP {
                let name = &world.nodes[home.node].name;
                return Err(format!(
                    "{name} is well and has not had {vip} for {absence:?}"
                ));
            }
        }
        for (vip, since) in &self.doubled {
            let overlap = now - *since;
            if overlap > OVERLAP {
                return Err(format!("two have {vip} for {overlap:?}"));
            }
        }
        Ok(())
    }

    /// Finds out where each VIP has been until now.
    fn look_for_homes(&mut self, world: &World) {
        let now = world.now();
        for vip in world.scopes.keys() {
            let servers = servers(world, *vip);
            if let [one, other, ..] = servers.as_slice()
                && is_between(world, *one, *other)
            {
                self.doubled.entry(*vip).or_insert(now);
            } else {
                self.doubled.remove(vip);
            }
            if let Some(home) = self.homes.get_mut(vip)
                && is_well(world, home.node)
            {
                let absent = home.absent.unwrap_or(now);
                home.absent = (!servers.contains(&home.node)).then_some(absent);
                continue;
            }
            match servers.as_slice() {
                [only] => {
                    let node = *only;
                    let home = Home { node, absent: None };
                    self.homes.insert(*vip, home);
                }
                _ => drop(self.homes.remove(vip)),
            }
        }
    }

    fn look(&mut self, world: &World) -> Result<(), String> {
        let now = world.now();
        let is_settled = now > world.start + SETTLING;
        for vip in world.scopes.keys() {
            let owners = announcers(world, *vip);
            let is_served = owners.iter().any(|node| !is_isolated(world, *node));
            let is_wanted = || (0..world.nodes.len()).any(|node| could_have(world, node, *vip));
            if is_served || !is_wanted() {
                self.unserved.remove(vip);
            } else {
                self.unserved.entry(*vip).or_insert(now);
            }
            let before = self.owners.insert(*vip, owners.clone());
            let before = before.filter(|_| is_settled);
            match (self.kind, before) {
                (Kind::Calm, Some(before)) if before != owners => {
                    return Err(format!("{vip} moved from {before:?} to {owners:?}"));
                }
                (Kind::Planned, Some(_)) if owners.is_empty() => {
                    return Err(format!("nobody has {vip} in a planned move"));
                }
                (
                    Kind::Calm
                    | Kind::Planned
                    | Kind::Wild
                    | Kind::Forged
                    | Kind::OneWay
                    | Kind::Gossip
                    | Kind::Paused,
                    _,
                ) => {}
            }
        }
        if is_settled {
            self.look_for_homes(world);
        }
        self.unserved
            .retain(|vip, _| world.scopes.contains_key(vip));
        Ok(())
    }

    /// Whether there is one owner of each VIP that everybody knows, if it is time for that.
    fn check_agreement(&mut self, world: &World) -> Result<(), String> {
        let now = world.now();
        let is_early = now < world.start + SETTLING || self.survey.is_some_and(|next| now < next);
        if is_early || !is_whole(world) {
            return Ok(());
        }
        self.survey = Some(now + SURVEY);
        let quiet = now.saturating_duration_since(world.disturbed);
        match agreement(world) {
            Ok(()) => Ok(()),
            Err(_) if quiet <= AGREEMENT => {
                self.longest_disorder = self.longest_disorder.max(quiet);
                Ok(())
            }
            Err(why) => Err(format!("{quiet:?} after the last disturbance: {why}")),
        }
    }
}

/// The nodes that announce a VIP.
fn announcers(world: &World, vip: IpAddr) -> BTreeSet<usize> {
    let nodes = world.nodes.iter().enumerate();
    let announcers = nodes.filter(|(_, one)| one.announces(vip));
    announcers.map(|(node, _)| node).collect()
}

/// The nodes from which somebody on their segment hears who asks for a VIP.
fn servers(world: &World, vip: IpAddr) -> Vec<usize> {
    let nodes = world.nodes.iter().enumerate();
    let servers = nodes.filter(|(_, one)| one.serves(vip, world.now()));
    servers.map(|(node, _)| node).collect()
}

/// Whether two nodes hear each other on a segment that both are on.
fn is_between(world: &World, one: usize, other: usize) -> bool {
    let mut ways = [(one, other), (other, one)].into_iter();
    ways.all(|way| !world.wire_cuts.contains(&way))
}

/// Nothing is wrong with a node, but perhaps with what it hears of others.
fn is_well(world: &World, node: usize) -> bool {
    let one = &world.nodes[node];
    let is_awake = one.stalled_until.is_none_or(|until| until <= world.now());
    let is_up = one.daemon.as_ref().is_some_and(|daemon| !daemon.is_leaving);
    let mut nics = one.nics.values();
    let is_heard = nics.all(|nic| nic.has_carrier && !nic.is_deaf && !nic.is_dumb);
    is_awake && is_up && is_heard && !one.is_draining
}

/// Nobody is cut off from anybody, and every daemon runs and may have VIPs.
fn is_whole(world: &World) -> bool {
    world.gossip_cuts.is_empty()
        && world.wire_cuts.is_empty()
        && world.network.link.loss <= 0.1
        && (0..world.nodes.len()).all(|node| is_well(world, node))
}

/// # Errors
/// There is not one owner of a VIP, or somebody does not know it.
fn agreement(world: &World) -> Result<(), String> {
    for (vip, scope) in &world.scopes {
        let owners = announcers(world, *vip);
        let everybody: BTreeSet<usize> = (0..world.nodes.len()).collect();
        let eligible = eligible(world, &everybody, *vip, scope);
        let names = |nodes: &BTreeSet<usize>| {
            let names = nodes.iter().map(|node| &*world.nodes[*node].name);
            names.collect::<Vec<_>>().join(", ")
        };
        if owners.len() > 1 || (owners.is_empty() && !eligible.is_empty()) {
            return Err(format!("the owners of {vip} are: {}", names(&owners)));
        }
        if !owners.is_subset(&eligible) {
            let (owners, eligible) = (names(&owners), names(&eligible));
            return Err(format!("{owners} has {vip}, which is for {eligible}"));
        }
        let Some(owner) = owners.first() else {
            continue;
        };
        let name = &world.nodes[*owner].name;
        for one in &world.nodes {
            let daemon = one.daemon.as_ref();
            let believed = daemon.and_then(|daemon| daemon.owner(*vip));
            if believed.as_ref() != Some(name) {
                let who = &one.name;
                return Err(format!(
                    "{who} takes {believed:?} for the owner of {vip}, which {name} has"
                ));
            }
        }
    }
    Ok(())
}

/// Those of these nodes that a VIP is for: of the ones in its scope those on its subnet, or all if
/// there are none.
fn eligible(world: &World, nodes: &BTreeSet<usize>, vip: IpAddr, scope: &Scope) -> BTreeSet<usize> {
    let subnet = segment::of_vip(vip);
    let in_scope = nodes.iter().copied().filter(|node| {
        let one = &world.nodes[*node];
        one.has_carrier() && one.daemon.is_some() && scope.contains(&one.name)
    });
    let in_scope: BTreeSet<usize> = in_scope.collect();
    let is_near = |node: &usize| {
        let mut nics = world.nodes[*node].nics.values();
        nics.any(|nic| nic.segment == subnet)
    };
    let near: BTreeSet<usize> = in_scope.iter().copied().filter(is_near).collect();
    if near.is_empty() { in_scope } else { near }
}

/// No other node gets anything from it.
fn is_isolated(world: &World, node: usize) -> bool {
    let one = &world.nodes[node];
    let mut others = (0..world.nodes.len()).filter(|other| *other != node);
    !one.has_carrier()
        || one.daemon.is_none()
        || others.all(|other| {
            let way = (node, other);
            world.gossip_cuts.contains(&way) && world.wire_cuts.contains(&way)
        })
}

/// Whether a node should take a VIP that nobody has: it may, it knows that, and nothing stands
/// between it and any other that is not isolated.
fn could_have(world: &World, node: usize, vip: IpAddr) -> bool {
    let present = |node: &usize| !is_isolated(world, *node);
    let present: BTreeSet<usize> = (0..world.nodes.len()).filter(present).collect();
    let is_clear = |other: &usize| {
        let mut ways = [(node, *other), (*other, node)].into_iter();
        ways.all(|way| !world.gossip_cuts.contains(&way) && !world.wire_cuts.contains(&way))
    };
    let one = &world.nodes[node];
    let Some(scope) = world.scopes.get(&vip) else {
        return false;
    };
    let daemon = one.daemon.as_ref();
    present.contains(&node)
        && !one.is_draining
        && present.iter().all(is_clear)
        && eligible(world, &present, vip, scope).contains(&node)
        && daemon.is_some_and(|daemon| !daemon.is_leaving && daemon.is_able(vip))
}
