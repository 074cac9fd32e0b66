//! Pod: where another daemon is reached.

use std::net::IpAddr;

use serde::Deserialize;

#[cfg(feature = "kubernetes")]
use super::metadata::Metadata;

/// A Pod as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodObject {
    #[cfg(feature = "kubernetes")]
    pub(super) metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
}

impl PodObject {
    /// Its address, if it has one and has not ended.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let has_ended = matches!(&*self.status.phase, "Succeeded" | "Failed");
        self.status.pod_ip.parse().ok().filter(|_| !has_ended)
    }
}
