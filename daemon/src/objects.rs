//! Kubernetes objects, and what the core makes of them. The only place that knows both
//! vocabularies.
//!
//! The types here are narrow: they have the fields that Carillon uses, and pass over all others.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::config::error::suggest;
use carillon_core::config::origin::Origin;
use carillon_core::endpoint::EndpointSlice;
use carillon_core::node::Node;
use carillon_core::service::{Service, ServiceKey};
use carillon_core::yaml::{self, Content};

mod document;
mod endpoint_slice;
#[cfg(feature = "kubernetes")]
mod json;
mod metadata;
mod names;
mod node;
mod pod;
mod schema;
mod service;
mod tree;
mod validate;

pub(crate) use document::{Note, Parsed, is_blank, parse};
#[cfg(feature = "kubernetes")]
pub(crate) use json::{ApiObject, Stored, Unreadable, find, read};
#[cfg(feature = "kubernetes")]
pub(crate) use names::Names;
#[cfg(feature = "kubernetes")]
pub(crate) use service::ALLOCATED_FROM;

/// The kinds that Carillon reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Node.
    Node,
    /// `v1` Pod. Only a cluster has them; files with some are passed over.
    #[cfg_attr(
        not(any(feature = "kubernetes", test)),
        expect(dead_code, reason = "see above")
    )]
    Pod,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Service.
    Service,
}

impl Kind {
    /// The kind of an object, if it is one that Carillon reads.
    fn of(api_version: &str, kind: &str) -> Option<Self> {
        match (api_version, kind) {
            ("v1", "ConfigMap") => Some(Self::ConfigMap),
            ("v1", "Node") => Some(Self::Node),
            ("v1", "Service") => Some(Self::Service),
            ("discovery.k8s.io/v1" | "discovery.k8s.io/v1beta1", "EndpointSlice") => {
                Some(Self::EndpointSlice)
            }
            _ => None,
        }
    }

    /// The `apiVersion` and `kind` that were meant by what is none of these, but nearly so. The
    /// kinds of other API groups are not meant, even those with the same name.
    fn meant(api_version: &str, kind: &str) -> Option<(&'static str, &'static str)> {
        let (group, _) = api_version.rsplit_once('/').unwrap_or_default();
        let kinds = ["ConfigMap", "Node", "Service", "EndpointSlice"];
        let near = suggest(kind, &kinds)?;
        let known = [
            ("v1", "ConfigMap"),
            ("v1", "Node"),
            ("v1", "Service"),
            ("discovery.k8s.io/v1", "EndpointSlice"),
        ];
        let mut known = known.into_iter();
        let meant = known.find(|(_, right)| near == *right)?;
        let is_near =
            matches!(group, "" | "core") || suggest(group, &["discovery.k8s.io"]).is_some();
        (is_near && Self::of(api_version, kind).is_none()).then_some(meant)
    }

    /// The key of an object of this kind. A Node is in no namespace, whatever is written.
    fn key(self, name: ServiceKey) -> ObjectKey {
        let name = match self {
            Self::Node => ServiceKey::new("", name.name()),
            Self::ConfigMap | Self::EndpointSlice | Self::Pod | Self::Service => name,
        };
        ObjectKey { kind: self, name }
    }
}

/// What tells one object from all others. Nodes have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    /// The kind.
    pub(crate) kind: Kind,
    /// `metadata.namespace` and `metadata.name`.
    pub(crate) name: ServiceKey,
}

impl ObjectKey {
    /// The key of a ConfigMap.
    pub(crate) fn config_map(namespace: &str, name: &str) -> Self {
        Self {
            kind: Kind::ConfigMap,
            name: ServiceKey::new(namespace, name),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Node => write!(f, "Node {}", self.name.name()),
            kind => write!(f, "{kind:?} {}", self.name),
        }
    }
}

/// An object in the core's vocabulary. Several places remember the same one: a clone costs a few
/// pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A Service.
    Service(Service),
    /// An EndpointSlice; `None` when it belongs to no Service.
    EndpointSlice(Option<EndpointSlice>),
    /// A Node.
    Node(Arc<Node>),
    /// Where the daemon in a Pod is reached, if anywhere.
    Pod(Option<IpAddr>),
    /// The configuration in a ConfigMap.
    Config(Arc<ConfigText>),
}

/// Whether a text is MetalLB's configuration itself, outside of a ConfigMap.
pub(crate) fn is_configuration(text: &str) -> bool {
    let Ok(Some(root)) = yaml::parse(text) else {
        return false;
    };
    let Content::Mapping(entries) = &root.content else {
        return false;
    };
    let has = |names: &[&str]| entries.iter().any(|entry| names.contains(&&*entry.key));
    !has(&["kind", "apiVersion"])
        && has(&["peers", "address-pools", "bgp-communities", "bfd-profiles"])
}

/// A configuration as it is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigText {
    /// The text.
    pub(crate) text: String,
    /// Its place in the file.
    pub(crate) origin: Origin,
    /// The annotation [`RENUMBER`] of the ConfigMap.
    pub(crate) renumber: Option<String>,
}

/// The annotation of the ConfigMap by which somebody says that one configuration may take away
/// addresses in use.
pub(crate) const RENUMBER: &str = "carillon/renumber";
