//! A cluster as it is now, read once.

use std::time::Duration;

use tokio::time::timeout;

use super::api::{self, Resource};
use super::client::Cluster;
use super::failure::Failure;
use super::mirror::{Event, Mirror};
use super::watch::read_page;
use crate::objects::ObjectKey;
use crate::source::Batch;

/// How long it may take to read all objects of one kind: someone is waiting for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads what a daemon would follow, and the Nodes of all daemons. What cannot be read is among the
/// problems.
pub(crate) async fn read(cluster: &Cluster, config: &ObjectKey) -> Batch {
    let resources = [
        Resource::services(),
        Resource::endpoint_slices(),
        Resource::nodes(),
        Resource::config_map(config.name.namespace(), config.name.name()),
    ];
    let mut mirror = Mirror::new(resources.iter().map(|resource| resource.kind));
    let mut batch = Batch::default();
    for resource in resources {
        let mut take = |event| mirror.take(resource.kind, event, &super::now(), &mut batch);
        take(Event::Listing);
        let listed = timeout(PATIENCE, list(cluster, &resource, &mut take)).await;
        let silent = Failure::Connection("no answer in time".to_owned());
        if let Err(failure) = listed.unwrap_or(Err(silent)) {
            let class = failure.class(&resource);
            take(Event::Failed(
                class,
                failure.text(&cluster.server, &resource),
            ));
        }
    }
    mirror.finish(&mut batch);
    batch
}

async fn list(
    cluster: &Cluster,
    resource: &Resource,
    take: &mut impl FnMut(Event),
) -> Result<(), Failure> {
    let mut next = None;
    loop {
        let page = api::list(cluster, resource, next.as_deref()).await?;
        let (objects, more, _) = read_page(resource.kind, &page)?;
        take(Event::Objects(objects));
        if more.is_none() {
            take(Event::Listed);
            return Ok(());
        }
        next = more;
    }
}
