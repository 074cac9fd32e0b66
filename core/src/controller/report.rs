//! What the controller reports.

use std::mem::{Discriminant, discriminant};
use std::net::IpAddr;

use super::Controller;
use super::plan::{Shortfall, plan};
use crate::allocator::{Refusal, quoted};
use crate::config::PoolName;
use crate::service::{FamiliesError, Service, ServiceKey};

/// A service's new status, to be written as a whole, and the events about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The service.
    pub service: ServiceKey,
    /// `status.loadBalancer.ingress`, one entry with an `ip` each; empty to clear it.
    pub addresses: Vec<IpAddr>,
    /// The annotation `metallb.io/ip-allocated-from-pool`; `None` to remove it.
    pub pool: Option<PoolName>,
    /// What happened, in order. A change may consist of an event only.
    pub events: Vec<Event>,
}

/// A Kubernetes Event about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How serious it is.
    pub severity: Severity,
    /// The reason, as MetalLB's users know it.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

/// The type of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Normal,
    /// Somebody should act.
    Warning,
}

/// What a service has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Its addresses, in the order of publication.
    pub addresses: Vec<IpAddr>,
    /// The pool they come from.
    pub pool: Option<PoolName>,
    /// Why it has no address, or not all it wants.
    pub shortfall: Option<String>,
}

impl Event {
    fn normal(reason: &'static str, message: String) -> Self {
        Self {
            severity: Severity::Normal,
            reason,
            message,
        }
    }

    fn warning(reason: &'static str, message: String) -> Self {
        Self {
            severity: Severity::Warning,
            reason,
            message,
        }
    }

    /// Addresses are taken from a service because it may not keep them.
    pub(super) fn cleared(service: &ServiceKey, refusal: &Refusal) -> Self {
        let message = format!(
            "current IP for \"{service}\" not allowed by config, will attempt for new IP \
             assignment: {refusal}"
        );
        Self::normal("ClearAssignment", message)
    }

    /// What a service got in addition to what it had.
    pub(super) fn assigned(before: &[IpAddr], now: &[IpAddr]) -> Option<Self> {
        let new: Vec<_> = (now.iter().copied())
            .filter(|address| !before.contains(address))
            .collect();
        let message = match new.as_slice() {
            [] => return None,
            [additional] if now.len() == 2 => format!("Assigned additional IP \"{additional}\""),
            _ => format!("Assigned IP {}", quoted(now)),
        };
        Some(Self::normal("IPAllocated", message))
    }
}

impl Shortfall {
    /// The event about this becoming true of a service that has `addresses`.
    pub(super) fn event(&self, service: &ServiceKey, addresses: &[IpAddr]) -> Option<Event> {
        let failed = || format!("Failed to allocate IP for \"{service}\": {self}");
        match self {
            Self::NotLoadBalancer | Self::Families(FamiliesError::NoClusterIp) => None,
            Self::Families(FamiliesError::NotEnoughClusterIps(ips)) => Some(Event::warning(
                "not enough clusterips",
                format!("Service requires dual stack but not enough clusterips {ips:?}"),
            )),
            Self::Families(error) => Some(Event::warning(
                "noclusterIPsIPFamily",
                format!("Failed to retrieve ClusterIPs IPFamily: {error}"),
            )),
            Self::Request(_) if !addresses.is_empty() => {
                Some(Event::warning("LoadBalancerFailed", self.to_string()))
            }
            Self::Request(_) | Self::Refused(_) => {
                Some(Event::warning("AllocationFailed", failed()))
            }
            Self::OnlyOne(_) => Some(Event::normal("AdditionalAssignFailed", self.to_string())),
        }
    }

    /// Whether both say the same, except for counters and names that change with what other
    /// services do.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other) && self.refusal() == other.refusal()
    }

    fn refusal(&self) -> Option<Discriminant<Refusal>> {
        match self {
            Self::Refused(refusal) | Self::OnlyOne(refusal) => Some(discriminant(refusal)),
            Self::NotLoadBalancer | Self::Families(_) | Self::Request(_) => None,
        }
    }
}

impl Controller {
    /// What the service has, or why it has not what it wants. `None`: it is not known as a load
    /// balancer service.
    pub fn explain(&self, key: &ServiceKey) -> Option<ServiceStatus> {
        let entry = self.services.get(key)?;
        Some(ServiceStatus {
            addresses: self.held(key),
            pool: (self.books.get(key)).map(|held| held.pool.clone()),
            shortfall: self.shortfall(&entry.service),
        })
    }

    fn shortfall(&self, service: &Service) -> Option<String> {
        if !self.serves(service) {
            let class = service.load_balancer_class.as_deref();
            return Some(other_class(class, self.load_balancer_class.as_deref()));
        }
        if self.config().is_none() {
            return Some("no configuration is in force yet".to_owned());
        }
        let held = self.held(&service.key);
        if self.is_provisional() && held.is_empty() {
            return Some("no address is given while the configuration waits".to_owned());
        }
        if self.awaits_namespaces() && held.is_empty() {
            let text =
                "no address is given until the namespaces are known, whose labels pools select";
            return Some(text.to_owned());
        }
        let shortfall = plan(&self.books, service, held).shortfall;
        shortfall.map(|shortfall| shortfall.to_string())
    }

    /// All services of type LoadBalancer, by key.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceKey, ServiceStatus)> {
        (self.services.iter())
            .filter(|(_, entry)| entry.service.is_load_balancer)
            .filter_map(|(key, _)| Some((key, self.explain(key)?)))
    }
}

/// Why a service of another class has no address from us.
fn other_class(theirs: Option<&str>, ours: Option<&str>) -> String {
    let class = |class: Option<&str>| match class {
        None | Some("") => "no loadBalancerClass".to_owned(),
        Some(class) => format!("loadBalancerClass {class:?}"),
    };
    format!(
        "the service has {}, this daemon serves services with {}",
        class(theirs),
        class(ours)
    )
}
