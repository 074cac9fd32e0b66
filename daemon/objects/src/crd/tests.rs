use std::collections::BTreeSet;

use super::*;
use crate::kind::KINDS;

/// The fields of each mapping of a schema, as a table has them.
fn fields(schema: &Value, place: &str, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (field, schema) in properties {
            let below = format!("{place}.{field}");
            fields(schema, &below, found);
            found.insert(below);
        }
    }
    if schema["items"].is_object() {
        fields(&schema["items"], &format!("{place}[]"), found);
    }
}

#[test]
fn files_may_have_the_fields_that_are_defined() {
    let in_files = KINDS.iter().filter(|kind| kind.info().in_files);
    for kind in in_files.filter(|kind| kind.info().is_custom()) {
        let definitions = definitions();
        let mut of_kind = definitions
            .iter()
            .filter(|one| one["spec"]["names"]["kind"] == kind.info().name);
        let versions = of_kind.next().unwrap()["spec"]["versions"]
            .as_array()
            .unwrap();
        for version in versions {
            let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
            let mut defined = BTreeSet::new();
            fields(spec, "spec", &mut defined);
            let table = kind.info().reader.fields.iter();
            let table = table.filter(|(place, _)| !place.is_empty());
            let known: BTreeSet<String> = table
                .flat_map(|(place, fields)| {
                    fields.iter().map(move |field| format!("{place}.{field}"))
                })
                .collect();
            assert_eq!(known, defined, "{kind}");
        }
    }
}
