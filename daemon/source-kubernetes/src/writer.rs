//! Has the API server write statuses and Events.
#![expect(clippy::disallowed_methods, reason = "it has tasks and the clock")]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use carillon_core::controller::Severity;
use hyper::Method;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, info, warn};

use super::call::{self, Content};
use super::client::Cluster;
use super::failure::{Failure, excerpt};
use super::publish::{AT_ONCE, Action, Answer, Notice, Outcome, StatusWrite, Verb, Write};
use super::report::ReportWrite;
use super::{ApiChange, Batch, saying};

mod report;
#[cfg(test)]
mod tests;

/// How long a write may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many objects of this daemon's own are written at a time. Addresses are not to wait for them.
const REPORTS_AT_ONCE: usize = 8;
/// How many Events are written at a time.
const EVENTS_AT_ONCE: usize = 4;
/// How many Events may wait; more are lost.
pub(super) const EVENTS: usize = 16 * 1024;
/// How long the text of an Event may be (`note`).
const NOTE: usize = 1024;
/// Who says what Events say.
const CONTROLLER: &str = "carillon";

/// Until when the Lease allows to write, if it is ours.
pub(super) type Fence = watch::Receiver<Option<Instant>>;

/// Where and as whom to write.
#[derive(Clone)]
pub(super) struct Writer {
    /// The cluster.
    pub(super) cluster: Cluster,
    /// Who we are.
    pub(super) me: String,
    /// Until when we may.
    pub(super) fence: Fence,
    /// Where the answers go.
    pub(super) batches: mpsc::Sender<Batch>,
    /// How many statuses are being written.
    pub(super) under_way: watch::Sender<usize>,
}

impl Writer {
    /// Writes until there is nobody to give anything. Addresses come first.
    pub(super) async fn run(
        self,
        mut writes: mpsc::Receiver<StatusWrite>,
        mut to_report: mpsc::Receiver<ReportWrite>,
        mut notices: mpsc::Receiver<Notice>,
    ) {
        let (mut statuses, mut events) = (JoinSet::new(), JoinSet::new());
        let mut reports = JoinSet::new();
        let mut trouble = None;
        loop {
            let is_calm = statuses.len() < AT_ONCE / 2;
            let may_report = is_calm && reports.len() < REPORTS_AT_ONCE;
            let may_tell = is_calm && events.len() < EVENTS_AT_ONCE;
            tokio::select! {
                biased;
                Some(write) = writes.recv() => drop(statuses.spawn(self.clone().write_status(write))),
                Some(_) = statuses.join_next() => {}
                Some(_) = reports.join_next() => {}
                Some(event) = events.join_next() => self.told(event, &mut trouble).await,
                Some(report) = to_report.recv(), if may_report => {
                    drop(reports.spawn(self.clone().write_report(report)));
                }
                Some(notice) = notices.recv(), if may_tell => {
                    events.spawn(self.clone().write_event(notice));
                }
                else => return,
            }
            self.under_way.send_replace(statuses.len());
        }
    }

    /// Whatever goes wrong, an Event is lost; what somebody should mend is told.
    async fn told(&self, event: Result<Outcome, JoinError>, trouble: &mut Option<String>) {
        let new = match event {
            // A conflict: it has been told already.
            Ok(Outcome::Written | Outcome::Conflict) => None,
            Ok(Outcome::Refused(error)) => Some(format!("Events cannot be written: {error}")),
            Ok(lost @ (Outcome::Gone | Outcome::Failed(_) | Outcome::Withheld)) => {
                return debug!(?lost, "an Event is lost");
            }
            Err(error) => return warn!(%error, "an Event is lost"),
        };
        // Whose name is in it does not matter.
        if new.is_some() != trouble.is_some() {
            if let Some(new) = &new {
                warn!("{new}");
            } else {
                info!("Events can be written again");
            }
            trouble.clone_from(&new);
            self.tell(ApiChange::EventTrouble(new)).await;
        }
    }

    async fn write_status(self, status: StatusWrite) {
        let (object, version) = (status.service.clone(), status.version.clone());
        let writer = self.clone();
        // Whatever happens to it, there is an answer.
        let sent = tokio::spawn(async move { writer.send(&status.write()).await }).await;
        let answer = Answer {
            object,
            version,
            outcome: sent.unwrap_or_else(|died| Outcome::Failed(died.to_string())),
        };
        self.tell(ApiChange::Answered(answer)).await;
    }

