//! EndpointSlice: from Kubernetes to the core.

use carillon_core::endpoint::{Endpoint, EndpointSlice};
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::metadata::Metadata;

/// The label that names the Service of a slice.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// An EndpointSlice as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EndpointSliceObject {
    metadata: Metadata,
    /// The API server writes null where there are none.
    #[serde(default)]
    endpoints: Option<Vec<EndpointObject>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointObject {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Conditions,
    node_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
}

impl EndpointSliceObject {
    /// The slice in the core's words; `None` when it belongs to no Service.
    pub(super) fn convert(self, key: &ServiceKey) -> Option<EndpointSlice> {
        let service = self.metadata.labels.get(SERVICE_LABEL)?;
        let service = ServiceKey::new(key.namespace(), service);
        let endpoints = self
            .endpoints
            .into_iter()
            .flatten()
            .map(EndpointObject::convert);
        let mut endpoints: Vec<Endpoint> = endpoints.collect();
        // They may have been collected in the room of the larger objects.
        endpoints.shrink_to_fit();
        Some(EndpointSlice {
            key: key.clone(),
            service,
            endpoints,
        })
    }
}

impl EndpointObject {
    fn convert(self) -> Endpoint {
        Endpoint {
            node: self.node_name.as_deref().map(Into::into),
            has_address: !self.addresses.is_empty(),
            ready: self.conditions.ready,
            serving: self.conditions.serving,
        }
    }
}
