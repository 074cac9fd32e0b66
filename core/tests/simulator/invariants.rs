//! What must hold at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::ownership::{Holding, Scope};

use crate::schedule::{Kind, SETTLING};
use crate::speaker::Speaker;
use crate::world::World;

/// After how long without a disturbance there is one owner of each VIP, and everybody knows it.
pub(crate) const AGREEMENT: Duration = Duration::from_secs(5);
/// How long a VIP has no owner at most while there is a node that could be it, after the last
/// disturbance.
pub(crate) const FAILOVER: Duration = Duration::from_secs(3);

/// What has been seen so far.
#[derive(Debug)]
pub(crate) struct Invariants {
    kind: Kind,
    /// The version of the world that was looked at last.
    version: Option<u64>,
    unserved: BTreeMap<IpAddr, Instant>,
    owners: BTreeMap<IpAddr, BTreeSet<usize>>,
    /// The longest time without agreement, and that without an owner of a VIP.
    pub(crate) longest_disorder: Duration,
    pub(crate) longest_outage: Duration,
}

impl Invariants {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            version: None,
            unserved: BTreeMap::new(),
            owners: BTreeMap::new(),
            longest_disorder: Duration::ZERO,
            longest_outage: Duration::ZERO,
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
        self.check_agreement(world)
    }

    fn look(&mut self, world: &World) -> Result<(), String> {
        let now = world.now();
        let is_settled = now > world.start + SETTLING;
        for vip in world.scopes.keys() {
            let owners = announcers(world, *vip);
            let is_served = owners.iter().any(|node| !is_isolated(world, *node));
            let is_wanted = || (0..world.speakers.len()).any(|node| could_have(world, node, *vip));
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
                (Kind::Calm | Kind::Planned | Kind::Wild, _) => {}
            }
        }
        self.unserved
            .retain(|vip, _| world.scopes.contains_key(vip));
        Ok(())
    }

    /// Whether there is one owner of each VIP that everybody knows, if it is time for that.
    fn check_agreement(&mut self, world: &World) -> Result<(), String> {
        if !is_whole(world) || world.now() < world.start + SETTLING {
            return Ok(());
        }
        let quiet = world.now().saturating_duration_since(world.disturbed);
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
    let speakers = world.speakers.iter().enumerate();
    let announcers = speakers.filter(|(_, speaker)| speaker.announces(vip));
    announcers.map(|(node, _)| node).collect()
}

/// Nobody is cut off from anybody, and every daemon runs and may have VIPs.
fn is_whole(world: &World) -> bool {
    let is_well = |speaker: &Speaker| {
        let daemon = speaker.daemon.as_ref();
        let is_up = daemon.is_some_and(|daemon| !daemon.is_leaving);
        is_up && speaker.has_carrier && !speaker.is_draining
    };
    world.gossip_cuts.is_empty()
        && world.wire_cuts.is_empty()
        && world.network.link.loss <= 0.1
        && world.speakers.iter().all(is_well)
}

/// # Errors
/// There is not one owner of a VIP, or somebody does not know it.
fn agreement(world: &World) -> Result<(), String> {
    for (vip, scope) in &world.scopes {
        let owners = announcers(world, *vip);
        let everybody: BTreeSet<usize> = (0..world.speakers.len()).collect();
        let eligible = eligible(world, &everybody, *vip, scope);
        let names = |nodes: &BTreeSet<usize>| {
            let names = nodes.iter().map(|node| &*world.speakers[*node].name);
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
        for (node, speaker) in world.speakers.iter().enumerate() {
            let holding = speaker.daemon.as_ref();
            let holding = holding.and_then(|daemon| daemon.holdings.get(vip));
            let name = &world.speakers[*owner].name;
            let is_right = match holding {
                Some(Holding::Here { .. }) => node == *owner,
                Some(Holding::Elsewhere { owner, watched }) => {
                    owner.as_ref() == Some(name) && !watched
                }
                None => false,
            };
            if !is_right {
                let who = &speaker.name;
                return Err(format!(
                    "{who} holds {holding:?} of {vip}, which {name} has"
                ));
            }
        }
    }
    Ok(())
}

/// Those of these nodes that a VIP is for: of the ones in its scope those on its subnet, or all if
/// there are none.
fn eligible(world: &World, nodes: &BTreeSet<usize>, vip: IpAddr, scope: &Scope) -> BTreeSet<usize> {
    let subnet = match vip {
        IpAddr::V4(vip) => vip.octets()[1] - 20,
        IpAddr::V6(_) => return BTreeSet::new(),
    };
    let in_scope = nodes.iter().copied().filter(|node| {
        let speaker = &world.speakers[*node];
        speaker.has_carrier && speaker.daemon.is_some() && scope.contains(&speaker.name)
    });
    let in_scope: BTreeSet<usize> = in_scope.collect();
    let is_near = |node: &usize| world.speakers[*node].segment == subnet;
    let near: BTreeSet<usize> = in_scope.iter().copied().filter(is_near).collect();
    if near.is_empty() { in_scope } else { near }
}

/// No other node gets anything from it.
fn is_isolated(world: &World, node: usize) -> bool {
    let speaker = &world.speakers[node];
    let mut others = (0..world.speakers.len()).filter(|other| *other != node);
    !speaker.has_carrier
        || speaker.daemon.is_none()
        || others.all(|other| {
            let way = (node, other);
            world.gossip_cuts.contains(&way) && world.wire_cuts.contains(&way)
        })
}

/// Whether a node should take a VIP that nobody has: it may, it knows that, and nothing stands
/// between it and any other that is not isolated.
fn could_have(world: &World, node: usize, vip: IpAddr) -> bool {
    let present = |node: &usize| !is_isolated(world, *node);
    let present: BTreeSet<usize> = (0..world.speakers.len()).filter(present).collect();
    let is_clear = |other: &usize| {
        let mut ways = [(node, *other), (*other, node)].into_iter();
        ways.all(|way| !world.gossip_cuts.contains(&way) && !world.wire_cuts.contains(&way))
    };
    let speaker = &world.speakers[node];
    let Some(scope) = world.scopes.get(&vip) else {
        return false;
    };
    let daemon = speaker.daemon.as_ref();
    present.contains(&node)
        && !speaker.is_draining
        && present.iter().all(is_clear)
        && eligible(world, &present, vip, scope).contains(&node)
        && daemon.is_some_and(|daemon| !daemon.is_leaving && daemon.is_able(vip))
}
