//! Namespaces, whose labels are what pools select them by.
//!
//! An API server is asked for their metadata alone, as of Nodes.

use carillon_core::labels::Labels;
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
    name: "Namespace",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "namespaces",
    namespaced: false,
    names: Some(Name::Label),
    in_files: true,
    purpose: Purpose::Namespace,
    selection: Selection::All,
    beside_configuration: false,
    reader: Reader::of::<NamespaceObject>(),
};

const FIELDS: Table = &[
    ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
    ("spec", &["finalizers"]),
    ("status", &["conditions", "phase"]),
];

/// A Namespace without all but its metadata.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NamespaceObject {
    metadata: Metadata,
}

impl Manifest for NamespaceObject {
    const FIELDS: Table = FIELDS;

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, _name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let labels = Labels::bounded(&self.metadata.labels);
        Ok((Object::Namespace(labels), Vec::new()))
    }
}
