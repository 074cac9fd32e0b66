//! JSON Schema as an API server wants it in a definition ("structural").

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of a type.
pub(super) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    simplify(&mut schema);
    schema
}

/// Removes what says nothing to an API server, or is not allowed.
fn simplify(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    if let Some(Value::Array(mut all)) = fields.remove("anyOf") {
        // A value or null, which an API server takes for no value.
        let first = all.drain(..).next();
        if let Some(Value::Object(first)) = first {
            for (field, value) in first {
                fields.entry(field).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(variants)) = fields.remove("oneOf") {
        of_variants(&variants, fields);
    }
    // Every type has a default in Rust. One that is to be written into objects is marked.
    for field in ["$schema", "title", "nullable", "default"] {
        fields.remove(field);
    }
    if let Some(default) = fields.remove("x-default") {
        fields.insert("default".to_owned(), default);
    }
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(simplify);
    }
    for field in ["items", "additionalProperties"] {
        fields.get_mut(field).into_iter().for_each(simplify);
    }
}

/// One of several words.
fn of_variants(variants: &[Value], fields: &mut Map<String, Value>) {
    let words = variants.iter().flat_map(|variant| {
        let one = variant.get("const").into_iter();
        let several = variant.get("enum").and_then(Value::as_array);
        one.chain(several.into_iter().flatten()).cloned()
    });
    let words: Vec<Value> = words.collect();
    fields.insert("type".to_owned(), json!("string"));
    fields.insert("enum".to_owned(), Value::Array(words));
}
