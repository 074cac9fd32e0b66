//! The sources that this daemon was built with: a line each.

use std::path::Path;

use anyhow::Result;
use carillon_objects::source::Followed;

use crate::cli::{RunArgs, Source};
use crate::files;
use crate::supervise::Tasks;

/// Starts to follow the source of a daemon on this node.
///
/// # Errors
/// It cannot be followed from here, or by this binary.
pub(crate) async fn follow(
    from: Source<'_>,
    args: &RunArgs,
    node: &str,
    tasks: &mut Tasks,
) -> Result<Followed> {
    match from {
        Source::Files(dir) => from_files(args, dir, node),
        Source::Cluster(kubeconfig, context) => {
            from_cluster(args, node, kubeconfig, context, tasks).await
        }
    }
}

fn from_files(args: &RunArgs, dir: &Path, node: &str) -> Result<Followed> {
    let journal = args.state.clone();
    let options = files::Options {
        dir: dir.to_owned(),
        config: args.config.key(),
        journal: journal.unwrap_or_else(|| dir.join(files::journal::NAME)),
    };
    Ok(files::follow(options, node, args.lb_class.clone())?)
}

#[cfg(feature = "kubernetes")]
async fn from_cluster(
    args: &RunArgs,
    node: &str,
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    tasks: &mut Tasks,
) -> Result<Followed> {
    use crate::kubernetes::{self, Access, Options};

    let access = Access {
        kubeconfig: kubeconfig.map(Path::to_owned),
        context: context.map(str::to_owned),
    };
    let options = Options {
        config: args.config.key(),
        node: node.to_owned(),
        pods: args.gossip.gossip_pods.clone(),
        announces: args.role.role.announces(),
        may_lead: args.role.role.may_lead(),
    };
    let name = args.pod_name.as_deref().unwrap_or(node);
    kubernetes::follow(&access, &options, name, args.lb_class.clone(), tasks).await
}

#[cfg(not(feature = "kubernetes"))]
fn from_cluster(
    _: &RunArgs,
    _: &str,
    _: Option<&Path>,
    _: Option<&str>,
    _: &mut Tasks,
) -> std::future::Ready<Result<Followed>> {
    std::future::ready(Err(anyhow::anyhow!(
        "this carillon cannot follow a cluster: build it with the feature `kubernetes`, or give --files"
    )))
}
