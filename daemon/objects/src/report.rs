//! What daemons write of what they do, each in objects of its own.

use std::sync::Arc;

use carillon_core::service::ServiceKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Object;
use super::configuration_state::ConfigurationStatus;
use super::manifest::Manifest;
use super::metadata::Metadata;
use super::metallb::ip_address_pool::IpAddressPoolStatus;
use super::schema::Table;
use super::service_bgp_status::ServiceBgpStatus;
use super::service_l2_status::ServiceL2Status;
use super::tree::FieldError;

/// The label with the node that is told of.
pub const NODE_LABEL: &str = "metallb.io/node";
/// The label with the name of the Service that is told of.
pub const SERVICE_LABEL: &str = "metallb.io/service-name";
/// The label with its namespace.
pub const NAMESPACE_LABEL: &str = "metallb.io/service-namespace";

/// An object in which a daemon tells what it does, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// [`NODE_LABEL`].
    pub node: Option<Box<str>>,
    /// The Service of [`NAMESPACE_LABEL`] and [`SERVICE_LABEL`].
    pub service: Option<ServiceKey>,
    /// `metadata.ownerReferences[].uid`.
    pub owners: Box<[Box<str>]>,
    /// What it says.
    pub status: ReportStatus,
}

/// The status of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportStatus {
    /// Where a Service is announced at layer 2.
    Layer2(ServiceL2Status),
    /// To which BGP peers a node announces a Service.
    Bgp(ServiceBgpStatus),
    /// What a daemon makes of the configuration.
    Configuration(ConfigurationStatus),
    /// How full a pool is, if it has been told yet.
    Pool(Option<IpAddressPoolStatus>),
}

impl From<ServiceL2Status> for ReportStatus {
    fn from(status: ServiceL2Status) -> Self {
        Self::Layer2(status)
    }
}

impl From<ServiceBgpStatus> for ReportStatus {
    fn from(status: ServiceBgpStatus) -> Self {
        Self::Bgp(status)
    }
}

impl From<ConfigurationStatus> for ReportStatus {
    fn from(status: ConfigurationStatus) -> Self {
        Self::Configuration(status)
    }
}

impl From<Option<IpAddressPoolStatus>> for ReportStatus {
    fn from(status: Option<IpAddressPoolStatus>) -> Self {
        Self::Pool(status)
    }
}

/// Such an object as Kubernetes writes it.
#[derive(Deserialize)]
#[serde(bound = "S: Default + Deserialize<'de>")]
pub(super) struct ReportObject<S> {
    metadata: Metadata,
    #[serde(default)]
    status: S,
}

impl<S: Default + DeserializeOwned + Into<ReportStatus>> Manifest for ReportObject<S> {
    const FIELDS: Table = &[];

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, _name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let Metadata {
            labels,
            owner_references,
            ..
        } = self.metadata;
        let label = |key| labels.get(key).map(String::as_str);
        let service = label(NAMESPACE_LABEL).zip(label(SERVICE_LABEL));
        let report = Report {
            node: label(NODE_LABEL).map(Into::into),
            service: service.map(|(namespace, name)| ServiceKey::new(namespace, name)),
            owners: owner_references
                .into_iter()
                .map(|owner| owner.uid)
                .collect(),
            status: self.status.into(),
        };
        Ok((Object::Report(Arc::new(report)), Vec::new()))
    }
}
