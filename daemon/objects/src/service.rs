//! Service: from Kubernetes to the core.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use carillon_core::address::Family;
use carillon_core::labels::Labels;
use carillon_core::service::{
    Annotations, Families, FamiliesError, FamilyPolicy, Ingress, Port, Protocol, Service,
    ServiceFacts, ServiceKey, TrafficPolicy,
};
use carillon_core::text::{bounded, bounded_labels, excerpt};
use serde::Deserialize;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::{FieldError, Path};
use super::validate::format::Name;
use super::validate::{Cursor, Found, unknown};

mod fields;
#[cfg(test)]
mod tests;
mod validate;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Service",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "services",
    namespaced: true,
    // Since v1.34 it may begin with a digit, as those of others may.
    names: Some(Name::Label),
    in_files: true,
    purpose: Purpose::Service,
    selection: Selection::All,
    beside_configuration: false,
    reader: Reader::of::<ServiceObject>(),
};

/// The annotation that names the pool of a Service's addresses.
pub const ALLOCATED_FROM: &str = "metallb.io/ip-allocated-from-pool";

/// What is published about a Service's addresses.
pub(super) struct Published {
    /// The annotation [`ALLOCATED_FROM`], as [`bounded`] text.
    pub(super) pool: Option<Box<str>>,
    /// `status.loadBalancer.ingress[].ipMode` of each address that has one.
    pub(super) ip_modes: Vec<(IpAddr, Box<str>)>,
    /// The annotations with the prefix of old.
    pub(super) deprecated: Box<[&'static str]>,
}

/// A Service as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServiceObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    r#type: Option<String>,
    load_balancer_class: Option<String>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    ip_families: Vec<String>,
    ip_family_policy: Option<String>,
    #[serde(rename = "loadBalancerIP")]
    load_balancer_ip: Option<String>,
    ports: Vec<PortObject>,
    external_traffic_policy: Option<String>,
    health_check_node_port: Option<i64>,
    selector: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct PortObject {
    port: i64,
    protocol: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    load_balancer: LoadBalancerStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancerStatus {
    ingress: Vec<IngressObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct IngressObject {
    ip: Option<String>,
    hostname: Option<String>,
    #[serde(rename = "ipMode")]
    ip_mode: Option<String>,
}

impl Manifest for ServiceObject {
    const FIELDS: Table = fields::FIELDS;

    fn check(object: &Cursor<'_>, found: &mut Found) {
        validate::check(object, found);
    }

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// What its annotations and labels probably mean, and do not say.
    fn remarks(&self) -> Vec<FieldError> {
        let metadata = [
            ("annotations", &self.metadata.annotations),
            ("labels", &self.metadata.labels),
        ];
        let mut remarks = Vec::new();
        for (field, keys) in metadata {
            for key in keys.keys() {
                let meant = match field {
                    "annotations" => Annotations::meant(key),
                    _ => Annotations::near(key),
                };
                remarks.extend(meant.map(|meant| {
                    let message = match field {
                        "annotations" => format!("has no meaning, did you mean {meant:?}?"),
                        _ => format!("has no meaning as a label: write the annotation {meant:?}"),
                    };
                    FieldError::new(Path::fields(&["metadata", field, key]), message)
                }));
            }
        }
        remarks
    }

    fn published(&self) -> Option<Published> {
        let ip_mode = |entry: &IngressObject| {
            let address = entry.ip.as_deref()?.parse().ok()?;
            Some((address, entry.ip_mode.as_deref()?.into()))
        };
        let ingress = self.status.load_balancer.ingress.iter();
        let pool = self.metadata.annotations.get(ALLOCATED_FROM);
        Some(Published {
            pool: pool.map(|pool| bounded(pool).into()),
            ip_modes: ingress.filter_map(ip_mode).collect(),
            deprecated: Annotations(&self.metadata.annotations)
                .deprecated()
                .collect(),
        })
    }

    /// A value that is not known here counts as if it were not written: a newer API server may know
    /// it. But it must be known whether the Service is of type `LoadBalancer`.
    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let mut unknown = Vec::new();
        let spec = &self.spec;
        let policy = spec.family_policy(&mut unknown);
        let first_families = spec.families(&mut unknown);
        let external_traffic_policy = spec.traffic_policy(&mut unknown);
        let health_check_node_port = spec.health_check_node_port();
        let ports = spec.ports(&mut unknown);
        let is_load_balancer = match spec.is_load_balancer() {
            Ok(is_load_balancer) => is_load_balancer,
            Err(error) => {
                unknown.push(error);
                return Err(unknown);
            }
        };
        let annotations = Annotations(&self.metadata.annotations);
        let requests = annotations.requests(spec.load_balancer_ip.as_deref());
        let asked = requests.addresses.as_deref().unwrap_or_default();
        let families = spec.wanted(policy, &first_families, asked);
        // To all others it does not matter, and there may be many.
        let shares = requests.sharing_key.is_some();
        let class = self.spec.load_balancer_class;
        let facts = ServiceFacts {
            is_load_balancer,
            load_balancer_class: class.map(|class| bounded(&class).into_owned()),
            families,
            requests,
            ports,
            health_check_node_port: match external_traffic_policy {
                TrafficPolicy::Local => health_check_node_port,
                TrafficPolicy::Cluster => None,
            },
            external_traffic_policy,
            selector: if shares {
                bounded_labels(self.spec.selector)
            } else {
                BTreeMap::new()
            },
        };
        let ingress = self.status.load_balancer.ingress.into_iter().map(ingress);
        let mut service = Service::new(name.clone(), facts, ingress);
        if service.is_load_balancer {
            service.set_labels(Labels::bounded(&self.metadata.labels));
        }
        let pool = self.metadata.annotations.get(ALLOCATED_FROM);
        service.set_given_from(pool.map(|pool| bounded(pool).into()));
        Ok((Object::Service(service), unknown))
    }
}

impl Spec {
    fn is_load_balancer(&self) -> Result<bool, FieldError> {
        match self.r#type.as_deref().unwrap_or_default() {
            "LoadBalancer" => Ok(true),
            "" | "ClusterIP" | "NodePort" | "ExternalName" => Ok(false),
            other => {
                let right = "LoadBalancer (or ClusterIP, NodePort, ExternalName)";
                let path = Path::fields(&["spec", "type"]);
                Err(FieldError::new(path, unknown(other, right)))
            }
        }
    }

    fn traffic_policy(&self, errors: &mut Vec<FieldError>) -> TrafficPolicy {
        match self.external_traffic_policy.as_deref().unwrap_or_default() {
            "" | "Cluster" => TrafficPolicy::Cluster,
            "Local" => TrafficPolicy::Local,
            other => {
                let path = Path::fields(&["spec", "externalTrafficPolicy"]);
                errors.push(FieldError::new(path, unknown(other, "Cluster or Local")));
                TrafficPolicy::Cluster
            }
        }
    }

    /// 0, or none, where no service proxy says anything.
    fn health_check_node_port(&self) -> Option<NonZeroU16> {
        let port = u16::try_from(self.health_check_node_port?).ok()?;
        NonZeroU16::new(port)
    }

    fn family_policy(&self, errors: &mut Vec<FieldError>) -> Option<FamilyPolicy> {
        match self.ip_family_policy.as_deref().unwrap_or_default() {
            "" => None,
            "SingleStack" => Some(FamilyPolicy::SingleStack),
            "PreferDualStack" => Some(FamilyPolicy::PreferDualStack),
            "RequireDualStack" => Some(FamilyPolicy::RequireDualStack),
            other => {
                let right = "SingleStack, PreferDualStack or RequireDualStack";
                let path = Path::fields(&["spec", "ipFamilyPolicy"]);
                errors.push(FieldError::new(path, unknown(other, right)));
                // Of a newer API server: a Service keeps the two addresses that it has.
                (self.cluster_ips().len() > 1).then_some(FamilyPolicy::PreferDualStack)
            }
        }
    }

    fn families(&self, errors: &mut Vec<FieldError>) -> Vec<Family> {
        let path = Path::fields(&["spec", "ipFamilies"]);
        let mut families = Vec::new();
        for (n, name) in self.ip_families.iter().enumerate() {
            let path = path.clone().item(n);
            let family = match name.as_str() {
                "IPv4" => Family::V4,
                "IPv6" => Family::V6,
                other => {
                    errors.push(FieldError::new(path, unknown(other, "IPv4 or IPv6")));
                    continue;
                }
            };
            if families.contains(&family) {
                let message = format!("{family} is there twice: remove one");
                errors.push(FieldError::new(path, message));
            } else {
                families.push(family);
            }
        }
        families
    }

    fn ports(&self, errors: &mut Vec<FieldError>) -> BTreeSet<Port> {
        let ports = Path::fields(&["spec", "ports"]);
        let mut found = BTreeSet::new();
        for (n, port) in self.ports.iter().enumerate() {
            match port.convert(&ports.clone().item(n)) {
                Ok(port) => drop(found.insert(port)),
                Err(error) => errors.push(error),
            }
        }
        found
    }

    /// The families that the service should get. An object from a file may lack what the API server
    /// would have filled in: then they follow from `ipFamilies`, else from the addresses asked for,
    /// else they are IPv4.
    fn wanted(
        &self,
        policy: Option<FamilyPolicy>,
        first: &[Family],
        asked: &[IpAddr],
    ) -> Result<Families, FamiliesError> {
        let cluster_ips = self.cluster_ips();
        if !cluster_ips.is_empty() {
            return Families::of(
                &cluster_ips,
                first.first().copied(),
                policy.unwrap_or_default(),
            );
        }
        let of_asked: Vec<Family> = asked.iter().copied().map(Family::of).collect();
        let families = if first.is_empty() {
            of_asked.as_slice()
        } else {
            first
        };
        let primary = families.first().copied().unwrap_or(Family::V4);
        match (policy, families.len()) {
            (Some(FamilyPolicy::SingleStack), 2..) => Err(FamiliesError::SingleStackWithBoth),
            (Some(FamilyPolicy::RequireDualStack), _) | (None, 2..) => Ok(Families::Both),
            (Some(FamilyPolicy::PreferDualStack), _) => Ok(Families::PreferBoth { primary }),
            (Some(FamilyPolicy::SingleStack) | None, 0 | 1) => Ok(Families::One(primary)),
        }
    }

    fn cluster_ips(&self) -> Vec<String> {
        let single = self.cluster_ip.iter().filter(|ip| !ip.is_empty());
        if self.cluster_ips.is_empty() {
            single.cloned().collect()
        } else {
            self.cluster_ips.clone()
        }
    }
}

impl PortObject {
    fn convert(&self, path: &Path) -> Result<Port, FieldError> {
        let number = match u16::try_from(self.port) {
            Ok(number) if number > 0 => number,
            _ => {
                let message = format!("{} is not a port number, 1 to 65535", self.port);
                return Err(FieldError::new(path.clone().field("port"), message));
            }
        };
        let protocol = match self.protocol.as_deref().unwrap_or_default() {
            "" | "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            other => {
                let path = path.clone().field("protocol");
                return Err(FieldError::new(path, unknown(other, "TCP, UDP or SCTP")));
            }
        };
        Ok(Port { protocol, number })
    }
}

fn ingress(entry: IngressObject) -> Ingress {
    let text = entry.ip.unwrap_or_default();
    match text.parse() {
        Ok(address) => Ingress::Address(address),
        Err(_) => Ingress::Other(excerpt(&entry.hostname.unwrap_or(text)).into()),
    }
}
