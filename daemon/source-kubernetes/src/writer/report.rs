//! Has the API server write the objects in which this daemon tells of itself.

use carillon_objects::report::NODE_LABEL;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use super::{PATIENCE, Writer, outcome};
use crate::call;
use crate::publish::Outcome;
use crate::report::{Change, ReportWrite, node_label};

/// What there is to know of an object that has been written or is in the way.
#[derive(Deserialize)]
struct Object {
    metadata: ObjectMeta,
}

impl Writer {
    /// Does what is to be done with an object.
    pub(super) async fn report(&self, report: &ReportWrite) -> Outcome {
        let version = &report.version;
        match &report.change {
            Change::Create(content) => match self.create(report).await {
                Ok(Object { metadata }) => {
                    let version = metadata.resource_version.unwrap_or_default();
                    self.send(&report.say(&version, content, &now())).await
                }
                Err(outcome) => outcome,
            },
            Change::Adopt => self.send(&report.adopt()).await,
            Change::Say(content) => self.send(&report.say(version, content, &now())).await,
            Change::Delete => self.send(&report.delete(version)).await,
        }
    }

    /// Creates an object, in place of that of another node.
    async fn create(&self, report: &ReportWrite) -> Result<Object, Outcome> {
        match self.ask(&report.create()).await {
            Err(Outcome::Conflict) => self.remove_foreign(report).await?,
            answer => return answer,
        }
        self.ask(&report.create()).await
    }

    /// Removes the object of another node.
    async fn remove_foreign(&self, report: &ReportWrite) -> Result<(), Outcome> {
        if report.key.service().is_none() {
            // The watch is about to bring it.
            return Err(Outcome::Conflict);
        }
        let found = call::get(&self.cluster, &report.path(), PATIENCE).await;
        let Object { metadata } = match found {
            Ok(found) => found,
            Err(failure) => {
                return match outcome(&failure) {
                    Outcome::Gone => Ok(()),
                    other => Err(other),
                };
            }
        };
        let node = metadata.labels.unwrap_or_default().remove(NODE_LABEL);
        let is_own = node == Some(node_label(&report.writer.node));
        if is_own {
            return Err(Outcome::Conflict);
        }
        let version = metadata.resource_version.unwrap_or_default();
        match self.send(&report.delete(&version)).await {
            Outcome::Written | Outcome::Gone => Ok(()),
            other => Err(other),
        }
    }
}

/// The time of day (RFC 3339), to the second.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
