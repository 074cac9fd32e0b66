//! The labels of all Nodes, which is what advertisements select nodes by.
//!
//! Of a Node an API server is asked for its metadata alone: every daemon of the cluster hears of every
//! change of every Node, and the rest is many times as much.

use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::FieldError;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Node",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "nodes",
    namespaced: false,
    names: None,
    in_files: false,
    purpose: Purpose::NodeLabels,
    selection: Selection::All,
    beside_configuration: false,
    reader: Reader::of::<NodeMetadata>(),
};

/// A Node without all but its metadata.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeMetadata {
    metadata: Metadata,
}

impl Manifest for NodeMetadata {
    const FIELDS: Table = &[];

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, _name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let labels = self.metadata.labels.iter().collect();
        Ok((Object::NodeLabels(labels), Vec::new()))
    }
}
