//! Object metadata, and the checks that the API server would have made of it.

use std::collections::BTreeMap;

use carillon_core::config::error::quote;
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::tree::{FieldError, Path};

pub(super) mod validate;

/// The part of `metadata` that tells one object from all others. It is read apart from the rest:
/// what is wrong in that is then wrong in an object that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
}

/// The rest of `metadata`; of what an API server sends, all of it, so that it is read once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    /// `metadata.creationTimestamp`.
    pub creation_timestamp: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.ownerReferences`.
    pub owner_references: Vec<OwnerReference>,
}

/// An object that another one goes with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OwnerReference {
    /// Its `metadata.uid`.
    pub uid: Box<str>,
}

impl Metadata {
    /// What tells the object from all others.
    pub(super) fn identity(&mut self) -> Identity {
        Identity {
            name: self.name.take(),
            namespace: self.namespace.take(),
            uid: self.uid.take(),
            resource_version: self.resource_version.take(),
        }
    }
}

impl Identity {
    /// The namespace (`default` if none is given) and the name.
    ///
    /// # Errors
    /// One of them could not be the name of anything.
    pub(crate) fn key(&self) -> Result<ServiceKey, FieldError> {
        let namespace = self.namespace.as_deref().filter(|text| !text.is_empty());
        let namespace = namespace.unwrap_or("default");
        let name = self.name.as_deref().unwrap_or_default();
        for (field, text) in [("namespace", namespace), ("name", name)] {
            check(text)
                .map_err(|wrong| FieldError::new(Path::fields(&["metadata", field]), wrong))?;
        }
        Ok(ServiceKey::new(namespace, name))
    }

    /// `metadata.uid`.
    pub(super) fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// `metadata.resourceVersion`.
    pub(super) fn version(&self) -> Option<&str> {
        self.resource_version.as_deref()
    }
}

/// Names are told in logs and tables, and namespace and name are joined by a slash: neither may
/// confuse.
fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is missing; every object needs a name".to_owned());
    }
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if name.len() <= 253 && name.chars().all(usual) {
        return Ok(());
    }
    Err(format!(
        "{} is not a name: up to 253 letters, digits, `-` and `.`, for example web-1",
        quote(name)
    ))
}
