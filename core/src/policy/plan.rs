//! The ways in which the VIPs of each pool are announced, as far as configuration, backends and nodes
//! decide that: what is the same for all Services of a pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::way::{Announcers, Way};
use crate::address::Family;
use crate::backend::Caps;
use crate::config::advertisement::Advertisement;
use crate::config::{AdvertisementName, AdvertisementNames, Config, PoolName, PreferredNodes};
use crate::labels::Labels;
use crate::ownership::{Scope, Weights};
use crate::selector::Selector;

/// The labels of nodes, by their names.
pub(crate) type Nodes = BTreeMap<Arc<str>, Labels>;

/// See the module's documentation.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pools: BTreeMap<(PoolName, Family), PoolPlan>,
}

/// How the VIPs of a pool and family are announced.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PoolPlan {
    /// At most one for each backend.
    pub(crate) ways: Vec<PlannedWay>,
    /// The ways of a Service that any node can serve, where advertisements do not tell services
    /// apart. Most have these, and share them.
    pub(crate) common: Arc<[Way]>,
}

/// A backend that announces them.
#[derive(Debug, PartialEq)]
pub(crate) struct PlannedWay {
    pub(crate) backend: &'static str,
    pub(crate) is_exclusive: bool,
    /// Those that lead to it; never empty.
    pub(crate) advertisements: Vec<Planned>,
    /// The names of those that are for this node.
    pub(crate) names: AdvertisementNames,
}

/// One advertisement.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned {
    pub(crate) name: AdvertisementName,
    pub(crate) services: Vec<Selector>,
    /// The nodes that it is for, and on which interfaces.
    pub(crate) nodes: Scope,
    /// Those of them that it prefers.
    pub(crate) preferred: Weights,
    /// This node is one of them.
    pub(crate) is_here: bool,
}

impl Plan {
    /// The plan of a configuration for these backends, with what is known of the nodes.
    /// `here` is the node that they run on.
    pub(crate) fn new(config: &Config, backends: &[Caps], nodes: &Nodes, here: &str) -> Self {
        let mut plan = Self::default();
        for advertisement in config.advertisements() {
            let all = nodes;
            let nodes = scope_of(&advertisement, all);
            let preferred = weights(advertisement.preferred_nodes, &nodes, all);
            let planned = || Planned {
                preferred: preferred.clone(),
                name: advertisement.name.clone(),
                services: advertisement.audience.services.clone(),
                is_here: nodes.contains(here),
                nodes: nodes.clone(),
            };
            for family in [Family::V4, Family::V6] {
                let Some(caps) = backend_of(&advertisement, family, backends) else {
                    continue;
                };
                for pool in &advertisement.audience.pools {
                    let key = (pool.clone(), family);
                    let pool = plan.pools.entry(key).or_default();
                    pool.add(*caps, planned());
                }
            }
        }
        plan.pools.values_mut().for_each(PoolPlan::finish);
        plan
    }

    /// The plan of a pool and family; `None` if nothing announces it.
    pub(crate) fn of(&self, pool: &PoolName, family: Family) -> Option<&PoolPlan> {
        self.pools.get(&(pool.clone(), family))
    }

    /// Whether there is something that only one node at a time may announce.
    pub(crate) fn is_exclusive(&self) -> bool {
        let mut ways = self.pools.values().flat_map(|pool| &pool.ways);
        ways.any(|way| way.is_exclusive)
    }
}

impl PlannedWay {
    /// Of the advertisements for a Service with these labels, the nodes that they are for, and the
    /// names of those that are for this one; `None` if there are none.
    pub(crate) fn select(&self, labels: &Labels) -> Option<(AdvertisementNames, Scope)> {
        let is_for = |one: &&Planned| {
            one.services.is_empty() || one.services.iter().any(|one| one.matches(labels))
        };
        let selected = || self.advertisements.iter().filter(is_for);
        let nodes = scope_of_all(selected())?;
        let names = if selected().count() == self.advertisements.len() {
            self.names.clone()
        } else {
            names_here(selected())
        };
        Some((names, nodes))
    }
}