    async fn write_report(self, report: ReportWrite) {
        let (object, version) = (report.key.clone(), report.version.clone());
        let writer = self.clone();
        // Whatever happens to it, there is an answer.
        let sent = tokio::spawn(async move { writer.report(&report).await }).await;
        let answer = Answer {
            object,
            version,
            outcome: sent.unwrap_or_else(|died| Outcome::Failed(died.to_string())),
        };
        self.tell(ApiChange::Reported(answer)).await;
    }

    async fn tell(&self, change: ApiChange) {
        let batch = saying(change);
        // Without its reader the daemon is about to end.
        let _ = self.batches.send(batch).await;
    }

    async fn write_event(self, notice: Notice) -> Outcome {
        let event = event(&notice, &self.me, Timestamp::now());
        let namespace = notice.service.namespace();
        let write = Write {
            path: format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"),
            verb: Verb::Create,
            body: event,
            is_fenced: false,
        };
        self.send(&write).await
    }

    async fn send<B: Serialize + Sync>(&self, write: &Write<B>) -> Outcome {
        match self.ask::<IgnoredAny>(write).await {
            Ok(IgnoredAny) => Outcome::Written,
            Err(outcome) => outcome,
        }
    }

    /// Sends it, and returns what is answered.
    async fn ask<T: DeserializeOwned>(
        &self,
        write: &Write<impl Serialize + Sync>,
    ) -> Result<T, Outcome> {
        let mut patience = PATIENCE;
        if write.is_fenced {
            let until = *self.fence.borrow();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let Some(left) = left.filter(|left| !left.is_zero()) else {
                return Err(Outcome::Withheld);
            };
            patience = patience.min(left);
        }
        let (method, content) = match write.verb {
            Verb::Create => (Method::POST, Content::Object),
            Verb::Patch => (Method::PATCH, Content::MergePatch),
            Verb::Delete => (Method::DELETE, Content::Object),
        };
        let to = (method, write.path.as_str(), content);
        let answer = call::write(&self.cluster, to, &write.body, patience).await;
        answer.map_err(|failure| outcome(&failure))
    }
}

/// What became of a write that was not answered with the object.
fn outcome(failure: &Failure) -> Outcome {
    match failure {
        Failure::Refused(status) => {
            let said = excerpt(&status.message);
            match status.code {
                409 => Outcome::Conflict,
                404 => Outcome::Gone,
                401 | 408 | 429 => Outcome::Failed(said),
                400..500 => Outcome::Refused(said),
                _ => Outcome::Failed(said),
            }
        }
        Failure::Connection(error)
        | Failure::Certificate(error)
        | Failure::Credentials(error)
        | Failure::Garbage(error) => Outcome::Failed(error.clone()),
    }
}

/// The Event. Its name follows from what it says and from the version of the Service that it is
/// about: what has been told, by whomever, is refused as existing and not told twice.
fn event(notice: &Notice, me: &str, now: Timestamp) -> Event {
    let Notice {
        service,
        uid,
        version,
        action,
        event,
    } = notice;
    let mut hasher = DefaultHasher::new();
    (uid, version, event.reason, &event.message).hash(&mut hasher);
    let severity = match event.severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    };
    let action = match action {
        Action::Allocate => "Allocate",
        Action::Announce => "Announce",
    };
    Event {
        metadata: ObjectMeta {
            namespace: Some(service.namespace().to_owned()),
            name: Some(format!("{}.{:016x}", service.name(), hasher.finish())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        regarding: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Service".to_owned()),
            namespace: Some(service.namespace().to_owned()),
            name: Some(service.name().to_owned()),
            uid: Some(uid.to_string()),
            resource_version: Some(version.to_string()),
            ..ObjectReference::default()
        }),
        type_: Some(severity.to_owned()),
        reason: Some(event.reason.to_owned()),
        action: Some(action.to_owned()),
        note: Some(cut(&event.message)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(me.to_owned()),
        ..Event::default()
    }
}

/// The beginning of a text, as much as fits.
fn cut(text: &str) -> String {
    let mut ends = (0..=NOTE.min(text.len())).rev();
    let start = ends.find_map(|end| text.get(..end));
    start.unwrap_or_default().to_owned()
}
