//! What can be told of an object that cannot be read: it is too long, or wrong, or is only to be
//! named.

use std::fmt;
use std::net::IpAddr;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::metadata::Identity;

/// What was found, up to where something is wrong or missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// `type`, if it is the line of a watch.
    pub event: Option<String>,
    /// What tells the object from all others.
    pub(in super::super) identity: Identity,
}

/// Searches an object of the API, or the line of a watch with one.
pub fn find(json: &[u8]) -> Found {
    let mut found = Found::default();
    let search = Search {
        found: &mut found,
        is_metadata: false,
    };
    // Whatever is wrong comes after what was found.
    let _ = search.deserialize(&mut serde_json::Deserializer::from_slice(json));
    found
}

/// The addresses at the end of a Service, of which something in the middle may be missing. No text
/// in it looks like the key that is searched: within a text its quotes are escaped.
pub(super) fn published(json: &[u8]) -> Vec<IpAddr> {
    const KEY: &[u8] = b"\"loadBalancer\":";
    let start = json.windows(KEY.len()).rposition(|window| window == KEY);
    let status = start.and_then(|at| json.get(at + KEY.len()..));
    let mut values = serde_json::Deserializer::from_slice(status.unwrap_or_default()).into_iter();
    let status: serde_json::Value = match values.next() {
        Some(Ok(status)) => status,
        Some(Err(_)) | None => return Vec::new(),
    };
    let entries = status.pointer("/ingress").and_then(|list| list.as_array());
    let address = |entry: &serde_json::Value| entry.get("ip")?.as_str()?.parse().ok();
    entries.into_iter().flatten().filter_map(address).collect()
}

struct Search<'a> {
    found: &'a mut Found,
    /// What is read is the value of `metadata`.
    is_metadata: bool,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { found, is_metadata } = self;
        while let Some(key) = map.next_key::<String>()? {
            let identity = &mut found.identity;
            let text = match (is_metadata, &*key) {
                (false, "object" | "metadata") => {
                    let (found, is_metadata) = (&mut *found, key == "metadata");
                    map.next_value_seed(Search { found, is_metadata })?;
                    continue;
                }
                (false, "type") => &mut found.event,
                (true, "name") => &mut identity.name,
                (true, "namespace") => &mut identity.namespace,
                (true, "resourceVersion") => &mut identity.resource_version,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *text = Some(map.next_value()?);
        }
        Ok(())
    }
}
