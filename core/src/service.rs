//! What the core knows of a Kubernetes Service.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use arcstr::ArcStr;

use crate::config::PoolName;
use crate::few::Few;
use crate::labels::Labels;
use crate::text;

pub mod annotations;
mod families;
#[cfg(test)]
mod tests;

pub use annotations::{Annotations, RequestError, Requests};
pub use families::{Families, FamiliesError, FamilyPolicy};

/// Namespace and name of a Service; written `namespace/name`, and ordered as that text.
///
/// There are more of these than of anything else, so one is a single pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey(ArcStr);

impl ServiceKey {
    /// A key from its two parts, in which there is no slash.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(arcstr::format!("{namespace}/{name}"))
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or_default()
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Service, reduced to the facts that allocation and announcement depend on.
///
/// Several places remember the same one, and many differ in nothing but name and address, so the
/// facts are shared: a clone costs a few pointers, and to change a fact copies them if somebody else
/// has them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub key: ServiceKey,
    facts: Arc<ServiceFacts>,
    /// `None` where there is nothing in it.
    own: Option<Arc<Own>>,
}

static NO_LABELS: Labels = Labels::new();

/// What hardly any two Services have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    published: Few<Ingress>,
    given_from: Option<PoolName>,
    labels: Labels,
}

/// The facts of a Service but its name and its status.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceFacts {
    /// `spec.type` is `LoadBalancer`.
    pub is_load_balancer: bool,
    /// `spec.loadBalancerClass`, as [`crate::text::bounded`] text.
    pub load_balancer_class: Option<String>,
    /// Which address families it wants, from its cluster IPs and family policy.
    pub families: Result<Families, FamiliesError>,
    /// What it asks for.
    pub requests: Requests,
    /// The ports it serves. Two services on one address may not have one in common.
    pub ports: BTreeSet<Port>,
    /// `spec.externalTrafficPolicy`.
    pub external_traffic_policy: TrafficPolicy,
    /// `spec.healthCheckNodePort`, of policy `Local` alone: where the service proxy of each node says
    /// whether it passes the traffic of this Service on to endpoints on that node.
    pub health_check_node_port: Option<NonZeroU16>,
    /// `spec.selector`, which matters (and is known) only with a sharing key.
    pub selector: BTreeMap<String, String>,
}

/// One entry of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// An entry with a valid `ip`.
    Address(IpAddr),
    /// An entry without one (a host name, or text that is no address): its beginning.
    Other(Box<str>),
}

/// A transport port, the unit that services on one address must not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port number.
    pub number: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, self.number)
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    /// As the API spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// `spec.externalTrafficPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficPolicy {
    /// Any node may receive traffic for the service.
    #[default]
    Cluster,
    /// Only nodes with a serving endpoint may.
    Local,
}

impl Service {
    /// A service with these facts and this status, without labels, of which nobody has noted who gave it.
    pub fn new(
        key: ServiceKey,
        facts: ServiceFacts,
        published: impl IntoIterator<Item = Ingress>,
    ) -> Self {
        let facts = Arc::new(facts);
        let own = None;
        let mut service = Self { key, facts, own };
        service.publish(published);
        service
    }

    /// Its facts but name and status, to be shared with services of which they are the same.
    pub fn facts(&self) -> &Arc<ServiceFacts> {
        &self.facts
    }

    /// The same, to be replaced by equal ones.
    pub fn facts_mut(&mut self) -> &mut Arc<ServiceFacts> {
        &mut self.facts
    }

    /// `status.loadBalancer.ingress`, in its order.
    pub fn published(&self) -> &[Ingress] {
        self.own.as_ref().map_or(&[], |own| &own.published)
    }

    /// The pool that these addresses were given from, as a daemon like this one has noted it; empty
    /// if it has only noted that it gave them, `None` if it is not known that one did.
    pub fn given_from(&self) -> Option<&PoolName> {
        self.own.as_ref()?.given_from.as_ref()
    }

    /// Makes these the entries of `status.loadBalancer.ingress`.
    pub fn publish(&mut self, entries: impl IntoIterator<Item = Ingress>) {
        let published = entries.into_iter().collect();
        self.change(|own| own.published = published);
    }

    /// Notes the pool that the published addresses were given from; see [`Self::given_from`].
    pub fn set_given_from(&mut self, given_from: Option<PoolName>) {
        self.change(|own| own.given_from = given_from);
    }

    /// Gives it the status of another version of itself.
    pub fn take_status_of(&mut self, other: &Self) {
        if self.labels() == other.labels() {
            self.own.clone_from(&other.own);
            return;
        }
        let other = other.own.as_deref().cloned().unwrap_or_default();
        self.change(|own| {
            own.published = other.published;
            own.given_from = other.given_from;
        });
    }

    /// Its labels.
    pub fn labels(&self) -> &Labels {
        self.own.as_ref().map_or(&NO_LABELS, |own| &own.labels)
    }

    /// Gives it other labels.
    pub fn set_labels(&mut self, labels: Labels) {
        self.change(|own| own.labels = labels);
    }

    fn change(&mut self, change: impl FnOnce(&mut Own)) {
        let mut own = self
            .own
            .take()
            .map_or_else(Own::default, Arc::unwrap_or_clone);
        change(&mut own);
        self.own = (own != Own::default()).then(|| Arc::new(own));
    }

    /// The published addresses of the entries that have one.
    pub fn published_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.published().iter().filter_map(|entry| match entry {
            Ingress::Address(address) => Some(*address),
            Ingress::Other(_) => None,
        })
    }
}

impl Deref for Service {
    type Target = ServiceFacts;

    fn deref(&self) -> &ServiceFacts {
        &self.facts
    }
}

impl DerefMut for Service {
    fn deref_mut(&mut self) -> &mut ServiceFacts {
        Arc::make_mut(&mut self.facts)
    }
}

impl ServiceFacts {
    /// Whether a daemon that serves the class `ours` (`None`: services without a class) handles
    /// this service. Services of other classes are never touched.
    pub fn is_of_class(&self, ours: Option<&str>) -> bool {
        self.load_balancer_class.as_deref().unwrap_or("") == text::bounded(ours.unwrap_or(""))
    }
}
