//! Objects as an API server sends them.
//!
//! They are read in one step, JSON → type. What that cannot read goes through the tree of the
//! files: it forgives what Kubernetes forgives (null where nothing is), and knows the path of what
//! is wrong.

use std::net::IpAddr;

use carillon_core::yaml;

use super::document::Named;
use super::manifest::Manifest;
use super::metadata::Identity;
use super::tree::Value;
use super::{Kind, Object, ObjectKey};

mod found;
#[cfg(test)]
mod tests;

use found::Found;
pub use found::find;

/// What is told of an object of which octets are missing.
const TOO_LONG: &str =
    "is longer than 8 MiB, and not read: remove some of its annotations or labels";
/// How many errors are told of an object.
const ERRORS: usize = 20;
/// The most characters of each.
const ERROR: usize = 400;

/// An object of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiObject {
    /// Which object it is.
    pub key: ObjectKey,
    /// The object in the core's words.
    pub object: Object,
    /// `metadata.resourceVersion`, which differs whenever anything does.
    pub version: Box<str>,
    /// How it is stored, if it is a Service.
    pub stored: Option<Stored>,
    /// What is not wrong with it, but probably meant otherwise.
    pub notes: Vec<String>,
}

/// How a Service is stored: what the writers of its status need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: Box<str>,
    /// The annotation `metallb.io/ip-allocated-from-pool`, as [`carillon_core::text::bounded`] text.
    pub pool: Option<Box<str>>,
    /// `status.loadBalancer.ingress[].ipMode` of each address that has one.
    pub ip_modes: Vec<(IpAddr, Box<str>)>,
    /// The annotations that should be written with today's prefix.
    pub deprecated: Box<[&'static str]>,
}

/// An object that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which object it is; `None` when not even that can be told.
    pub key: Option<ObjectKey>,
    /// `metadata.resourceVersion`; empty when that cannot be told.
    pub version: Box<str>,
    /// Each thing that is wrong with it.
    pub errors: Vec<String>,
    /// The addresses that it publishes all the same.
    pub published: Vec<IpAddr>,
}

/// Reads an object of this kind. Of one that is cut, octets in the middle are missing: then it tells
/// what is in the rest.
///
/// # Errors
/// It is not one, or it has fields that the API server would have refused. The others of a list
/// are none the worse for it.
pub fn read(kind: Kind, json: &[u8], is_cut: bool) -> Result<ApiObject, Unreadable> {
    if is_cut {
        return Err(Unreadable {
            published: found::published(json),
            ..Unreadable::new(kind, json, vec![TOO_LONG.to_owned()])
        });
    }
    (kind.info().reader.json)(kind, json)
}

/// Reads an object of this type.
pub(super) fn read_as<T: Manifest>(kind: Kind, json: &[u8]) -> Result<ApiObject, Unreadable> {
    match T::deserialize(&mut serde_json::Deserializer::from_slice(json)) {
        Ok(mut object) => {
            let identity = object.metadata().identity();
            finish(object, kind, &identity, json)
        }
        Err(_) => read_leniently::<T>(kind, json),
    }
}

/// The same with more patience, for what is wrong or unusual.
fn read_leniently<T: Manifest>(kind: Kind, json: &[u8]) -> Result<ApiObject, Unreadable> {
    let wrong = |error: String| Unreadable::new(kind, json, vec![error]);
    let nameless = |error: String| Unreadable {
        key: None,
        ..wrong(error)
    };
    let named = serde_json::from_slice(json);
    let Named { metadata } = named.map_err(|error| nameless(error.to_string()))?;
    metadata
        .key()
        .map_err(|error| nameless(error.to_string()))?;
    let text = std::str::from_utf8(json).map_err(|error| wrong(error.to_string()))?;
    match yaml::parse(text) {
        Ok(Some(root)) => {
            let object = T::deserialize(Value(&root)).map_err(|error| wrong(error.to_string()));
            let unreadable = |error| Unreadable {
                published: read_published(json),
                ..error
            };
            finish(object.map_err(unreadable)?, kind, &metadata, json)
        }
        Ok(None) => Err(wrong("is empty".to_owned())),
        Err(error) => Err(wrong(error.message)),
    }
}

/// The object in the core's words.
fn finish<T: Manifest>(
    object: T,
    kind: Kind,
    identity: &Identity,
    json: &[u8],
) -> Result<ApiObject, Unreadable> {
    let name = identity.key().map_err(|error| Unreadable {
        key: None,
        ..Unreadable::new(kind, json, vec![error.to_string()])
    })?;
    let (published, mut notes) = (object.published(), few(object.remarks()));
    let (object, unknown) = object.convert(&name).map_err(|errors| Unreadable {
        published: read_published(json),
        ..Unreadable::new(kind, json, errors.iter().map(ToString::to_string).collect())
    })?;
    notes.extend(few(unknown));
    let version: Box<str> = identity.version().unwrap_or_default().into();
    let stored = published.map(|published| Stored {
        uid: identity.uid().unwrap_or_default().into(),
        resource_version: version.clone(),
        pool: published.pool,
        ip_modes: published.ip_modes,
        deprecated: published.deprecated,
    });
    Ok(ApiObject {
        key: kind.key(name),
        object,
        version,
        stored,
        notes,
    })
}

impl Unreadable {
    fn new(kind: Kind, json: &[u8], errors: Vec<String>) -> Self {
        let Found { identity, .. } = find(json);
        Self {
            key: identity.key().ok().map(|name| kind.key(name)),
            version: identity.version().unwrap_or_default().into(),
            errors: few(errors),
            published: Vec::new(),
        }
    }
}

/// As texts, of which users may have made many and long ones.
fn few<T: ToString>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    let texts = texts.into_iter().take(ERRORS);
    let short = |text: T| text.to_string().chars().take(ERROR).collect();
    texts.map(short).collect()
}

/// The addresses in the status of a Service, which may be wrong in all else.
fn read_published(json: &[u8]) -> Vec<IpAddr> {
    let object: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    let ingress = object.pointer("/status/loadBalancer/ingress");
    let entries = ingress.and_then(serde_json::Value::as_array);
    let address = |entry: &serde_json::Value| entry.get("ip")?.as_str()?.parse().ok();
    entries.into_iter().flatten().filter_map(address).collect()
}

impl Found {
    /// Which object it is, if that was found.
    pub fn key(&self, kind: Kind) -> Option<ObjectKey> {
        Some(kind.key(self.identity.key().ok()?))
    }

    /// The version of the object, if that was found.
    pub fn version(&self) -> Option<&str> {
        self.identity.version()
    }
}
