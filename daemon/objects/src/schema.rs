//! Which fields the objects of Kubernetes have, so that in a file a misspelt one is an error, as it
//! is for an API server that validates strictly.
//!
//! The tables have what any version of Kubernetes has or had. An API server sends no others, so that
//! its objects need no check.

use std::rc::Rc;

use carillon_core::config::error::{quote, suggest};
use carillon_core::yaml::{Content, Entry};

use super::Kind;
use super::tree::{FieldError, Path, Value};

#[cfg(test)]
mod tests;

/// The mappings of an object by their place, `[]` for each item of a list, with the fields of each.
/// A mapping that is in no table has keys of the user's choice, or is of no interest.
pub(super) type Table = &'static [(&'static str, &'static [&'static str])];

/// The metadata that objects of every kind have.
const METADATA: Table = &[
    (
        "metadata",
        &[
            "annotations",
            "clusterName",
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generateName",
            "generation",
            "initializers",
            "labels",
            "managedFields",
            "name",
            "namespace",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
        ],
    ),
    (
        "metadata.managedFields[]",
        &[
            "apiVersion",
            "fieldsType",
            "fieldsV1",
            "manager",
            "operation",
            "subresource",
            "time",
            // Of v1.14 and v1.15.
            "fields",
        ],
    ),
    (
        "metadata.ownerReferences[]",
        &[
            "apiVersion",
            "blockOwnerDeletion",
            "controller",
            "kind",
            "name",
            "uid",
        ],
    ),
];

fn tables(kind: Kind) -> [Table; 2] {
    [METADATA, kind.info().reader.fields]
}

/// The fields of an object that no object of its kind has, and those that are there twice.
pub(super) fn errors(kind: Kind, object: Value<'_>) -> Vec<FieldError> {
    let mut check = Check {
        tables: tables(kind),
        errors: Vec::new(),
    };
    check.value(object, &Path::default(), "");
    check.errors
}

struct Check {
    tables: [Table; 2],
    errors: Vec<FieldError>,
}

impl Check {
    fn value(&mut self, value: Value<'_>, path: &Path, place: &str) {
        match &value.0.content {
            Content::Mapping(entries) => self.mapping(entries, path, place),
            Content::Sequence(items) => {
                let place = format!("{place}[]");
                for (n, item) in items.iter().enumerate() {
                    self.value(Value(item), &path.clone().item(n), &place);
                }
            }
            Content::Null | Content::Scalar { .. } => {}
        }
    }

    fn mapping(&mut self, entries: &[Entry], path: &Path, place: &str) {
        let Some(known) = self.fields(place) else {
            // It may contain one that is known all the same.
            return self.within(entries, path, place);
        };
        for (n, entry) in entries.iter().enumerate() {
            let path = path.clone().field(Rc::clone(&entry.key));
            if !known.contains(&&*entry.key) {
                let message = self.unknown(&entry.key, known);
                self.errors
                    .push(FieldError::at(path, entry.position, message));
            } else if entries.iter().take(n).any(|other| other.key == entry.key) {
                self.errors.push(FieldError::twice(path, entry.position));
            }
        }
        self.within(entries, path, place);
    }

    fn within(&mut self, entries: &[Entry], path: &Path, place: &str) {
        for entry in entries {
            let below = match place {
                "" => entry.key.to_string(),
                place => format!("{place}.{}", entry.key),
            };
            let has_more = |(place, _): &(&str, _)| place.starts_with(&below);
            if self.tables.iter().any(|table| table.iter().any(has_more)) {
                self.value(
                    Value(&entry.value),
                    &path.clone().field(Rc::clone(&entry.key)),
                    &below,
                );
            }
        }
    }

    fn fields(&self, place: &str) -> Option<&'static [&'static str]> {
        let mut rows = self.tables.iter().flat_map(|table| table.iter());
        rows.find(|(of, _)| *of == place).map(|(_, fields)| *fields)
    }

    /// What is wrong with a field, and what would be right.
    fn unknown(&self, key: &str, known: &[&'static str]) -> String {
        if let Some(meant) = suggest(key, known) {
            return format!("unknown field, did you mean {meant:?}?");
        }
        let rows = self.tables.iter().flat_map(|table| table.iter());
        // What only programs write is not meant.
        let is_written = |place: &&str| {
            let programs = [
                "status",
                "metadata.managedFields",
                "metadata.ownerReferences",
            ];
            !programs.iter().any(|of| place.starts_with(of))
        };
        let elsewhere = rows.filter(|(_, fields)| fields.contains(&key));
        let elsewhere = elsewhere.map(|(place, _)| *place).filter(is_written);
        let elsewhere: Vec<&str> = elsewhere
            .map(|place| {
                if place.is_empty() {
                    "the object itself"
                } else {
                    place
                }
            })
            .collect();
        if elsewhere.is_empty() {
            format!("Kubernetes has no field {} here: remove it", quote(key))
        } else {
            let places = elsewhere.join(" or ");
            format!("unknown field: it belongs into {places}, check the indentation")
        }
    }
}
