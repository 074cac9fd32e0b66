//! Where the programs of Kubernetes are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

const GO_MOD: &str = include_str!("../../kubernetes/go.mod");
const HELM_GO_MOD: &str = include_str!("../../helm/go.mod");

/// The first directory that has all of `programs`: `KUBEBUILDER_ASSETS`, or else what
/// `lab/kubernetes/build.sh` built.
pub(crate) fn directory(programs: &[&str]) -> Result<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let version = version(GO_MOD, "k8s.io/kubernetes")?;
    let built = cache()?.join(format!("kubernetes-{version}"));
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

/// Helm, as `lab/helm/build.sh` built it.
///
/// # Errors
/// It is not built.
pub fn helm() -> Result<PathBuf> {
    let version = version(HELM_GO_MOD, "helm.sh/helm/v4")?;
    let helm = cache()?.join(format!("helm-{version}/helm"));
    ensure!(
        helm.is_file(),
        "no {}: build it with `sh lab/helm/build.sh`, which needs Go",
        helm.display()
    );
    Ok(helm)
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

/// The version of a module that a go.mod pins.
fn version<'a>(go_mod: &'a str, module: &str) -> Result<&'a str> {
    let mut lines = go_mod.lines();
    let required = |line: &'a str| line.strip_prefix("require ")?.strip_prefix(module);
    let version = lines.find_map(required).map(str::trim);
    version.with_context(|| format!("no go.mod names a version of {module}"))
}
