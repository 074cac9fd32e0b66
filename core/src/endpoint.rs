//! What the core knows of the endpoints behind a Service.

use std::sync::Arc;

use crate::address::Family;
use crate::service::ServiceKey;

/// Namespace and name of an `EndpointSlice`.
pub type SliceKey = ServiceKey;

/// An `EndpointSlice`, reduced to what announcing depends on: whether anybody serves, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice itself.
    pub key: SliceKey,
    /// The Service it belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    /// The family of its endpoints' addresses. Traffic to an address of the other one never gets to
    /// them: kube-proxy keeps the families apart.
    pub family: Family,
    /// At least one of its endpoints can serve.
    pub serves: bool,
    /// The nodes with an endpoint that can, ascending, each once.
    pub nodes: Arc<[Arc<str>]>,
    /// Those of them with one that is ready; on the others all terminate.
    pub ready: Arc<[Arc<str>]>,
}

impl EndpointSlice {
    /// A slice with these endpoints.
    pub fn new(
        key: SliceKey,
        service: ServiceKey,
        family: Family,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        let mut serves = false;
        let (mut nodes, mut ready) = (Vec::new(), Vec::new());
        for endpoint in endpoints.into_iter().filter(Endpoint::can_serve) {
            serves = true;
            if endpoint.is_ready() {
                ready.extend(endpoint.node.clone());
            }
            nodes.extend(endpoint.node);
        }
        Self {
            key,
            service,
            family,
            serves,
            nodes: list(nodes),
            ready: list(ready),
        }
    }

    /// Whether an endpoint on this node can serve.
    pub fn serves_on(&self, node: &str) -> bool {
        self.nodes.binary_search_by(|on| (**on).cmp(node)).is_ok()
    }

    /// Whether one is ready there.
    pub fn is_ready_on(&self, node: &str) -> bool {
        self.ready.binary_search_by(|on| (**on).cmp(node)).is_ok()
    }
}

/// Names, ascending, each once.
fn list(mut names: Vec<Arc<str>>) -> Arc<[Arc<str>]> {
    names.sort_unstable();
    names.dedup();
    names.into()
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
    /// Whether it can serve: it is ready, or else still serving while it terminates; and it has an
    /// address.
    pub fn can_serve(&self) -> bool {
        self.has_address && (self.is_ready() || self.serving.unwrap_or(false))
    }

    /// Whether it is ready, as far as that is known: who says nothing of it is taken for ready.
    fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }
}
