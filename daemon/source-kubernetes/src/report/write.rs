//! Requests that write such objects.

use std::sync::Arc;

use carillon_objects::METALLB;
use carillon_objects::report::{NAMESPACE_LABEL, NODE_LABEL, SERVICE_LABEL};
use serde_json::{Map, Value, json};

use super::content::Content;
use super::key::{ReportKey, node_label};
use crate::publish::{Verb, Write};

/// What all objects of this daemon have in common.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// The namespace they are in.
    pub(crate) namespace: String,
    /// The name of this node.
    pub(crate) node: String,
    /// The Pod of this daemon, with which they go.
    pub(crate) pod: Option<Pod>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// A change of an object, decided on this version of it; none, if it is not there.
#[derive(Clone, Debug)]
pub(crate) struct ReportWrite {
    /// The object.
    pub(crate) key: ReportKey,
    /// The version.
    pub(crate) version: Box<str>,
    /// What is to be done.
    pub(crate) change: Change,
    /// Who writes.
    pub(crate) writer: Arc<Writer>,
}

/// What is to be done with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is made, in place of that of another node if there is one.
    Create(Content),
    /// Its labels and its owner are put right.
    Adopt,
    /// It says this instead.
    Say(Content),
    /// It is removed.
    Delete,
}

impl ReportWrite {
    /// The objects of its kind.
    fn objects(&self) -> String {
        let info = self.key.kind().info();
        let namespace = &self.writer.namespace;
        format!(
            "/apis/{METALLB}/{}/namespaces/{namespace}/{}",
            info.version, info.plural
        )
    }

    /// The path of the object.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.objects(), self.key.name(&self.writer.node))
    }

    fn write(&self, verb: Verb, path: String, body: Value) -> Write<Value> {
        Write {
            path,
            verb,
            body,
            is_fenced: self.key.is_of_leader(),
        }
    }

    /// Creates it. What it says is no part of that.
    pub(crate) fn create(&self) -> Write<Value> {
        let info = self.key.kind().info();
        let mut metadata = self.metadata();
        metadata.insert("name".to_owned(), self.key.name(&self.writer.node).into());
        let mut object = Map::from_iter([
            (
                "apiVersion".to_owned(),
                format!("{METALLB}/{}", info.version).into(),
            ),
            ("kind".to_owned(), info.name.into()),
            ("metadata".to_owned(), metadata.into()),
        ]);
        if self.key.service().is_some() {
            object.insert("spec".to_owned(), json!({}));
        }
        self.write(Verb::Create, self.objects(), object.into())
    }

    /// Puts its labels and its owner right.
    pub(crate) fn adopt(&self) -> Write<Value> {
        let mut metadata = self.metadata();
        metadata.insert("resourceVersion".to_owned(), (*self.version).into());
        self.write(Verb::Patch, self.path(), json!({ "metadata": metadata }))
    }

    /// Has this version of it say this, now (RFC 3339); any version, if it is of none.
    pub(crate) fn say(&self, version: &str, content: &Content, now: &str) -> Write<Value> {
        let path = format!("{}/status", self.path());
        let status = content.status(&self.key, &self.writer.node, now);
        let version = Some(version).filter(|version| !version.is_empty());
        let metadata = version.map(|version| json!({ "resourceVersion": version }));
        let body = json!({"metadata": metadata.unwrap_or_else(|| json!({})), "status": status});
        self.write(Verb::Patch, path, body)
    }

    /// Removes this version of it.
    pub(crate) fn delete(&self, version: &str) -> Write<Value> {
        let preconditions = json!({ "resourceVersion": version });
        let body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
        });
        self.write(Verb::Delete, self.path(), body)
    }

    /// Its labels, and its owner if that is known.
    fn metadata(&self) -> Map<String, Value> {
        let node = node_label(&self.writer.node);
        let labels = match &self.key {
            ReportKey::Layer2(service) | ReportKey::Bgp(service) => json!({
                NODE_LABEL: node,
                SERVICE_LABEL: service.name(),
                NAMESPACE_LABEL: service.namespace(),
            }),
            ReportKey::Node => json!({
                "metallb.io/component-type": "speaker",
                "metallb.io/node-name": node,
            }),
            ReportKey::Controller => json!({"metallb.io/component-type": "controller"}),
            ReportKey::Pool(_) => return Map::new(),
        };
        let mut metadata = Map::from_iter([("labels".to_owned(), labels)]);
        if let Some(pod) = &self.writer.pod {
            let owner = json!({
                "apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid,
            });
            metadata.insert("ownerReferences".to_owned(), json!([owner]));
        }
        metadata
    }
}
