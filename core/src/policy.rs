//! Whether this node may announce a Service, and if not, why.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::Family;
use crate::allocator::Blocks;
use crate::config::{AdvertisementNames, PoolName};
use crate::endpoint::EndpointSlice;
use crate::node::{ExcludeLabel, Node};
use crate::ownership::Scope;
use crate::service::{Ingress, Service, ServiceKey, TrafficPolicy};
use crate::speaker::{Local, Settings};

mod plan;
#[cfg(test)]
mod tests;
mod way;

pub(crate) use plan::{Nodes, Plan, PlannedWay};
pub use way::{Announcers, Grant, GrantedVip, Way};

/// Why a Service is not announced from this node. The first rule that fails gives the reason: of the
/// Service, then of this node ([`node_may_announce`] counts for every way), then of endpoints.
///
/// [`node_may_announce`]: crate::speaker::Speaker::node_may_announce
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawReason {
    /// `spec.type` is another.
    #[error("its type is not LoadBalancer")]
    NotLoadBalancer,
    /// `spec.loadBalancerClass` belongs to another implementation.
    #[error("its loadBalancerClass {0:?} is not the one this daemon serves")]
    OtherClass(String),
    /// No configuration has been accepted so far.
    #[error("there is no accepted configuration yet")]
    NoConfiguration,
    /// Its status has no address.
    #[error("it has no address")]
    NoIpAllocated,
    /// Its status has an entry without an IP address.
    #[error("its status has {0:?} where an IP address should be")]
    InvalidIp(String),
    /// Its addresses are in no pool, or in different ones.
    #[error("no single pool contains all of its addresses ({0:?})")]
    IpNotAllowed(Vec<IpAddr>),
    /// Condition `NetworkUnavailable` of this node.
    #[error("this node has the condition NetworkUnavailable")]
    NodeNetworkUnavailable,
    /// Somebody has drained this node.
    #[error("this node is drained")]
    NodeDraining,
    /// MetalLB announces it as long as that runs.
    #[error("MetalLB's speaker runs: it is left to that until that is gone")]
    LeftToMetallb,
    /// Label of this node.
    #[error("this node has the label {}", crate::node::EXCLUDE_LABEL)]
    NodeLabeledExcludeBalancers,
    /// No advertisement of the pool selects it.
    #[error("no advertisement is for it")]
    NoMatchingAdvertisement,
    /// The node selectors of all advertisements that are for it are for other nodes.
    #[error("the advertisements that are for it are for other nodes than this one")]
    NodeNotSelected,
    /// External traffic policy `Local` without an endpoint here.
    #[error("externalTrafficPolicy is Local and no endpoint on this node is ready")]
    NoLocalEndpoints,
    /// The same with endpoints here that terminate, and better ones elsewhere.
    #[error(
        "externalTrafficPolicy is Local, its endpoints on this node terminate, and another node has a \
         ready one"
    )]
    LocalEndpointsTerminate,
    /// The same with a ready endpoint, which nothing gets to yet.
    #[error(
        "externalTrafficPolicy is Local, and kube-proxy on this node does not pass its traffic on yet \
         (healthCheckNodePort)"
    )]
    ProxyNotReady,
    /// No endpoint anywhere.
    #[error(
        "no endpoint is ready (in files: an EndpointSlice with the label \
         kubernetes.io/service-name)"
    )]
    NoEndpoints,
    /// Another node, or none, has the address.
    #[error("{}", not_owner(.0.as_deref()))]
    NotOwner(Option<Arc<str>>),
}

impl WithdrawReason {
    /// The short token that logs and runbooks use.
    pub fn token(&self) -> &'static str {
        match self {
            Self::NotLoadBalancer => "notLoadBalancer",
            Self::OtherClass(_) => "otherClass",
            Self::NoConfiguration => "noConfiguration",
            Self::NoIpAllocated => "noIPAllocated",
            Self::InvalidIp(_) => "invalidIP",
            Self::IpNotAllowed(_) => "ipNotAllowed",
            Self::NodeNetworkUnavailable => "nodeNetworkUnavailable",
            Self::NodeDraining => "nodeDraining",
            Self::LeftToMetallb => "leftToMetalLB",
            Self::NodeLabeledExcludeBalancers => "nodeLabeledExcludeBalancers",
            Self::NoMatchingAdvertisement | Self::NodeNotSelected => "noMatchingAdvertisement",
            Self::NoLocalEndpoints => "noLocalEndpoints",
            Self::LocalEndpointsTerminate => "localEndpointsTerminate",
            Self::ProxyNotReady => "proxyNotReady",
            Self::NoEndpoints => "noEndpoints",
            Self::NotOwner(_) => "notOwner",
        }
    }
}

