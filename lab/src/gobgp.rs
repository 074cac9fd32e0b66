//! GoBGP.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::host::Host;
use crate::process::Process;
use crate::route::{Family, Path, Routes};
use crate::wait;

/// A GoBGP router on a host. It does not put routes into the kernel. Its API listens on the host's
/// loopback address, at the port that the `gobgp` command uses by itself.
pub struct GoBgp {
    host: Host,
    /// The daemon.
    pub process: Process,
}

impl GoBgp {
    /// Starts gobgpd with the text of a configuration file in TOML.
    pub fn start(host: &Host, config: &str) -> Result<Self> {
        let file = host.file("gobgp.toml");
        fs::write(&file, config)?;
        let mut command = host.command("gobgpd");
        command.args([
            "--api-hosts",
            "127.0.0.1:50051",
            "--pprof-disable",
            "--log-plain",
        ]);
        let process = host.spawn("gobgpd", command.arg("-f").arg(&file))?;
        let mut gobgp = Self {
            host: host.clone(),
            process,
        };
        wait::until("gobgpd to start", Duration::from_secs(10), || {
            gobgp.process.ensure_running()?;
            gobgp.gobgp("global")
        })?;
        Ok(gobgp)
    }

    /// What the command line prints, `gobgp("global rib add 198.51.100.9/32 nexthop 192.0.2.2")`.
    pub fn gobgp(&self, command: &str) -> Result<String> {
        self.host.run("gobgp", command.split_whitespace())
    }

    fn json<T: DeserializeOwned>(&self, command: &str) -> Result<T> {
        let text = self.gobgp(&format!("{command} -j"))?;
        serde_json::from_str(&text).with_context(|| format!("gobgp {command} -j: {text}"))
    }

    /// The neighbours and the state of their sessions, `Established`.
    pub fn sessions(&self) -> Result<BTreeMap<IpAddr, &'static str>> {
        let list: Vec<Neighbor> = self.json("neighbor")?;
        Ok(list
            .iter()
            .map(|neighbor| (neighbor.conf.address, neighbor.state()))
            .collect())
    }

    /// Waits until the session with a neighbour is established.
    pub fn await_established(&self, neighbor: IpAddr) -> Result<()> {
        let what = format!(
            "gobgpd on {} to have a session with {neighbor}",
            self.host.name()
        );
        wait::until(what, Duration::from_secs(60), || {
            let sessions = self.sessions()?;
            ensure!(
                sessions.get(&neighbor) == Some(&"Established"),
                "{sessions:?}"
            );
            Ok(())
        })
    }

    /// The BGP table, its own routes too.
    pub fn routes(&self, family: Family) -> Result<Routes> {
        let table: Table = self.json(&format!("global rib -a {}", family.name()))?;
        Ok(routes(table))
    }

    /// The routes of one family received from a neighbour, before any policy.
    pub fn routes_from(&self, neighbor: IpAddr, family: Family) -> Result<Routes> {
        let family = family.name();
        let table: Table = self.json(&format!("neighbor {neighbor} adj-in -a {family}"))?;
        Ok(routes(table))
    }
}

#[derive(Deserialize)]
struct Neighbor {
    conf: Conf,
    #[serde(default)]
    state: State,
}

#[derive(Deserialize)]
struct Conf {
    #[serde(rename = "neighbor_address")]
    address: IpAddr,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    session_state: usize,
}

impl Neighbor {
    fn state(&self) -> &'static str {
        let names = [
            "Unknown",
            "Idle",
            "Connect",
            "Active",
            "OpenSent",
            "OpenConfirm",
            "Established",
        ];
        names
            .get(self.state.session_state)
            .copied()
            .unwrap_or("Unknown")
    }
}

type Table = BTreeMap<IpNet, Vec<Row>>;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    best: bool,
    attrs: Vec<Attribute>,
    #[serde(rename = "neighbor-ip")]
    neighbor: Option<IpAddr>,
}

/// A path attribute: its type code, and fields that depend on it.
#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    code: u8,
    #[serde(default)]
    value: serde_json::Value,
    nexthop: Option<IpAddr>,
    metric: Option<u32>,
    #[serde(default)]
    as_paths: Vec<Segment>,
    #[serde(default)]
    communities: Vec<u32>,
}

#[derive(Deserialize)]
struct Segment {
    asns: Vec<u32>,
}

fn routes(table: Table) -> Routes {
    let paths = |rows: Vec<Row>| rows.into_iter().map(Path::from).collect();
    table
        .into_iter()
        .map(|(prefix, rows)| (prefix, paths(rows)))
        .collect()
}

impl From<Row> for Path {
    fn from(row: Row) -> Self {
        let mut path = Self {
            peer: row.neighbor,
            best: row.best,
            ..Self::default()
        };
        for attribute in row.attrs {
            set_attribute(&mut path, attribute);
        }
        path
    }
}

/// The type codes are those of RFC 4271 section 5, RFC 1997 (8) and RFC 4760 (14).
fn set_attribute(path: &mut Path, attribute: Attribute) {
    let number = attribute.value.as_u64();
    match attribute.code {
        1 => origin(number).clone_into(&mut path.origin),
        2 => path.as_path = concat(attribute.as_paths),
        3 | 14 => path.next_hops.extend(attribute.nexthop),
        4 => path.med = attribute.metric,
        5 => path.local_pref = number.and_then(|number| number.try_into().ok()),
        8 => path.communities = attribute.communities.into_iter().map(community).collect(),
        _ => {}
    }
}

fn concat(segments: Vec<Segment>) -> Vec<u32> {
    segments
        .into_iter()
        .flat_map(|segment| segment.asns)
        .collect()
}

fn origin(code: Option<u64>) -> &'static str {
    match code {
        Some(0) => "IGP",
        Some(1) => "EGP",
        _ => "incomplete",
    }
}

fn community(value: u32) -> String {
    format!("{}:{}", value >> 16, value & 0xffff)
}
