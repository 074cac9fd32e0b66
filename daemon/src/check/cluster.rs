//! The objects of a cluster, checked.

use anyhow::{Context as _, Result};

use super::Report;
use crate::cli::CheckArgs;
use crate::sources::cluster;

/// Reads all that a daemon would follow.
///
/// # Errors
/// This is no pod and there is no kubeconfig, or it cannot be used; or this binary cannot read a
/// cluster.
pub(super) fn check(args: &CheckArgs) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let snapshot = runtime.block_on(cluster::read(args))?;
    let mut report = Report {
        server: Some(snapshot.location),
        errors: snapshot.errors,
        notes: snapshot.notes,
        knows_endpoints: args.role.role.announces(),
        ..Report::new(args.config.key(), args.lb_class.clone())
    };
    report.take(snapshot.changes);
    let services = report.services();
    let given = services.map(|service| {
        let addresses = service.published_addresses().collect();
        (service.key.clone(), addresses)
    });
    report.journal = given.collect();
    Ok(report)
}
