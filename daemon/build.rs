//! Tells the compiler which revision of the source this is: `CARILLON_REVISION` where it is set,
//! as it must be outside a git tree, or else what git has checked out here.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=CARILLON_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var("CARILLON_REVISION").ok();
    let revision = given.filter(|given| !given.is_empty()).or_else(checked_out);
    let revision = revision.as_deref().unwrap_or("unknown revision");
    let version = format!("{} ({revision})", env!("CARGO_PKG_VERSION"));
    println!("cargo::rustc-env=CARILLON_VERSION={version}");
}

/// The commit of this package's git tree; `None` if there is no git, or if the tree around is
/// another project's.
fn checked_out() -> Option<String> {
    let arguments = "rev-parse --show-prefix --git-path HEAD --git-path logs/HEAD --short=12 HEAD";
    let output = Command::new("git").args(arguments.split(' ')).output();
    let output = output.ok().filter(|output| output.status.success())?;
    let answer = String::from_utf8(output.stdout).ok()?;
    let mut lines = answer.lines();
    if lines.next() != Some("daemon/") {
        return None;
    }
    // The log of HEAD grows with every commit and checkout. What does not exist would count as
    // changed in every build.
    for path in lines
        .by_ref()
        .take(2)
        .filter(|path| Path::new(path).exists())
    {
        println!("cargo::rerun-if-changed={path}");
    }
    lines.next().map(str::to_owned)
}
