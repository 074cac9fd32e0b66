//! The objects of a cluster, checked.

use anyhow::Result;

use super::Report;
use crate::cli::CheckArgs;

/// Reads all that a daemon would follow.
///
/// # Errors
/// This is no pod and there is no kubeconfig, or it cannot be used.
#[cfg(feature = "kubernetes")]
pub(super) fn check(args: &CheckArgs) -> Result<Report> {
    use anyhow::Context as _;

    use crate::kubernetes::{self, Access, Part};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let access = Access {
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
    };
    let role = args.role.role;
    let part = Part {
        announces: role.announces(),
        may_lead: role.may_lead(),
    };
    let (server, snapshot) = runtime.block_on(async {
        let cluster = kubernetes::connect(&access).await?;
        let snapshot = kubernetes::read(&cluster, &args.config.key(), part).await;
        anyhow::Ok((cluster.server, snapshot))
    })?;
    let mut report = Report {
        server: Some(server),
        errors: snapshot.errors,
        notes: snapshot.notes,
        knows_endpoints: part.announces,
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

/// Refuses.
#[cfg(not(feature = "kubernetes"))]
pub(super) fn check(_: &CheckArgs) -> Result<Report> {
    anyhow::bail!("this carillon cannot read a cluster: build it with the feature `kubernetes`")
}
