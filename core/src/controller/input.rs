//! What the controller takes in.

use std::net::IpAddr;
use std::sync::Arc;

use arcstr::ArcStr;

use crate::config::Config;
use crate::labels::Labels;
use crate::service::{Service, ServiceKey};

/// What the controller takes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// The configuration, in its newest valid form.
    Config(Arc<Config>),
    /// The same, and somebody has said that this one may take away addresses in use.
    Renumber(Arc<Config>),
    /// The configuration that was in force before the restart. It is so again until the newest one
    /// can take effect.
    InForceBefore(Arc<Config>),
    /// A service appeared or changed.
    Service(Service),
    /// A service is gone.
    ServiceDeleted(ServiceKey),
    /// A service that is not known, perhaps only not yet, has these addresses. No other service gets
    /// them until it appears or is deleted.
    Reserved(ServiceKey, Vec<IpAddr>),
    /// The labels of a namespace that appeared or changed.
    Namespace(ArcStr, Labels),
    /// A namespace is gone.
    NamespaceDeleted(ArcStr),
    /// Every namespace that existed at the start has been handed over. Where pools select namespaces,
    /// nothing is decided until then.
    NamespacesKnown,
    /// Every service and the configuration that existed at the start have been handed over. Until then
    /// nothing is decided.
    Synced,
    /// From here on it is for this controller to grant, or no longer. What services publish must be
    /// known to be the newest before it may lead.
    Lead(bool),
}

impl Input {
    /// The only namespace that it is about, if it is about one.
    pub fn namespace(&self) -> Option<&ArcStr> {
        match self {
            Self::Namespace(name, _) | Self::NamespaceDeleted(name) => Some(name),
            Self::Config(_)
            | Self::Renumber(_)
            | Self::InForceBefore(_)
            | Self::Service(_)
            | Self::ServiceDeleted(_)
            | Self::Reserved(..)
            | Self::NamespacesKnown
            | Self::Synced
            | Self::Lead(_) => None,
        }
    }
}
