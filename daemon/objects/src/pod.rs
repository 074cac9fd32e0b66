//! Pod: where another daemon is reached.

use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::FieldError;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Pod",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "pods",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::Pod,
    selection: Selection::Daemons,
    beside_configuration: true,
    reader: Reader::of::<PodObject>(),
};

/// A Pod as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
}

impl Manifest for PodObject {
    const FIELDS: Table = &[];

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Its address, if it has one and has not ended.
    fn convert(self, _name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let has_ended = matches!(&*self.status.phase, "Succeeded" | "Failed");
        let address = self.status.pod_ip.parse().ok().filter(|_| !has_ended);
        Ok((Object::Pod(address), Vec::new()))
    }
}
