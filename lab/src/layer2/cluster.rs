//! Carillon on every station of a segment, with addresses that one of them has at a time.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::segment::{Segment, Station};
use crate::carillon::Carillon;
use crate::lab::Lab;

/// Everything that the daemons of a segment share: a directory of manifests and a key.
pub struct Cluster {
    /// Where they run.
    pub segment: Segment,
    /// What they read.
    pub files: PathBuf,
    /// The secret of their gossip.
    pub key: PathBuf,
    draft: PathBuf,
}

/// The UDP port of the gossip.
pub const GOSSIP: u16 = 7480;

impl Cluster {
    /// A segment with these hosts, no daemons, and a pool `pool` with all addresses from
    /// 192.0.2.100 and 2001:db8::100 on.
    pub fn new(lab: &Lab, hosts: &[&str]) -> Result<Self> {
        let cluster = Self {
            segment: Segment::new(lab, hosts)?,
            files: lab.dir().join("files"),
            key: lab.dir().join("gossip.key"),
            draft: lab.dir().join("draft"),
        };
        fs::create_dir(&cluster.files)?;
        fs::write(&cluster.key, "a secret of the laboratory, known to all\n")?;
        cluster.configure(&["{name: pool, protocol: layer2, addresses: \
             [192.0.2.100-192.0.2.199, '2001:db8::100-2001:db8::1ff']}"])?;
        Ok(cluster)
    }

    /// Puts a file into place, complete at once.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(&self.draft, text)?;
        fs::rename(&self.draft, self.files.join(name))?;
        Ok(())
    }

    /// Writes the configuration with these pools, and nothing else in it.
    pub fn configure(&self, pools: &[&str]) -> Result<()> {
        self.configure_with("", pools)
    }

    /// The same, with the given lines before, such as `peers: []`.
    pub fn configure_with(&self, lines: &str, pools: &[&str]) -> Result<()> {
        let mut text = "\
apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
"
        .to_owned();
        for line in lines.lines().chain(["address-pools:"]) {
            let _ = writeln!(text, "    {line}");
        }
        for pool in pools {
            let _ = writeln!(text, "    - {pool}");
        }
        self.write("config.yaml", &text)
    }

    /// Writes a Service with this address and an endpoint on every station.
    pub fn serve(&self, name: &str, address: IpAddr) -> Result<()> {
        let nodes: Vec<_> = self
            .segment
            .stations
            .iter()
            .map(|s| s.host.name())
            .collect();
        let text = service(name, address, "") + &endpoints(name, address, &nodes);
        self.write(&format!("{name}.yaml"), &text)
    }

    /// Starts the daemon of a station; it joins all others.
    pub fn start(&self, station: &Station, options: &[&str]) -> Result<Carillon> {
        self.start_with_key(station, &self.key, options)
    }

    /// The same with another secret.
    pub fn start_with_key(
        &self,
        station: &Station,
        key: &Path,
        options: &[&str],
    ) -> Result<Carillon> {
        let mut arguments = self.gossip(station, key);
        arguments.extend(options.iter().map(OsString::from));
        Carillon::start_with(&station.host, station.host.name(), &self.files, &arguments)
    }

    /// The same with what the Kubernetes API says instead of the files.
    pub fn start_kubernetes(
        &self,
        station: &Station,
        kubeconfig: &Path,
        options: &[&str],
    ) -> Result<Carillon> {
        let mut arguments = self.gossip(station, &self.key);
        arguments.extend(options.iter().map(OsString::from));
        let host = &station.host;
        Carillon::start_kubernetes_with(host, host.name(), kubeconfig, &arguments)
    }

    fn gossip(&self, station: &Station, key: &Path) -> Vec<OsString> {
        let endpoint = |station: &Station| format!("{}:{GOSSIP}", station.address()).into();
        let mut arguments = vec!["--gossip-bind".into(), endpoint(station)];
        for other in &self.segment.stations {
            if other.number != station.number {
                arguments.extend(["--join".into(), endpoint(other)]);
            }
        }
        arguments.extend(["--gossip-key-file".into(), key.into()]);
        arguments
    }

    /// Starts the daemons of all stations.
    pub fn start_all(&self, options: &[&str]) -> Result<Vec<Carillon>> {
        let stations = self.segment.stations.iter();
        stations
            .map(|station| self.start(station, options))
            .collect()
    }

    /// The place of a station in [`Segment::stations`], and so of its daemon in what
    /// [`Cluster::start_all`] returned.
    pub fn place(&self, station: &Station) -> Result<usize> {
        let mut stations = self.segment.stations.iter();
        let place = stations.position(|other| other.number == station.number);
        place.context("a station of another segment")
    }
}

/// A Service of type LoadBalancer with this address; `more` is added to its spec, as in
/// `externalTrafficPolicy: Local`.
pub fn service(name: &str, address: IpAddr, more: &str) -> String {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, annotations: {{metallb.io/loadBalancerIPs: '{address}'}}}}
spec: {{type: LoadBalancer, ipFamilies: [{family}], ports: [{{port: 80}}], {more}}}
"
    )
}

/// The EndpointSlice of a Service with this address, with a ready endpoint on each of these nodes.
pub fn endpoints(service: &str, address: IpAddr, nodes: &[&str]) -> String {
    let (family, network) = if address.is_ipv4() {
        ("IPv4", "10.0.0.")
    } else {
        ("IPv6", "fd00::")
    };
    let mut text = format!(
        "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {service}-1, labels: {{kubernetes.io/service-name: {service}}}}}
addressType: {family}
endpoints:
"
    );
    for (node, host) in nodes.iter().zip(1..) {
        let _ = writeln!(
            text,
            "- {{addresses: ['{network}{host}'], nodeName: {node}, conditions: {{ready: true}}}}"
        );
    }
    if nodes.is_empty() {
        text = text.replace("endpoints:\n", "endpoints: []\n");
    }
    text
}
