//! What the core knows of the endpoints behind a Service.

use std::sync::Arc;

use crate::service::ServiceKey;

/// Namespace and name of an `EndpointSlice`.
pub type SliceKey = ServiceKey;

/// An `EndpointSlice`, reduced to what readiness and external traffic policy `Local` depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice itself.
    pub key: SliceKey,
    /// The Service it belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `nodeName`.
    pub node: Option<Arc<str>>,
    /// It has at least one address.
    pub has_address: bool,
    /// `conditions.ready`.
    pub ready: Option<bool>,
    /// `conditions.serving`.
    pub serving: Option<bool>,
}

impl Endpoint {
    /// Whether it can serve: ready (unknown counts as ready), or else still serving while it
    /// terminates; and it has an address (behaviour reference 4.2).
    pub fn can_serve(&self) -> bool {
        self.has_address && (self.ready.unwrap_or(true) || self.serving.unwrap_or(false))
    }
}
