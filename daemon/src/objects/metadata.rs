//! Object metadata, and the checks that the API server would have made of it.

use std::collections::BTreeMap;

use carillon_core::config::error::quote;
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::tree::{FieldError, Path};

/// The part of `metadata` that tells one object from all others. It is read apart from the rest:
/// what is wrong in that is then wrong in an object that is known.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    name: Option<String>,
    namespace: Option<String>,
    #[cfg(feature = "kubernetes")]
    uid: Option<Box<str>>,
    #[cfg(feature = "kubernetes")]
    resource_version: Option<Box<str>>,
}

/// The rest of `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    /// `metadata.labels`.
    pub(crate) labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub(crate) annotations: BTreeMap<String, String>,
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
    #[cfg(feature = "kubernetes")]
    pub(super) fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// `metadata.resourceVersion`.
    #[cfg(feature = "kubernetes")]
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
