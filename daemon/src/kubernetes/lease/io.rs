//! The Lease on the API server.

use std::time::Duration;

use hyper::Method;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::debug;

use super::{Answer, Record, Request, Stored};
use crate::kubernetes::call::{self, Content};
use crate::kubernetes::client::Cluster;
use crate::kubernetes::failure::Failure;
use crate::kubernetes::{api, pause::Pause};

/// The name of the Lease.
pub(crate) const NAME: &str = "carillon";
/// How long a request may take: of those who fail, a second one is in time before the deadline.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long the API server may let a watch last, in seconds.
const LASTS: std::ops::Range<u64> = 240..360;

/// Where the Lease is.
#[derive(Clone)]
pub(in crate::kubernetes) struct Place {
    /// The cluster.
    pub(in crate::kubernetes) cluster: Cluster,
    /// The namespace.
    pub(in crate::kubernetes) namespace: String,
}

impl Place {
    fn collection(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    /// Sends a request. Beside the answer there is what somebody should mend.
    pub(in crate::kubernetes) async fn ask(self, request: Request) -> (Answer, Option<Failure>) {
        let collection = self.collection();
        let path = format!("{collection}/{NAME}");
        let is_read = matches!(request, Request::Read);
        let answer: Result<Object, Failure> = match request {
            Request::Read => call::get(&self.cluster, &path, PATIENCE).await,
            Request::Write(version, record) => {
                let to = match &version {
                    Some(_) => (Method::PUT, path.as_str(), Content::Object),
                    None => (Method::POST, collection.as_str(), Content::Object),
                };
                let is_new = version.is_none();
                let object = object(&self.namespace, version, record);
                let written = call::write(&self.cluster, to, &object, PATIENCE).await;
                match written {
                    // There is no such namespace.
                    Err(failure) if is_new && failure.code() == Some(404) => {
                        return (Answer::Failed, Some(failure));
                    }
                    written => written,
                }
            }
        };
        match answer {
            Ok(object) => (Answer::Is(Some(stored(object))), None),
            Err(failure) => match failure.code() {
                Some(404) if is_read => (Answer::Is(None), None),
                Some(404 | 409) => (Answer::Conflict, None),
                _ => (Answer::Failed, Some(failure)),
            },
        }
    }

    /// Tells what the Lease becomes, for ever.
    pub(in crate::kubernetes) async fn watch(self, seen: mpsc::Sender<Option<Stored>>) {
        let mut pause = Pause::default();
        loop {
            let failure = self.watch_once(&seen, &mut pause).await;
            if seen.is_closed() {
                return;
            }
            debug!(?failure, "watching the Lease");
            let random = rand::rng().random();
            sleep(pause.next(Duration::ZERO, random)).await;
        }
    }

    /// Without a version a watch begins with how it is.
    async fn watch_once(
        &self,
        seen: &mpsc::Sender<Option<Stored>>,
        pause: &mut Pause,
    ) -> Result<(), Failure> {
        let seconds = rand::rng().random_range(LASTS);
        let uri = format!(
            "{}?watch=true&fieldSelector=metadata.name%3D{NAME}&timeoutSeconds={seconds}",
            self.collection()
        );
        let mut lines = api::lines(&self.cluster, &uri).await?;
        while let Some(line) = lines.next().await? {
            let told = match read(&line)? {
                Told::Is(stored) => Some(stored),
                Told::Deleted => None,
                Told::Over => break,
            };
            pause.reset();
            if seen.send(told).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// What a line of the watch says.
enum Told {
    /// The Lease is like this now.
    Is(Stored),
    /// It is gone.
    Deleted,
    /// The watch ends.
    Over,
}

fn read(line: &[u8]) -> Result<Told, Failure> {
    #[derive(Deserialize)]
    struct Event<'a> {
        r#type: &'a str,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let garbage = |error: serde_json::Error| Failure::Garbage(error.to_string());
    let Event { r#type, object } = serde_json::from_slice(line).map_err(garbage)?;
    Ok(match r#type {
        "ADDED" | "MODIFIED" => {
            let object = serde_json::from_str(object.get()).map_err(garbage)?;
            Told::Is(stored(object))
        }
        "DELETED" => Told::Deleted,
        _ => Told::Over,
    })
}

/// The time of day as a Lease can hold it.
pub(in crate::kubernetes) fn wall() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn object(namespace: &str, version: Option<String>, record: Record) -> Object {
    Object {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(NAME.to_owned()),
            resource_version: version,
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(record.holder),
            lease_duration_seconds: i32::try_from(record.duration.as_secs()).ok(),
            acquire_time: record.acquired.map(MicroTime),
            renew_time: record.renewed.map(MicroTime),
            lease_transitions: Some(record.transitions),
            ..LeaseSpec::default()
        }),
    }
}

fn stored(object: Object) -> Stored {
    let spec = object.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Stored {
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
