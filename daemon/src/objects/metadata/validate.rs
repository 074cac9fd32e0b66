//! Metadata as a strict API server wants it.

use carillon_core::service::ServiceKey;

use super::super::Kind;
use super::super::tree::{FieldError, Path};
use super::super::validate::format::{self, Name};
use super::super::validate::{Cursor, Found};

/// What is wrong with the name of an object, or its namespace. Since v1.34 the name of a Service may
/// begin with a digit, as those of others may. That of a Node has to be the name of a host, whatever
/// that is.
pub(in super::super) fn names(kind: Kind, key: &ServiceKey) -> Vec<FieldError> {
    let form = match kind {
        Kind::Service => Some(Name::Label),
        Kind::ConfigMap | Kind::EndpointSlice | Kind::Pod => Some(Name::Subdomain),
        Kind::Node => None,
    };
    let name = form.and_then(|form| form.check(key.name()).err());
    let namespace = match kind {
        // It is in none, whatever is written.
        Kind::Node => None,
        Kind::ConfigMap | Kind::EndpointSlice | Kind::Pod | Kind::Service => {
            Name::Label.check(key.namespace()).err()
        }
    };
    let wrong = [("namespace", namespace), ("name", name)].into_iter();
    let wrong = wrong.filter_map(|(field, message)| Some((field, message?)));
    wrong
        .map(|(field, message)| FieldError::new(Path::fields(&["metadata", field]), message))
        .collect()
}

/// Checks labels and annotations.
pub(in super::super) fn check(object: &Cursor<'_>, found: &mut Found) {
    let metadata = object.field("metadata");
    labels(&metadata.field("labels"), found);
    for (key, at, value) in metadata.field("annotations").entries() {
        // Unlike those of labels, their domain names may be in capitals.
        if let Err(message) = format::qualified_name(&key.to_ascii_lowercase()) {
            found.errors.push(FieldError::at(value.path(), at, message));
        }
    }
}

/// Checks labels, or what selects by them.
pub(in super::super) fn labels(labels: &Cursor<'_>, found: &mut Found) {
    for (key, at, value) in labels.entries() {
        if let Err(message) = format::qualified_name(key) {
            found.errors.push(FieldError::at(value.path(), at, message));
        }
        let text = value.text(found);
        value.refuse_if_wrong(format::label_value(text), found);
    }
}
