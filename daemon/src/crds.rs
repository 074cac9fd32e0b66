//! The command `crds`: prints the definitions of the resources.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use anyhow::Result;
use carillon_objects::crd;

/// Prints them as documents of YAML.
pub(crate) fn print() -> Result<ExitCode> {
    stdout().write_all(text()?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The documents.
pub(crate) fn text() -> Result<String> {
    let mut text = String::from("# Made by `carillon crds`.\n");
    for (index, definition) in crd::definitions().into_iter().enumerate() {
        if index > 0 {
            text += "---\n";
        }
        text += &serde_saphyr::to_string(&definition)?;
    }
    Ok(text)
}
