//! Carillon as a sender: `carillon run --files`, a service with one ready endpoint for every route.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::{FIRST_ADDRESS, Link, Operator, RECEIVER_ASN, SENDER_ASN, Sender, write};
use crate::{Process, binary};

/// The service that comes and goes.
const EXTRA: &str = "extra";
const CONFIGURATION: &str = "config.yaml";
/// In seconds; what Carillon proposes when not told otherwise.
const HOLD_TIME: u32 = 90;

struct Operated {
    /// Ends when dropped.
    _process: Process,
    /// The directory that it watches.
    objects: PathBuf,
    /// Where a file is written before it is renamed into that directory.
    draft: PathBuf,
    receivers: Vec<Ipv4Addr>,
    /// In seconds.
    hold_time: Cell<u32>,
}

pub(super) fn start(link: &Link, routes: usize, per_file: usize) -> Result<Sender> {
    let host = &link.host;
    let objects = host.file("objects");
    fs::create_dir(&objects)?;
    let configuration = configuration(&link.receivers, HOLD_TIME);
    write(&objects.join(CONFIGURATION), configuration)?;
    write(&objects.join("extra-endpoints.yaml"), endpoints(EXTRA))?;
    let names: Vec<String> = (0..routes)
        .map(|number| format!("service-{number}"))
        .collect();
    for (number, chunk) in names.chunks(per_file).enumerate() {
        let text: String = chunk
            .iter()
            .map(|name| service(name) + &endpoints(name))
            .collect();
        write(&objects.join(format!("services-{number}.yaml")), text)?;
    }
    let mut command = host.command(binary()?);
    command
        .args(["run", "--node-name", "node", "--files"])
        .arg(&objects);
    command.arg("--socket").arg(host.file("carillon.sock"));
    let started = Instant::now();
    let process = host.spawn("carillon", &mut command)?;
    let pid = process.id();
    let operator = Box::new(Operated {
        _process: process,
        objects,
        draft: host.file("draft.yaml"),
        receivers: link.receivers.clone(),
        hold_time: Cell::new(HOLD_TIME),
    });
    Ok(Sender {
        pid,
        started,
        operator,
    })
}

fn configuration(receivers: &[Ipv4Addr], hold_time: u32) -> String {
    let mut text = "apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
    peers:
"
    .to_owned();
    for receiver in receivers {
        let _ = writeln!(
            text,
            "    - {{peer-address: {receiver}, peer-asn: {RECEIVER_ASN}, my-asn: {SENDER_ASN}, hold-time: {hold_time}s}}"
        );
    }
    let _ = write!(
        text,
        "    address-pools:
    - name: pool
      protocol: bgp
      addresses: [{FIRST_ADDRESS}/15]
"
    );
    text
}

fn service(name: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{namespace: default, name: {name}}}
spec:
  type: LoadBalancer
  clusterIPs: [172.30.0.1]
  ports: [{{protocol: TCP, port: 80}}]
"
    )
}

fn endpoints(name: &str) -> String {
    format!(
        "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  namespace: default
  name: {name}-1
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
endpoints:
- {{addresses: [10.254.0.1], nodeName: node, conditions: {{ready: true}}}}
"
    )
}

impl Operated {
    fn extra(&self) -> PathBuf {
        self.objects.join("extra.yaml")
    }
}

impl Operator for Operated {
    /// Writes a file and renames it into the directory, as editors do.
    fn announce(&self) -> Result<()> {
        write(&self.draft, service(EXTRA))?;
        rename(&self.draft, &self.extra())
    }

    fn withdraw(&self) -> Result<()> {
        fs::remove_file(self.extra()).context("cannot delete the service")
    }

    /// Sessions whose settings change begin anew, and at once; one that is lost again and again
    /// would wait longer each time.
    fn reset(&self) -> Result<()> {
        let seconds = self.hold_time.get() + 1;
        self.hold_time.set(seconds);
        write(&self.draft, configuration(&self.receivers, seconds))?;
        rename(&self.draft, &self.objects.join(CONFIGURATION))
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} in", from.display()))
}
