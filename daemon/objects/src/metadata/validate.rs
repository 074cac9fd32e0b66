//! Metadata as a strict API server wants it.

use carillon_core::service::ServiceKey;

use super::super::Kind;
use super::super::tree::{FieldError, Path};
use super::super::validate::format::{self, Name};
use super::super::validate::{Cursor, Found};

/// What is wrong with the name of an object, or its namespace.
pub(in super::super) fn names(kind: Kind, key: &ServiceKey) -> Vec<FieldError> {
    let info = kind.info();
    let name = info.names.and_then(|form| form.check(key.name()).err());
    let namespace = Some(Name::Label).filter(|_| info.namespaced);
    let namespace = namespace.and_then(|form| form.check(key.namespace()).err());
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
