//! Objects as an API server sends them.
//!
//! They are read in one step, JSON → type. What that cannot read goes through the tree of the
//! files: it forgives what Kubernetes forgives (null where nothing is), and knows the path of what
//! is wrong.

use std::net::IpAddr;

use carillon_core::config::origin::Origin;
use carillon_core::service::ServiceKey;
use carillon_core::yaml;
use serde::{Deserialize, Deserializer};

use super::document::Named;
use super::endpoint_slice::EndpointSliceObject;
use super::metadata::Metadata;
use super::node::NodeObject;
use super::pod::PodObject;
use super::service::{Published, ServiceObject};
use super::tree::{FieldError, Path, Value};
use super::{ConfigText, Kind, Object, ObjectKey, RENUMBER};
use crate::kubernetes::Stored;

#[cfg(test)]
mod tests;

/// An object of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiObject {
    /// Which object it is.
    pub(crate) key: ObjectKey,
    /// The object in the core's words.
    pub(crate) object: Object,
    /// `metadata.resourceVersion`, which differs whenever anything does.
    pub(crate) version: Box<str>,
    /// How it is stored, if it is a Service.
    pub(crate) stored: Option<Stored>,
    /// What is not wrong with it, but probably meant otherwise.
    pub(crate) notes: Vec<String>,
}

/// An object that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Which object it is; `None` when not even that can be told.
    pub(crate) key: Option<ObjectKey>,
    /// Each thing that is wrong with it.
    pub(crate) errors: Vec<String>,
    /// The addresses that it publishes all the same.
    pub(crate) published: Vec<IpAddr>,
}

/// Reads an object of this kind.
///
/// # Errors
/// It is not one, or it has fields that the API server would have refused. The others of a list
/// are none the worse for it.
pub(crate) fn read(kind: Kind, json: &str) -> Result<ApiObject, Unreadable> {
    let nameless = |error: String| Unreadable {
        key: None,
        errors: vec![error],
        published: Vec::new(),
    };
    let Named { metadata } =
        serde_json::from_str(json).map_err(|error| nameless(error.to_string()))?;
    let name = metadata
        .key()
        .map_err(|error| nameless(error.to_string()))?;
    let key = kind.key(name);
    let directly = Decoded::read(
        kind,
        &mut serde_json::Deserializer::from_str(json),
        &key.name,
    );
    let decoded = directly.unwrap_or_else(|_| Decoded::read_leniently(kind, json, &key.name));
    match decoded {
        Ok(Decoded {
            object,
            published,
            notes,
        }) => {
            let version: Box<str> = metadata.version().unwrap_or_default().into();
            let stored = published.map(|published| Stored {
                uid: metadata.uid().unwrap_or_default().into(),
                resource_version: version.clone(),
                pool: published.pool,
                ip_modes: published.ip_modes,
                deprecated: published.deprecated,
            });
            Ok(ApiObject {
                key,
                object,
                version,
                stored,
                notes,
            })
        }
        Err(errors) => Err(Unreadable {
            key: Some(key),
            errors: errors.iter().map(ToString::to_string).collect(),
            published: read_published(json),
        }),
    }
}

/// The addresses in the status of a Service, which may be wrong in all else.
fn read_published(json: &str) -> Vec<IpAddr> {
    let object: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let ingress = object.pointer("/status/loadBalancer/ingress");
    let entries = ingress.and_then(serde_json::Value::as_array);
    let address = |entry: &serde_json::Value| entry.get("ip")?.as_str()?.parse().ok();
    entries.into_iter().flatten().filter_map(address).collect()
}

/// The key of an object of this kind, which may be wrong in all else.
pub(crate) fn read_key(kind: Kind, json: &str) -> Option<ObjectKey> {
    let Named { metadata } = serde_json::from_str(json).ok()?;
    Some(kind.key(metadata.key().ok()?))
}

/// The version of an object, which may be wrong in all else.
pub(crate) fn read_version(json: &str) -> Option<Box<str>> {
    let Named { metadata } = serde_json::from_str(json).ok()?;
    metadata.version().map(Into::into)
}

/// An object, and what its status says beside.
struct Decoded {
    object: Object,
    published: Option<Published>,
    notes: Vec<String>,
}

impl Decoded {
    /// Reads an object of which the key is known. The outer error is about what was read, the inner
    /// one about what it means.
    fn read<'de, D: Deserializer<'de>>(
        kind: Kind,
        from: D,
        key: &ServiceKey,
    ) -> Result<Result<Self, Vec<FieldError>>, D::Error> {
        let (mut published, mut notes) = (None, Vec::new());
        let object = match kind {
            Kind::Service => {
                let service = ServiceObject::deserialize(from)?;
                published = Some(service.published());
                notes.extend(service.remarks().iter().map(ToString::to_string));
                service.convert(key).map(Object::Service)
            }
            Kind::EndpointSlice => {
                let slice = EndpointSliceObject::deserialize(from)?;
                Ok(Object::EndpointSlice(slice.convert(key)))
            }
            Kind::Node => {
                let node = NodeObject::deserialize(from)?;
                Ok(Object::Node(node.convert(key.name())))
            }
            Kind::Pod => {
                let pod = PodObject::deserialize(from)?;
                Ok(Object::Pod(pod.address()))
            }
            Kind::ConfigMap => {
                let config = ConfigMapObject::deserialize(from)?;
                config.convert(key).map(Object::Config)
            }
        };
        Ok(object.map(|object| Self {
            object,
            published,
            notes,
        }))
    }

    fn read_leniently(kind: Kind, json: &str, key: &ServiceKey) -> Result<Self, Vec<FieldError>> {
        let whole = |message: String| vec![FieldError::new(Path::default(), message)];
        match yaml::parse(json) {
            Ok(Some(root)) => {
                Self::read(kind, Value(&root), key).unwrap_or_else(|error| Err(vec![error]))
            }
            Ok(None) => Err(whole("is empty".to_owned())),
            Err(error) => Err(whole(error.message)),
        }
    }
}

/// A ConfigMap as Kubernetes writes it.
#[derive(Deserialize)]
struct ConfigMapObject {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    config: Option<String>,
}

impl ConfigMapObject {
    fn convert(mut self, key: &ServiceKey) -> Result<ConfigText, Vec<FieldError>> {
        let Some(text) = self.data.config else {
            let message = "has no key `config`; write `config: |` and the configuration below it";
            return Err(vec![FieldError::new(Path::fields(&["data"]), message)]);
        };
        let key = Kind::ConfigMap.key(key.clone());
        let origin = Origin::whole(&key.to_string());
        Ok(ConfigText {
            text,
            origin,
            renumber: self.metadata.annotations.remove(RENUMBER),
        })
    }
}
