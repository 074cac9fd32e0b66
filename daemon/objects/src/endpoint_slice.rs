//! EndpointSlice: from Kubernetes to the core.

use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::endpoint::{Endpoint, EndpointSlice};
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::FieldError;
use super::validate::format::Name;
use super::validate::{Cursor, Found};

#[cfg(test)]
mod tests;
mod validate;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "EndpointSlice",
    group: "discovery.k8s.io",
    version: "v1",
    older_versions: &["v1beta1"],
    plural: "endpointslices",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: true,
    purpose: Purpose::EndpointSlice,
    // Those of headless Services, which cannot be load balancers, are not followed by kube-proxy, either.
    selection: Selection::Labels("kubernetes.io/service-name,!service.kubernetes.io/headless"),
    beside_configuration: false,
    reader: Reader::of::<EndpointSliceObject>(),
};

const FIELDS: Table = &[
    (
        "",
        &[
            "addressType",
            "apiVersion",
            "endpoints",
            "kind",
            "metadata",
            "ports",
        ],
    ),
    (
        "endpoints[]",
        &[
            "addresses",
            "conditions",
            "deprecatedTopology",
            "hints",
            "hostname",
            "nodeName",
            "targetRef",
            // Of v1beta1.
            "topology",
            "zone",
        ],
    ),
    (
        "endpoints[].conditions",
        &["ready", "serving", "terminating"],
    ),
    ("endpoints[].hints", &["forNodes", "forZones"]),
    ("endpoints[].hints.forNodes[]", &["name"]),
    ("endpoints[].hints.forZones[]", &["name"]),
    (
        "endpoints[].targetRef",
        &[
            "apiVersion",
            "fieldPath",
            "kind",
            "name",
            "namespace",
            "resourceVersion",
            "uid",
        ],
    ),
    ("ports[]", &["appProtocol", "name", "port", "protocol"]),
];

/// The label that names the Service of a slice.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// An EndpointSlice as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSliceObject {
    metadata: Metadata,
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

impl Manifest for EndpointSliceObject {
    const FIELDS: Table = FIELDS;

    fn check(object: &Cursor<'_>, found: &mut Found) {
        validate::check(object, found);
    }

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        Ok((Object::EndpointSlice(self.slice(name)), Vec::new()))
    }
}

impl EndpointSliceObject {
    /// The slice in the core's words; `None` when nobody's traffic gets to it: it belongs to no
    /// Service, or its endpoints are names (`addressType: FQDN`), which kube-proxy passes over.
    fn slice(self, key: &ServiceKey) -> Option<EndpointSlice> {
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
