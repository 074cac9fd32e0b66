//! A cluster as it is now, read once.

use std::time::Duration;

use carillon_objects::source::Snapshot;
use carillon_objects::{ObjectKey, Purpose};
use tokio::time::timeout;

use super::api::{Resource, Scope};
use super::client::{Access, Cluster, ConnectError, connect};
use super::failure::Class;
use super::failure::Failure;
use super::mirror::{Event, Mirror};
use super::page::Pages;
use super::{Batch, rights};

/// How long it may take to read all objects of one kind: someone is waiting for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a daemon does whose objects and rights are read.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// It announces.
    pub announces: bool,
    /// It takes turns in giving addresses.
    pub may_lead: bool,
}

/// Reads what a daemon would follow whose configuration is in this ConfigMap, but of the Nodes all, and
/// of the Pods none, nor of what daemons write: of these only the rights are asked for, which a daemon
/// needs as the manifests start it. The errors of the snapshot also tell which rights a daemon would lack.
///
/// # Errors
/// There is no way to the cluster.
pub async fn read(
    access: &Access,
    config: &ObjectKey,
    part: Part,
) -> Result<Snapshot, ConnectError> {
    let cluster = connect(access).await?;
    Ok(take(&cluster, config, part).await)
}

/// The same, of a cluster to which there is a way.
pub(crate) async fn take(cluster: &Cluster, config: &ObjectKey, part: Part) -> Snapshot {
    let (pods, resources) = resources(config, part);
    let mut mirror = Mirror::new(resources.iter().map(|resource| resource.kind));
    let mut batch = Batch::default();
    let mut rules = Vec::new();
    let mut is_well = true;
    for resource in resources {
        let mut take = |event| mirror.take(resource.kind, event, &super::now(), &mut batch);
        take(Event::Listing);
        let listed = timeout(PATIENCE, list(cluster, &resource, &mut take)).await;
        let silent = Failure::Connection("no answer in time".to_owned());
        match listed.unwrap_or(Err(silent)) {
            Ok(()) => rules.push(rights::to_read(&resource)),
            Err(failure) if resource.kind.info().is_custom() && failure.code() == Some(404) => {
                take(Event::Listed);
                rules.push(rights::to_read(&resource));
            }
            Err(failure) => {
                let class = failure.class(&resource);
                is_well &= matches!(class, Class::Forbidden(_));
                let text = failure.text(&cluster.server, &resource);
                take(Event::Failed(class, text));
            }
        }
    }
    mirror.finish(&mut batch);
    let problems = batch.problems.unwrap_or_default();
    let mut errors = problems.unreachable.clone();
    errors.extend(problems.texts());
    errors.extend(problems.more());
    rules.extend(pods.iter().map(rights::to_read));
    rules.extend(rights::to_act(config.name.namespace(), part));
    // One that does not answer would not answer this either.
    for rule in rules.iter().filter(|_| is_well) {
        match rule.lacks(cluster).await {
            Ok(lack) => errors.extend(lack),
            Err(failure) => {
                let text = "cannot ask the API server which rights are missing";
                errors.push(format!("{text}: {}", failure.describe()));
                break;
            }
        }
    }
    Snapshot {
        location: cluster.server.clone(),
        changes: batch.changes,
        errors,
        notes: Vec::from_iter(problems.notes()),
    }
}

/// What is asked for: Pods, of which only the right to them is, once, and all else.
fn resources(config: &ObjectKey, part: Part) -> (Vec<Resource>, Vec<Resource>) {
    let mut resources = Resource::within(&Scope {
        config: &config.name,
        node: None,
        pods: Some(""),
        announces: part.announces,
        allocates: part.may_lead,
    });
    // Of all Nodes all is read. Who writes reports has more rights than to read them.
    let is_read = |purpose: Purpose| purpose != Purpose::NodeLabels && !purpose.is_report();
    resources.retain(|resource| is_read(resource.kind.info().purpose));
    let is_pods = |resource: &Resource| {
        matches!(
            resource.kind.info().purpose,
            Purpose::Pod | Purpose::MetallbPod
        )
    };
    let (mut pods, others): (Vec<_>, Vec<_>) = resources.into_iter().partition(is_pods);
    pods.truncate(1);
    (pods, others)
}

async fn list(
    cluster: &Cluster,
    resource: &Resource,
    take: &mut impl FnMut(Event),
) -> Result<(), Failure> {
    let mut pages = Pages::default();
    loop {
        let page = pages.next(cluster, resource).await?;
        take(Event::Objects(page.objects));
        if page.version.is_some() {
            take(Event::Listed);
            return Ok(());
        }
    }
}
