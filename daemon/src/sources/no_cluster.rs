//! In the place of the source in a cluster, in a binary without it: refuses.

use std::future::{Ready, ready};
use std::path::Path;

use anyhow::{Result, anyhow};
use carillon_objects::source::{Followed, Snapshot};

use crate::cli::{CheckArgs, RunArgs};

/// Refuses to follow a cluster.
pub(super) fn follow(
    _: &RunArgs,
    _: &str,
    _: Option<&Path>,
    _: Option<&str>,
) -> Ready<Result<Followed>> {
    ready(Err(anyhow!(
        "this carillon cannot follow a cluster: build it with the feature `kubernetes`, or give --files"
    )))
}

/// Refuses to read a cluster.
pub(crate) fn read(_: &CheckArgs) -> Ready<Result<Snapshot>> {
    ready(Err(anyhow!(
        "this carillon cannot read a cluster: build it with the feature `kubernetes`"
    )))
}
