//! The Lease on the API server.
#![expect(clippy::disallowed_methods, reason = "it draws lots for its pauses")]

use std::time::Duration;

use hyper::Method;
use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{LeaseAnswer, PATIENCE, Record, Request, StoredLease};
use crate::api::{self, WatchEvent};
use crate::call::{self, Content};
use crate::client::Cluster;
use crate::failure::Failure;
use crate::pause::Pause;
use crate::watch::SILENCE;

/// The name of the Lease.
pub(crate) const NAME: &str = "carillon";
/// How long the API server may let a watch last, in seconds.
const LASTS: std::ops::Range<u64> = 240..360;

/// How the Lease is now, if it is there, or why that is not known.
pub(crate) type Seen = Result<Option<StoredLease>, Failure>;

/// Where the Lease is.
#[derive(Clone)]
pub(crate) struct Place {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The namespace.
    pub(crate) namespace: String,
}

impl Place {
    fn collection(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    /// Sends a request. Beside the answer there is what somebody should mend.
    pub(crate) async fn ask(self, request: Request) -> (LeaseAnswer, Option<Failure>) {
        let collection = self.collection();
        let path = format!("{collection}/{NAME}");
        let is_read = matches!(request, Request::Read);
        let answer: Result<Object, Failure> = match request {
            Request::Read => call::get(&self.cluster, &path, PATIENCE).await,
            Request::Write(version, record) => {
                // A patch, so that whatever others add to the object stays.
                let to = match &version {
                    Some(_) => (Method::PATCH, path.as_str(), Content::MergePatch),
                    None => (Method::POST, collection.as_str(), Content::Object),
                };
                let is_new = version.is_none();
                let object = object(&self.namespace, version.as_deref(), &record);
                let written = call::write(&self.cluster, to, &object, PATIENCE).await;
                match written {
                    // There is no such namespace.
                    Err(failure) if is_new && failure.code() == Some(404) => {
                        return (LeaseAnswer::Failed, Some(failure));
                    }
                    written => written,
                }
            }
        };
        match answer {
            Ok(object) => (LeaseAnswer::Is(Some(stored(object))), None),
            Err(failure) => match failure.code() {
                Some(404) if is_read => (LeaseAnswer::Is(None), None),
                Some(404 | 409) => (LeaseAnswer::Conflict, None),
                _ => (LeaseAnswer::Failed, Some(failure)),
            },
        }
    }

    /// Tells what the Lease becomes, and why that cannot be told, for ever.
    pub(crate) async fn watch(self, seen: mpsc::Sender<Seen>) {
        let mut pause = Pause::default();
        loop {
            let watched = self.watch_once(&seen, &mut pause).await;
            debug!(?watched, "watching the Lease");
            if let Err(failure) = watched {
                // Nobody listens any more.
                let _ = seen.send(Err(failure)).await;
            }
            if seen.is_closed() {
                return;
            }
            let random = rand::rng().random();
            sleep(pause.next(Duration::ZERO, random)).await;
        }
    }

    /// Without a version a watch begins with how it is. An API server on an older etcd has no
    /// bookmarks for such a one; but a Lease that somebody holds changes all the time.
    async fn watch_once(
        &self,
        seen: &mpsc::Sender<Seen>,
        pause: &mut Pause,
    ) -> Result<(), Failure> {
        let seconds = rand::rng().random_range(LASTS);
        let uri = format!(
            "{}?watch=true&fieldSelector=metadata.name%3D{NAME}&timeoutSeconds={seconds}",
            self.collection()
        );
        let mut lines = api::lines(&self.cluster, &uri, api::JSON).await?;
        // One that says nothing may be none any more.
        while let Ok(line) = timeout(SILENCE, lines.next()).await {
            let Some(line) = line? else {
                break;
            };
            let told = read(line.octets())?;
            pause.reset();
            if seen.send(Ok(told)).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// What a line of the watch says: that it is like this now, or gone.
fn read(line: &[u8]) -> Result<Option<StoredLease>, Failure> {
    let garbage = |error: serde_json::Error| Failure::Garbage(error.to_string());
    let WatchEvent { r#type, object } = serde_json::from_slice(line).map_err(garbage)?;
    match &*r#type {
        "ADDED" | "MODIFIED" => {
            let object = serde_json::from_str(object.get()).map_err(garbage)?;
            Ok(Some(stored(object)))
        }
        "DELETED" => Ok(None),
        "ERROR" => {
            let status = serde_json::from_str(object.get()).map_err(garbage)?;
            Err(Failure::Refused(status))
        }
        other => Err(Failure::Garbage(format!("an event of type {other:?}"))),
    }
}

/// The time of day as a Lease can hold it.
pub(crate) fn wall() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// The object, or what changes in it: nulls take away what is there.
fn object(namespace: &str, version: Option<&str>, record: &Record) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": namespace, "name": NAME, "resourceVersion": version},
        "spec": {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.duration.as_secs(),
            "acquireTime": record.acquired.map(MicroTime),
            "renewTime": record.renewed.map(MicroTime),
            "leaseTransitions": record.transitions,
        },
    })
}

fn stored(object: Object) -> StoredLease {
    let spec = object.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    StoredLease {
        version: object.metadata.resource_version.unwrap_or_default(),
        record: Record {
            holder: spec.holder_identity.unwrap_or_default(),
            duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
            acquired: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or_default(),
        },
    }
}
