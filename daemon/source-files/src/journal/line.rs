//! The journal's lines.

use std::net::IpAddr;

use carillon_core::config::PoolName;
use carillon_core::few::Few;
use carillon_core::service::ServiceKey;
use serde::{Deserialize, Serialize};

/// What a service has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Its addresses; none if its entry has ended.
    pub addresses: Few<IpAddr>,
    /// The pool that they were given from, if that was noted.
    pub pool: Option<PoolName>,
}

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    /// Namespace and name.
    service: String,
    /// What it has; nothing ends its entry.
    addresses: Vec<IpAddr>,
    /// The pool that it has them from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<PoolName>,
}

/// Appends the line that says what a service has.
pub fn write(lines: &mut Vec<u8>, service: &ServiceKey, given: &Given) {
    let line = Line {
        service: service.to_string(),
        addresses: given.addresses.to_vec(),
        pool: given.pool.clone(),
    };
    // Strings and addresses can always be written as JSON.
    lines.extend(serde_json::to_vec(&line).unwrap_or_default());
    lines.push(b'\n');
}

/// What a line says; nothing if it is blank.
///
/// # Errors
/// It is damaged, and how.
pub fn parse(line: &[u8]) -> Result<Option<(ServiceKey, Given)>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let text: String = text.chars().take(160).collect();
        format!(
            "damaged: {}",
            text.split(" at line ").next().unwrap_or_default()
        )
    })?;
    let Line {
        service,
        addresses,
        pool,
    } = line;
    let Some((namespace, name)) = service.split_once('/') else {
        let shown: String = service.chars().take(80).collect();
        return Err(format!("damaged: {shown:?} is not namespace/name"));
    };
    let given = Given {
        addresses: addresses.into(),
        pool,
    };
    Ok(Some((ServiceKey::new(namespace, name), given)))
}
