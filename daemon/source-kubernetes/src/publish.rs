//! What the controller role has the API server write: the status of Services, and Events.

use std::net::IpAddr;

use carillon_core::config::PoolName;
use carillon_core::controller::Event;
use carillon_core::service::ServiceKey;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use carillon_objects::ALLOCATED_FROM;

use super::report::ReportWrite;

/// How many statuses are written at a time: enough to keep an API server of two cores busy.
pub(crate) const AT_ONCE: usize = 16;

/// Where what the controller role says goes.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    /// Each is answered with [`super::ApiChange::Answered`]; there is room for [`AT_ONCE`].
    pub(crate) writes: mpsc::Sender<StatusWrite>,
    /// Each is answered with [`super::ApiChange::Reported`]; there is room for [`AT_ONCE`].
    pub(crate) reports: mpsc::Sender<ReportWrite>,
    /// Those that do not fit in are lost.
    pub(crate) notices: mpsc::Sender<Notice>,
    /// Whether this daemon is able to lead: everything has been read, and a configuration is in
    /// force. One that is not would hold the Lease and do nothing.
    pub(crate) able: watch::Sender<bool>,
    /// Whether anybody is to give addresses: not while MetalLB does. Who holds the Lease keeps it.
    pub(crate) free: watch::Sender<bool>,
}

/// A request that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write<B> {
    /// The path of the object, or of what it is to be in.
    pub(crate) path: String,
    /// What is done with it.
    pub(crate) verb: Verb,
    /// The body, as JSON.
    pub(crate) body: B,
    /// Only the holder of the Lease may, as long as it is that.
    pub(crate) is_fenced: bool,
}

/// How a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The body is a new object.
    Create,
    /// The body is what changes (RFC 7396).
    Patch,
    /// The body says which version.
    Delete,
}

/// The status that a Service is to have, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusWrite {
    /// The Service.
    pub(crate) service: ServiceKey,
    /// The version on which this was decided: if it is not the newest, nothing is written.
    pub(crate) version: Box<str>,
    /// `status.loadBalancer.ingress`: each `ip`, and its `ipMode` if that is to stay.
    pub(crate) addresses: Vec<(IpAddr, Option<Box<str>>)>,
    /// The annotation [`ALLOCATED_FROM`]; `None` to remove it.
    pub(crate) pool: Option<PoolName>,
}

impl StatusWrite {
    /// A patch of `services/status`.
    pub(crate) fn write(&self) -> Write<Value> {
        let entry = |(ip, mode): &(IpAddr, Option<Box<str>>)| match mode {
            Some(mode) => json!({"ip": ip, "ipMode": mode}),
            None => json!({"ip": ip}),
        };
        let ingress: Vec<Value> = self.addresses.iter().map(entry).collect();
        let ingress = Some(ingress).filter(|ingress| !ingress.is_empty());
        let (namespace, name) = (self.service.namespace(), self.service.name());
        Write {
            path: format!("/api/v1/namespaces/{namespace}/services/{name}/status"),
            verb: Verb::Patch,
            body: json!({
                "metadata": {
                    "resourceVersion": self.version,
                    "annotations": {ALLOCATED_FROM: self.pool},
                },
                "status": {"loadBalancer": {"ingress": ingress}},
            }),
            is_fenced: true,
        }
    }
}

/// What became of a [`Write`] that was decided on a version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<K> {
    /// The object.
    pub(crate) object: K,
    /// The version that the write named.
    pub(crate) version: Box<str>,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

/// What became of a [`Write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is stored.
    Written,
    /// There is a newer version: nothing was written.
    Conflict,
    /// There is no such object any more.
    Gone,
    /// The API server does not want it, and why: trying again soon does not help.
    Refused(String),
    /// Nobody knows, and why; it may even take effect later.
    Failed(String),
    /// It was not sent: the Lease is not ours any more.
    Withheld,
}

/// An Event to be written about a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The Service.
    pub(crate) service: ServiceKey,
    /// Its `metadata.uid`.
    pub(crate) uid: Box<str>,
    /// The version of it that the Event is about.
    pub(crate) version: Box<str>,
    /// What was being done.
    pub(crate) action: Action,
    /// What happened.
    pub(crate) event: Event,
}

/// What a daemon was doing when something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It gave addresses to a Service.
    Allocate,
    /// It announced a Service.
    Announce,
}