fn not_owner(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("node {owner} announces it"),
        None => "no node that may announce it is ready to".to_owned(),
    }
}

/// What is left to MetalLB's speakers as long as they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftToMetallb {
    /// What one node at a time announces: a speaker runs on some node, and may have any address.
    pub exclusive: bool,
    /// What many nodes announce: a speaker runs on this node, and has its sessions.
    pub shared: bool,
}

impl LeftToMetallb {
    /// Whether what a backend announces is left to them.
    pub(crate) fn has(self, is_exclusive: bool) -> bool {
        if is_exclusive {
            self.exclusive
        } else {
            self.shared
        }
    }
}

/// Everything that the decision about one Service depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The addresses of the pools of the configuration in force.
    pub(crate) blocks: Option<&'a Blocks>,
    /// What this daemon is set to.
    pub(crate) settings: &'a Settings,
    /// The node that this daemon runs on.
    pub(crate) node: &'a Node,
    /// It is drained.
    pub(crate) is_draining: bool,
    /// What it leaves to others.
    pub(crate) left: LeftToMetallb,
    /// How the pools of that configuration are announced.
    pub(crate) plan: &'a Plan,
    /// The labels of all nodes that are known.
    pub(crate) nodes: &'a Nodes,
    /// What time has decided about Services with external traffic policy `Local`.
    pub(crate) local: &'a Local,
}

impl Facts<'_> {
    /// Decides about one Service with these slices.
    ///
    /// # Errors
    /// The Service must not be announced from here, for the reason returned.
    pub(crate) fn decide(
        &self,
        service: &Service,
        slices: &[&EndpointSlice],
    ) -> Result<Grant, WithdrawReason> {
        let (pool, addresses) = self.addresses(service)?;
        let mut why_not = WithdrawReason::NoMatchingAdvertisement;
        let mut vips = Vec::new();
        for vip in addresses {
            let family = Family::of(vip);
            let Some(plan) = self.plan.of(&pool, family) else {
                continue;
            };
            let slices: Vec<_> = slices.iter().filter(|one| one.family == family).collect();
            let way = |way| self.way(way, service, slices.iter().map(|slice| **slice));
            let ways: Vec<_> = plan.ways.iter().map(way).collect();
            let closed = ways.iter().find_map(|way| way.announcers.as_ref().err());
            match closed {
                Some(reason) if ways.iter().all(|way| way.announcers.is_err()) => {
                    why_not = reason.clone();
                }
                Some(_) | None => vips.push(GrantedVip {
                    vip,
                    ways: plan.shared(ways),
                }),
            }
        }
        if vips.is_empty() {
            return Err(why_not);
        }
        let vips = vips.into();
        Ok(Grant { pool, vips })
    }

    /// One way of announcing an address of a Service with these slices of its family.
    fn way<'e>(
        &self,
        planned: &PlannedWay,
        service: &Service,
        slices: impl Iterator<Item = &'e EndpointSlice>,
    ) -> Way {
        let Some((advertisements, nodes)) = planned.select(service.labels()) else {
            return Way {
                backend: planned.backend,
                advertisements: AdvertisementNames::default(),
                announcers: Err(WithdrawReason::NoMatchingAdvertisement),
            };
        };
        let policy = service.external_traffic_policy;
        let announcers = if self.left.has(planned.is_exclusive) {
            Err(WithdrawReason::LeftToMetallb)
        } else if planned.is_exclusive {
            exclusive_scope(policy, slices).map(|scope| Announcers::OneOf(scope.and(nodes)))
        } else {
            let slices: Vec<_> = slices.collect();
            let reachable = || match policy {
                TrafficPolicy::Cluster => {
                    let serves = slices.iter().any(|slice| slice.serves);
                    serves.then_some(()).ok_or(WithdrawReason::NoEndpoints)
                }
                TrafficPolicy::Local => self.serves_locally(&service.key, &slices, &nodes),
            };
            self.may_share(&nodes)
                .and_then(|()| reachable())
                .map(|()| Announcers::Shared)
        };
        Way {
            backend: planned.backend,
            advertisements,
            announcers,
        }
    }

    /// Whether this node may announce what many announce at a time, from these nodes. Of what one has
    /// at a time the facts of a node reach all others as [`carillon_gossip::record::Impediment`]s.
    fn may_share(&self, nodes: &Scope) -> Result<(), WithdrawReason> {
        if self.is_draining {
            return Err(WithdrawReason::NodeDraining);
        }
        node_may_announce(self.node, self.settings.exclude_label)?;
        let is_selected = nodes.contains(&self.node.name);
        is_selected
            .then_some(())
            .ok_or(WithdrawReason::NodeNotSelected)
    }

    /// The addresses of a service that is to be announced, and the pool that has them all.
    fn addresses(&self, service: &Service) -> Result<(PoolName, Vec<IpAddr>), WithdrawReason> {
        if !service.is_load_balancer {
            return Err(WithdrawReason::NotLoadBalancer);
        }
        if !service.is_of_class(self.settings.class.as_deref()) {
            let class = service.load_balancer_class.clone().unwrap_or_default();
            return Err(WithdrawReason::OtherClass(class));
        }
        let blocks = self.blocks.ok_or(WithdrawReason::NoConfiguration)?;
        if service.published().is_empty() {
            return Err(WithdrawReason::NoIpAllocated);
        }
        let vips = published(service)?;
        match blocks.pool_of(&vips) {
            Ok(pool) => Ok((pool.clone(), vips)),
            Err(_) => Err(WithdrawReason::IpNotAllowed(vips)),
        }
    }

    /// Whether this node serves, by its endpoints among these, a Service with external traffic policy
    /// `Local` that these nodes may announce: with a ready one, or with terminating ones as long as
    /// no other of these nodes has a ready one and has had time to announce the Service.
    fn serves_locally(
        &self,
        service: &ServiceKey,
        slices: &[&EndpointSlice],
        nodes: &Scope,
    ) -> Result<(), WithdrawReason> {
        let here = &self.node.name;
        if !slices.iter().any(|slice| slice.serves_on(here)) {
            return Err(WithdrawReason::NoLocalEndpoints);
        }
        if slices.iter().any(|slice| slice.is_ready_on(here)) {
            let waits = self.local.waits(service);
            return (!waits).then_some(()).ok_or(WithdrawReason::ProxyNotReady);
        }
        let announces = |node: &Arc<str>| {
            let labels = self.nodes.get(node);
            let label = self.settings.exclude_label;
            let is_excluded = labels.is_some_and(|labels| label.excludes(labels));
            nodes.contains(node) && !is_excluded && !self.local.is_new(service, node)
        };
        let mut others = slices.iter().flat_map(|slice| &*slice.ready);
        if others.any(announces) {
            return Err(WithdrawReason::LocalEndpointsTerminate);
        }
        Ok(())
    }
}

