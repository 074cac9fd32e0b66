//! The journal's lines.

use std::net::IpAddr;

use carillon_core::service::ServiceKey;
use serde::{Deserialize, Serialize};

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Line {
    /// Namespace and name.
    pub(super) service: String,
    /// What it has; nothing ends its entry.
    pub(super) addresses: Vec<IpAddr>,
}

/// What a line says; nothing if it is blank.
///
/// # Errors
/// It is damaged, and how.
pub(super) fn parse(line: &[u8]) -> Result<Option<(ServiceKey, Vec<IpAddr>)>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        format!(
            "damaged: {}",
            text.split(" at line ").next().unwrap_or_default()
        )
    })?;
    match line.service.split_once('/') {
        Some((namespace, name)) => Ok(Some((ServiceKey::new(namespace, name), line.addresses))),
        None => Err(format!("damaged: {:?} is not namespace/name", line.service)),
    }
}
