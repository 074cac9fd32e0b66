//! The manifests that tests write, and the directory that they write them to.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use carillon_lab::Lab;

/// The usual pool.
pub(crate) const POOL: &str = "{name: pool, protocol: bgp, addresses: [198.51.100.0/24]}";

/// A peer of the configuration, both ends in AS 64512.
pub(crate) fn peer(address: &str) -> String {
    format!("{{my-asn: 64512, peer-asn: 64512, peer-address: '{address}'}}")
}

/// The ConfigMap. The first peer is in line 7.
pub(crate) fn config(peers: &[&str], pools: &[&str]) -> String {
    let mut text = "\
apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
"
    .to_owned();
    for (key, items) in [("peers", peers), ("address-pools", pools)] {
        let _ = writeln!(text, "    {key}:");
        for item in items {
            let _ = writeln!(text, "    - {item}");
        }
    }
    text
}

/// A Service of type LoadBalancer; `more` is added to its spec, as in
/// `externalTrafficPolicy: Local`.
pub(crate) fn service(name: &str, more: &str) -> String {
    format!(
        "\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}], {more}}}
"
    )
}

/// The EndpointSlices of a Service, with a ready endpoint on each of these nodes.
pub(crate) fn endpoints(service: &str, nodes: &[&str]) -> String {
    let nodes = nodes.iter().map(|node| (*node, true));
    endpoints_ready(service, &nodes.collect::<Vec<_>>())
}

/// The EndpointSlices of a Service, one of each family, with an endpoint on each of these nodes that
/// is ready or not.
pub(crate) fn endpoints_ready(service: &str, nodes: &[(&str, bool)]) -> String {
    let mut text = String::new();
    for (family, network) in [("IPv4", "10.0.0."), ("IPv6", "fd00::")] {
        let name = format!("{service}-{}", family.to_lowercase());
        let _ = write!(
            text,
            "\
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, labels: {{kubernetes.io/service-name: {service}}}}}
addressType: {family}
endpoints:
"
        );
        for ((node, ready), host) in nodes.iter().zip(1..) {
            let _ = writeln!(
                text,
                "- {{addresses: ['{network}{host}'], nodeName: {node}, conditions: {{ready: {ready}}}}}"
            );
        }
    }
    text
}

/// A Service and an endpoint for it on node `alpha`.
pub(crate) fn served(name: &str, more: &str) -> String {
    service(name, more) + &endpoints(name, &["alpha"])
}

/// A Node with labels, `rack: a, zone: b`, and the status of its condition NetworkUnavailable.
pub(crate) fn node(name: &str, labels: &str, network_unavailable: bool) -> String {
    let status = if network_unavailable { "True" } else { "False" };
    format!(
        "\
---
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{{labels}}}}}
status: {{conditions: [{{type: NetworkUnavailable, status: '{status}'}}]}}
"
    )
}

/// A directory of manifests.
#[derive(Clone)]
pub(crate) struct Files {
    dir: PathBuf,
    draft: PathBuf,
}

impl Files {
    /// A new directory of the lab.
    pub(crate) fn create(lab: &Lab) -> Result<Self> {
        let files = Self {
            dir: lab.dir().join("files"),
            draft: lab.dir().join("draft"),
        };
        fs::create_dir(&files.dir)?;
        Ok(files)
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Puts a file into place, complete at once.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(&self.draft, text)?;
        fs::rename(&self.draft, self.dir.join(name))?;
        Ok(())
    }

    /// Writes `config.yaml`, see [`config`].
    pub(crate) fn configure(&self, peers: &[&str], pools: &[&str]) -> Result<()> {
        self.write("config.yaml", &config(peers, pools))
    }

    /// Writes `NAME.yaml` with a Service and an endpoint for it on node `alpha`.
    pub(crate) fn serve(&self, name: &str) -> Result<()> {
        self.write(&format!("{name}.yaml"), &served(name, ""))
    }

    /// Deletes `NAME.yaml`.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.dir.join(format!("{name}.yaml")))?;
        Ok(())
    }
}