/// Whether a node may announce anything.
///
/// # Errors
/// It must not, for the reason returned.
pub(crate) fn node_may_announce(
    node: &Node,
    exclude_label: ExcludeLabel,
) -> Result<(), WithdrawReason> {
    if node.network_unavailable {
        return Err(WithdrawReason::NodeNetworkUnavailable);
    }
    if exclude_label.excludes(&node.labels) {
        return Err(WithdrawReason::NodeLabeledExcludeBalancers);
    }
    Ok(())
}

/// Which nodes may announce an address with these slices of its family.
fn exclusive_scope<'e>(
    policy: TrafficPolicy,
    slices: impl Iterator<Item = &'e EndpointSlice>,
) -> Result<Scope, WithdrawReason> {
    let serving: Vec<_> = slices.filter(|slice| slice.serves).collect();
    if serving.is_empty() {
        return Err(WithdrawReason::NoEndpoints);
    }
    Ok(match policy {
        TrafficPolicy::Cluster => Scope::Anywhere,
        TrafficPolicy::Local => {
            let nodes = serving.iter().flat_map(|slice| slice.nodes.iter().cloned());
            let ready: BTreeSet<_> = serving.iter().flat_map(|slice| &*slice.ready).collect();
            let nodes: Vec<_> = nodes.collect();
            let last_resort = nodes.iter().filter(|node| !ready.contains(node)).cloned();
            let last_resort: Vec<_> = last_resort.collect();
            Scope::of_nodes(nodes).with_last_resort(last_resort)
        }
    })
}

fn published(service: &Service) -> Result<Vec<IpAddr>, WithdrawReason> {
    let address = |entry: &Ingress| match entry {
        Ingress::Address(address) => Ok(*address),
        Ingress::Other(text) => Err(WithdrawReason::InvalidIp(text.to_string())),
    };
    service.published().iter().map(address).collect()
}
