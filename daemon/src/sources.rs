//! The sources that this daemon was built with: the flags of each, and a line.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use carillon_objects::source::Followed;
use carillon_source_files as files;
use clap::Args;
use clap::builder::FalseyValueParser;

use crate::cli::RunArgs;
use crate::heap;

// A binary without it has in its place what refuses.
#[cfg_attr(not(feature = "kubernetes"), path = "sources/no_cluster.rs")]
pub(crate) mod cluster;

/// Where the objects are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// In this directory.
    Files(&'a Path),
    /// In a cluster: that of a kubeconfig and of a context in it, or the one of this pod.
    Cluster(Option<&'a Path>, Option<&'a str>),
}

/// Where the objects are: exactly one of these.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// The directory with the objects: all *.yaml, *.yml and *.json in it.
    #[arg(long, value_name = "DIR", env = "CARILLON_FILES")]
    files: Option<PathBuf>,

    /// Follow the cluster in which this runs as a pod, or that of $KUBECONFIG.
    #[arg(long, env = "CARILLON_KUBERNETES", value_parser = FalseyValueParser::new())]
    kubernetes: bool,

    /// Follow the cluster of this kubeconfig file.
    #[arg(long, value_name = "FILE", env = "CARILLON_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig to use [default: its current one].
    #[arg(long, value_name = "NAME", env = "CARILLON_CONTEXT")]
    context: Option<String>,
}

impl SourceArgs {
    /// Whether this runs as a pod.
    pub(crate) fn is_pod(&self) -> bool {
        self.kubernetes
    }

    /// The source that is meant; `has_state` if there is a file to remember addresses in.
    ///
    /// # Errors
    /// It is not said, or twice, or has its own record of addresses.
    pub(crate) fn choose(&self, has_state: bool) -> Result<Source<'_>> {
        let (kubeconfig, context) = (self.kubeconfig.as_deref(), self.context.as_deref());
        let is_cluster = self.kubernetes || kubeconfig.is_some();
        match (&self.files, is_cluster) {
            (Some(files), false) => Ok(Source::Files(files)),
            (None, true) if has_state => {
                bail!("a cluster is its own record of addresses: --state is for --files")
            }
            (None, true) => Ok(Source::Cluster(kubeconfig, context)),
            (None, false) => bail!(
                "say what to announce: --files DIR, --kubernetes (in a pod), or --kubeconfig FILE"
            ),
            (Some(_), true) => bail!(
                "--files and a cluster (--kubernetes, --kubeconfig) exclude each other: give one \
                 of them"
            ),
        }
    }
}

/// Starts to follow the source of a daemon on this node.
///
/// # Errors
/// It cannot be followed from here, or by this binary.
pub(crate) async fn follow(from: Source<'_>, args: &RunArgs, node: &str) -> Result<Followed> {
    match from {
        Source::Files(dir) => from_files(args, dir, node),
        Source::Cluster(kubeconfig, context) => {
            cluster::follow(args, node, kubeconfig, context).await
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
    let class = args.lb_class.clone();
    Ok(files::follow(options, node, class, heap::trim)?)
}
