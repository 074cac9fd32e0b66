//! What is in the cluster: the Services, and what configures.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::Result;
use serde_json::{Value, json};

use super::services::{self, CONFIGURATION, Protocol, SERVICES, collection};
use crate::kubernetes::ApiServer;

/// The kinds in which MetalLB says what it does.
const STATUSES: [(&str, &str); 3] = [
    ("v1beta1", "servicel2statuses"),
    ("v1beta1", "servicebgpstatuses"),
    ("v1beta1", "configurationstates"),
];

/// The objects of a moment, by kind and name.
pub(super) struct Inventory {
    services: BTreeMap<String, Value>,
    configuration: BTreeMap<String, Value>,
    statuses: BTreeMap<String, Value>,
}

impl Inventory {
    /// Those of now.
    pub(super) fn read(api: &ApiServer) -> Result<Self> {
        let mut services = list(api, SERVICES, "services")?;
        services.retain(|_, service| Protocol::of(service).is_some());
        let mut configuration = BTreeMap::new();
        for kind in CONFIGURATION {
            configuration.extend(list(api, &collection(kind), kind.1)?);
        }
        let mut statuses = BTreeMap::new();
        for kind in STATUSES {
            statuses.extend(list(api, &collection(kind), kind.1)?);
        }
        Ok(Self {
            services,
            configuration,
            statuses,
        })
    }

    /// The first Services with what is said of them, and all that configures, as a list.
    pub(super) fn some(&self, services: usize) -> Value {
        let names: BTreeSet<_> = (0..services).map(services::name).collect();
        let is_one = |object: &&Value| {
            let name = ["/status/serviceName", "/metadata/name"].map(|at| object.pointer(at));
            let name = name.into_iter().flatten().find_map(Value::as_str);
            name.is_some_and(|name| names.contains(name) || name.starts_with("speaker-"))
        };
        let chosen = self.configuration.values();
        let chosen = chosen.chain(self.services.values().filter(is_one));
        let chosen = chosen.chain(self.statuses.values().filter(is_one));
        let items: Vec<_> = chosen.map(without_version).collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }

    /// How many Services there are.
    pub(super) fn services(&self) -> usize {
        self.services.len()
    }

    /// All addresses of the Services of a protocol.
    pub(super) fn addresses(&self, protocol: Protocol) -> BTreeSet<IpAddr> {
        let services = self.services.values();
        let services = services.filter(|service| Protocol::of(service) == Some(protocol));
        services.flat_map(addresses).collect()
    }

    /// The Services that have no address.
    pub(super) fn without_address(&self) -> Vec<&str> {
        let services = self.services.iter();
        let lacking = services.filter(|(_, service)| addresses(service).is_empty());
        lacking.map(|(name, _)| name.as_str()).collect()
    }

    /// The Services whose addresses are others than before.
    pub(super) fn moved(&self, after: &Self) -> Vec<String> {
        let mut moved = Vec::new();
        for (name, before) in &self.services {
            let before = addresses(before);
            let after = after.services.get(name).map(addresses).unwrap_or_default();
            if before != after {
                moved.push(format!("{name}: {before:?} became {after:?}"));
            }
        }
        moved
    }

    /// The objects of which more has changed than that somebody wrote them, and how.
    pub(super) fn changed(&self, after: &Self) -> Vec<String> {
        let kinds = [
            (&self.services, &after.services),
            (&self.configuration, &after.configuration),
        ];
        let mut changed = Vec::new();
        for (before, after) in kinds {
            for (name, before) in before {
                let after = after.get(name);
                if after.map(content) != Some(content(before)) {
                    changed.push(format!("{name}: {before} became {after:?}"));
                }
            }
        }
        changed
    }

    /// How many Services were written.
    pub(super) fn rewritten(&self, after: &Self) -> usize {
        let version = |service: &Value| service.pointer("/metadata/resourceVersion").cloned();
        let written = self.services.iter().filter(|(name, before)| {
            after.services.get(*name).and_then(version) != version(before)
        });
        written.count()
    }
}

fn list(api: &ApiServer, path: &str, plural: &str) -> Result<BTreeMap<String, Value>> {
    let list = api.get(path)?;
    let items = list.pointer("/items").and_then(Value::as_array);
    let named = |item: &Value| {
        let name = item.pointer("/metadata/name")?.as_str()?;
        let mut item = item.clone();
        if let Some(item) = item.as_object_mut() {
            // In lists, Kubernetes' own kinds leave them out.
            item.entry("apiVersion").or_insert(json!("v1"));
            item.entry("kind").or_insert(json!("Service"));
        }
        Some((format!("{plural}/{name}"), item))
    };
    Ok(items.into_iter().flatten().filter_map(named).collect())
}

/// The addresses of a Service, in their order.
fn addresses(service: &Value) -> Vec<IpAddr> {
    let ingress = service.pointer("/status/loadBalancer/ingress");
    let ingress = ingress.and_then(Value::as_array).into_iter().flatten();
    let texts = ingress.filter_map(|ingress| ingress.get("ip")?.as_str());
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// An object without what the API server writes by itself. What counts the addresses of a pool is
/// true for a moment only.
fn content(object: &Value) -> Value {
    let mut object = without_version(object);
    if object.pointer("/spec/addresses").is_some()
        && let Some(object) = object.as_object_mut()
    {
        object.remove("status");
    }
    object
}

/// An object without what changes whenever it is written.
fn without_version(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object.pointer_mut("/metadata");
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
    }
    object
}
