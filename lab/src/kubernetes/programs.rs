//! Where the programs of Kubernetes are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const GO_MOD: &str = include_str!("../../kubernetes/go.mod");

/// The first directory that has all of `programs`: `KUBEBUILDER_ASSETS`, or else what
/// `lab/kubernetes/build.sh` built.
pub(crate) fn directory(programs: &[&str]) -> Result<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let built = cache()?.join(format!("kubernetes-{}", version()?));
    let lacks = |directory: &Path| {
        let mut programs = programs.iter();
        programs.find(|program| !directory.join(program).is_file())
    };
    if let Some(assets) = assets.filter(|assets| lacks(assets).is_none()) {
        return Ok(assets);
    }
    if let Some(program) = lacks(&built) {
        bail!(
            "no {program} in {}: build it with `sh lab/kubernetes/build.sh`, which needs Go",
            built.display()
        );
    }
    Ok(built)
}

/// Where what takes long to make is kept, outside of the work tree.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(cache) = env::var_os("CARILLON_LAB_CACHE") {
        return Ok(cache.into());
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = base
        .or_else(home)
        .context("neither HOME nor XDG_CACHE_HOME is set")?;
    Ok(base.join("carillon-lab"))
}

/// The version that go.mod pins.
fn version() -> Result<&'static str> {
    let mut lines = GO_MOD.lines();
    lines
        .find_map(|line| line.strip_prefix("require k8s.io/kubernetes "))
        .context("lab/kubernetes/go.mod names no version of Kubernetes")
}
