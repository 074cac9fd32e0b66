//! Kubernetes objects, and what the core makes of them: the only place that knows both
//! vocabularies. And how a [`source`] of them is followed.
//!
//! The types here are narrow: they have the fields that Carillon uses, and pass over all others.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::config::draft::Draft;
use carillon_core::config::error::ConfigErrors;
use carillon_core::config::objects::Version;
use carillon_core::endpoint::EndpointSlice;
use carillon_core::labels::Labels;
use carillon_core::node::Node;
use carillon_core::service::{Service, ServiceKey};

use metallb::Resource;
use metallb::bfd_profile::BfdProfileSpec;
use metallb::bgp_advertisement::BgpAdvertisementSpec;
use metallb::bgp_peer::BgpPeerSpec;
use metallb::community::CommunitySpec;
use metallb::ip_address_pool::IpAddressPoolSpec;
use metallb::l2_advertisement::L2AdvertisementSpec;

mod config_map;
pub mod configuration_state;
mod controller_state;
pub mod crd;
mod document;
mod endpoint_slice;
mod hidden;
mod json;
mod kind;
mod manifest;
mod metadata;
pub mod metallb;
mod metallb_pod;
mod names;
mod namespace;
mod node;
mod node_labels;
mod pod;
mod pool_status;
pub mod report;
mod schema;
mod secret;
mod service;
pub mod service_bgp_status;
pub mod service_l2_status;
pub mod source;
mod tree;
mod validate;

pub use config_map::{ConfigText, RENUMBER, is_configuration};
pub use document::{Note, Parsed, is_blank, parse};
pub use json::{ApiObject, Stored, Unreadable, find, read};
pub use kind::{KINDS, Kind, KindInfo, Purpose, Selection};
pub use metallb::GROUP as METALLB;
pub use metallb_pod::{MetallbPart, MetallbPod};
pub use names::Names;
use report::Report;
pub use secret::Secret;
pub use service::ALLOCATED_FROM;

/// What tells one object from all others. Nodes and Namespaces have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// `metadata.namespace` and `metadata.name`.
    pub name: ServiceKey,
}

impl ObjectKey {
    /// The key of a ConfigMap.
    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self {
            kind: Kind::ConfigMap,
            name: ServiceKey::new(namespace, name),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.namespace() {
            "" => write!(f, "{} {}", self.kind, self.name.name()),
            _ => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// An object in the core's vocabulary. Several places remember the same one: a clone costs a few
/// pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A Service.
    Service(Service),
    /// An EndpointSlice; `None` when it belongs to no Service.
    EndpointSlice(Option<EndpointSlice>),
    /// A Node.
    Node(Arc<Node>),
    /// The labels of a Namespace.
    Namespace(Labels),
    /// The labels of a Node.
    NodeLabels(Labels),
    /// Where the daemon in a Pod is reached, if anywhere.
    Pod(Option<IpAddr>),
    /// The part of MetalLB that runs in a Pod, if one does.
    MetallbPod(Option<MetallbPod>),
    /// The configuration, or a part of it.
    Setting(Setting),
    /// What a daemon has written of what it does.
    Report(Arc<Report>),
}

impl Object {
    /// The Service that it is.
    pub fn service(&self) -> Option<&Service> {
        let Self::Service(service) = self else {
            return None;
        };
        Some(service)
    }

    /// The EndpointSlice of a Service that it is.
    pub fn endpoint_slice(&self) -> Option<&EndpointSlice> {
        let Self::EndpointSlice(slice) = self else {
            return None;
        };
        slice.as_ref()
    }

    /// The Node that it is.
    pub fn node(&self) -> Option<&Arc<Node>> {
        let Self::Node(node) = self else {
            return None;
        };
        Some(node)
    }
}

/// An object by which users configure Carillon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// All of it, in a ConfigMap.
    ConfigMap(Arc<ConfigText>),
    /// Addresses, in an IPAddressPool.
    IpAddressPool(Arc<Resource<IpAddressPoolSpec>>),
    /// How they are announced by ARP and NDP, in an L2Advertisement.
    L2Advertisement(Arc<Resource<L2AdvertisementSpec>>),
    /// How they become routes, in a BGPAdvertisement.
    BgpAdvertisement(Arc<Resource<BgpAdvertisementSpec>>),
    /// A router, in a BGPPeer.
    BgpPeer(Arc<Resource<BgpPeerSpec>>),
    /// How sessions are watched, in a BFDProfile.
    BfdProfile(Arc<Resource<BfdProfileSpec>>),
    /// Names for communities, in a Community.
    Community(Arc<Resource<CommunitySpec>>),
    /// A password, in a Secret.
    Secret(Arc<Secret>),
}

/// What an object by which users configure says.
trait Configures {
    /// See [`Setting::draft`].
    fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors>;

    /// See [`Setting::created`].
    fn created(&self) -> Option<&str> {
        None
    }
}

impl Setting {
    /// What it says, read for a binary with these backends.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors> {
        self.object().draft(backends)
    }

    /// `metadata.creationTimestamp` of a resource, where a server has written it. Of two of these texts
    /// the smaller one is the older.
    pub fn created(&self) -> Option<&str> {
        self.object().created()
    }

    fn object(&self) -> &dyn Configures {
        match self {
            Self::ConfigMap(text) => &**text,
            Self::IpAddressPool(pool) => &**pool,
            Self::L2Advertisement(advertisement) => &**advertisement,
            Self::BgpAdvertisement(advertisement) => &**advertisement,
            Self::BgpPeer(peer) => &**peer,
            Self::BfdProfile(profile) => &**profile,
            Self::Community(community) => &**community,
            Self::Secret(secret) => &**secret,
        }
    }
}

impl Version for Setting {
    fn draft(&self, backends: &[&'static str]) -> Result<Draft, ConfigErrors> {
        Self::draft(self, backends)
    }

    fn created(&self) -> &str {
        Self::created(self).unwrap_or_default()
    }

    fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::IpAddressPool(one), Self::IpAddressPool(other)) => one.says_the_same(other),
            (Self::L2Advertisement(one), Self::L2Advertisement(other)) => one.says_the_same(other),
            (Self::BgpAdvertisement(one), Self::BgpAdvertisement(other)) => {
                one.says_the_same(other)
            }
            (Self::BgpPeer(one), Self::BgpPeer(other)) => one.says_the_same(other),
            (Self::BfdProfile(one), Self::BfdProfile(other)) => one.says_the_same(other),
            (Self::Community(one), Self::Community(other)) => one.says_the_same(other),
            (one, other) => one == other,
        }
    }

    fn is_referred_to(&self) -> bool {
        match self {
            Self::Secret(_) | Self::BfdProfile(_) | Self::Community(_) => true,
            Self::ConfigMap(_)
            | Self::IpAddressPool(_)
            | Self::L2Advertisement(_)
            | Self::BgpAdvertisement(_)
            | Self::BgpPeer(_) => false,
        }
    }
}
