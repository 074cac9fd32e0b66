//! The source in a cluster: its API server.

use std::path::Path;

use anyhow::Result;
use carillon_objects::source::{Followed, Snapshot};
use carillon_source_kubernetes::{self as kubernetes, Access, Options, Part, Pod};

use crate::cli::{CheckArgs, Role, RunArgs};

/// Starts to follow the cluster of this kubeconfig and context, or the one of this pod.
///
/// # Errors
/// There is no way to it.
pub(super) async fn follow(
    args: &RunArgs,
    node: &str,
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Followed> {
    let access = Access {
        kubeconfig: kubeconfig.map(Path::to_owned),
        context: context.map(str::to_owned),
    };
    let pod = args.pod_name.clone().zip(args.pod_uid.clone());
    let options = Options {
        config: args.config.key(),
        node: node.to_owned(),
        pods: args.gossip.gossip_pods.clone(),
        announces: args.role.role.announces(),
        may_lead: may_lead(args.role.role),
        pod: pod.map(|(name, uid)| Pod { name, uid }),
    };
    let name = args.pod_name.as_deref().unwrap_or(node);
    Ok(kubernetes::follow(&access, &options, name, args.lb_class.clone()).await?)
}

/// Reads all that a daemon would follow.
///
/// # Errors
/// This is no pod and there is no kubeconfig, or it cannot be used.
pub(crate) async fn read(args: &CheckArgs) -> Result<Snapshot> {
    let access = Access {
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
    };
    let part = Part {
        announces: args.role.role.announces(),
        may_lead: may_lead(args.role.role),
    };
    Ok(kubernetes::read(&access, &args.config.key(), part).await?)
}

/// Whether a daemon takes turns in giving addresses.
fn may_lead(role: Role) -> bool {
    match role {
        Role::Both | Role::Controller => true,
        Role::Speaker => false,
    }
}