impl PoolPlan {
    /// These ways, and where they are those that most have, what is shared.
    pub(crate) fn shared(&self, ways: Vec<Way>) -> Arc<[Way]> {
        if *ways == *self.common {
            return self.common.clone();
        }
        ways.into()
    }

    fn add(&mut self, caps: Caps, planned: Planned) {
        let known = self.ways.iter_mut().find(|way| way.backend == caps.name);
        if let Some(way) = known {
            way.advertisements.push(planned);
            return;
        }
        self.ways.push(PlannedWay {
            backend: caps.name,
            is_exclusive: caps.ownership.is_exclusive(),
            advertisements: vec![planned],
            names: AdvertisementNames::default(),
        });
    }

    fn finish(&mut self) {
        for way in &mut self.ways {
            way.advertisements
                .sort_by(|one, other| one.name.cmp(&other.name));
            way.names = names_here(way.advertisements.iter());
        }
        let common = self.ways.iter().map(|way| {
            let nodes = scope_of_all(way.advertisements.iter()).unwrap_or(Scope::Anywhere);
            Way {
                backend: way.backend,
                advertisements: way.names.clone(),
                announcers: Ok(if way.is_exclusive {
                    Announcers::OneOf(nodes)
                } else {
                    Announcers::Shared
                }),
            }
        });
        self.common = common.collect();
    }
}

fn names_here<'a>(advertisements: impl Iterator<Item = &'a Planned>) -> AdvertisementNames {
    let here = advertisements.filter(|one| one.is_here);
    here.map(|one| one.name.clone()).collect()
}

/// The backend that announces addresses of a family for an advertisement.
fn backend_of<'a>(
    advertisement: &Advertisement<'_>,
    family: Family,
    backends: &'a [Caps],
) -> Option<&'a Caps> {
    let name = advertisement.protocol.backend(family)?;
    let announces = |caps: &&Caps| caps.name == name && caps.ownership.has(family);
    backends.iter().find(announces)
}

/// The nodes that an advertisement is for, on its interfaces.
fn scope_of(advertisement: &Advertisement<'_>, nodes: &Nodes) -> Scope {
    let nodes = selected(&advertisement.audience.nodes, nodes);
    match advertisement.interfaces {
        Some(names) => nodes.on(names),
        None => nodes,
    }
}

/// The nodes of all these advertisements, each preferred by the sum of its weights; `None` if there are
/// no advertisements.
fn scope_of_all<'a>(advertisements: impl Iterator<Item = &'a Planned> + Clone) -> Option<Scope> {
    let nodes = advertisements.clone().map(|one| one.nodes.clone());
    let mut sums = Weights::new();
    for (node, weight) in advertisements.flat_map(|one| &one.preferred) {
        let sum = sums.entry(node.clone()).or_default();
        *sum = sum.saturating_add(*weight);
    }
    nodes.reduce(Scope::or).map(|nodes| nodes.preferring(sums))
}

/// By how much an advertisement for `scope` prefers each node.
fn weights(preferred: &[PreferredNodes], scope: &Scope, nodes: &Nodes) -> Weights {
    let weight = |labels: &Labels| {
        let matching = preferred.iter().filter(|one| one.nodes.matches(labels));
        matching.map(|one| u32::from(one.weight)).sum::<u32>()
    };
    let nodes = nodes.iter().filter(|(name, _)| scope.contains(name));
    let weights = nodes.map(|(name, labels)| (name.clone(), weight(labels)));
    weights.filter(|(_, weight)| *weight > 0).collect()
}

/// The nodes that any of these selectors matches; all if there are none.
fn selected(selectors: &[Selector], nodes: &Nodes) -> Scope {
    if selectors.is_empty() {
        return Scope::Anywhere;
    }
    let is_selected = |labels: &Labels| selectors.iter().any(|one| one.matches(labels));
    let selected = nodes.iter().filter(|(_, labels)| is_selected(labels));
    Scope::of_nodes(selected.map(|(name, _)| name.clone()))
}
