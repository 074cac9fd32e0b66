//! EndpointSlice: from Kubernetes to the core.

use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::endpoint::{Endpoint, EndpointSlice};
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::metadata::Metadata;

#[cfg(test)]
mod tests;
pub(super) mod validate;

/// The label that names the Service of a slice.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// An EndpointSlice as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSliceObject {
    pub(super) metadata: Metadata,
    address_type: Option<String>,
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
    /// The slice in the core's words; `None` when nobody's traffic gets to it: it belongs to no
    /// Service, or its endpoints are names (`addressType: FQDN`), which kube-proxy passes over.
    pub(super) fn convert(self, key: &ServiceKey) -> Option<EndpointSlice> {
        let service = self.metadata.labels.get(SERVICE_LABEL)?;
        let service = ServiceKey::new(key.namespace(), service);
        let family = self.family()?;
        let endpoints = self.endpoints.into_iter().flatten();
        let endpoints = endpoints.map(EndpointObject::convert);
        Some(EndpointSlice::new(key.clone(), service, family, endpoints))
    }

    /// The family of its endpoints. An object from a file may lack what the API server demands: then
    /// the addresses tell.
    fn family(&self) -> Option<Family> {
        match self.address_type.as_deref() {
            Some("IPv4") => return Some(Family::V4),
            Some("IPv6") => return Some(Family::V6),
            Some(_) => return None,
            None => {}
        }
        let endpoints = self.endpoints.iter().flatten();
        let mut addresses = endpoints.flat_map(|endpoint| &endpoint.addresses);
        let first = addresses.next().map(|address| address.parse::<IpAddr>());
        match first {
            Some(Ok(address)) => Some(Family::of(address)),
            Some(Err(_)) => None,
            None => Some(Family::V4),
        }
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
