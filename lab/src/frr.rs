//! FRR: zebra and bgpd, driven through vtysh.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use nix::unistd::User;
use serde::Deserialize;
use serde_json::Value;

use crate::host::Host;
use crate::process::Process;
use crate::route::{Family, Path, Routes};
use crate::wait;

/// Where Debian has the daemons.
const DAEMONS: &str = "/usr/lib/frr";
/// FRR's connect retry is 120 s, so a session that misses the first attempt shows as an error, not
/// as slowness.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// An FRR router on a host: zebra, which puts routes into the kernel, and bgpd.
pub struct Frr {
    host: Host,
    dir: PathBuf,
    config: String,
    daemons: Vec<Process>,
}

/// A line of `show bgp summary`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Neighbor {
    /// Its AS number.
    pub remote_as: u32,
    /// `Established`, `Active`, `Idle` …
    pub state: String,
    /// Prefixes received and accepted.
    #[serde(rename = "pfxRcd", default)]
    pub received: u64,
    /// Milliseconds since the state changed.
    pub peer_uptime_msec: u64,
    /// How many times the session came up.
    pub connections_established: u32,
    /// How many times it went down.
    pub connections_dropped: u32,
}

impl Frr {
    /// Starts zebra and bgpd and configures them with `config`, lines as one types them in vtysh's
    /// configuration mode. A line that FRR refuses is an error that names it.
    pub fn start(host: &Host, config: &str) -> Result<Self> {
        let dir = host.file("frr");
        fs::create_dir_all(&dir)?;
        let user = User::from_name("frr")?.context("no user frr: run lab/setup.sh")?;
        std::os::unix::fs::chown(&dir, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        let mut frr = Self {
            host: host.clone(),
            dir,
            config: config.to_owned(),
            daemons: Vec::new(),
        };
        frr.launch()?;
        Ok(frr)
    }

    fn launch(&mut self) -> Result<()> {
        // bgpd asks for zebra's socket when it starts, and then not again for seconds.
        self.daemon("zebra", "zserv.api")?;
        self.daemon("bgpd", "bgpd.vty")?;
        let config = self.config.clone();
        self.configure(&config)
    }

    /// Starts a daemon and waits until it has made a socket.
    fn daemon(&mut self, name: &str, socket: &str) -> Result<()> {
        let mut command = self.host.command(format!("{DAEMONS}/{name}"));
        command.arg("--vty_socket").arg(&self.dir);
        command.arg("--socket").arg(self.dir.join("zserv.api"));
        command
            .arg("--pid_file")
            .arg(self.dir.join(format!("{name}.pid")));
        command.args([
            "--vty_port",
            "0",
            "--log",
            "stdout",
            "--config_file",
            "/dev/null",
        ]);
        let socket = self.dir.join(socket);
        // One that a killed daemon left would pass for the new one's.
        let _ = fs::remove_file(&socket);
        let mut process = self.host.spawn(name, &mut command)?;
        wait::until(format!("{name} to start"), Duration::from_secs(10), || {
            process.ensure_running()?;
            ensure!(socket.exists(), "no {}", socket.display());
            Ok(())
        })?;
        self.daemons.push(process);
        Ok(())
    }

    /// The process ids of the daemons that run.
    pub fn process_ids(&self) -> Vec<u32> {
        self.daemons.iter().map(Process::id).collect()
    }

    /// Ends both daemons in an orderly way: neighbours get a NOTIFICATION, the kernel's routes go.
    pub fn stop(&mut self) -> Result<()> {
        for mut daemon in self.daemons.drain(..).rev() {
            daemon.terminate()?;
        }
        Ok(())
    }

    /// Kills both daemons (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        for mut daemon in self.daemons.drain(..).rev() {
            daemon.kill()?;
        }
        Ok(())
    }

    /// Starts the daemons after [`Frr::stop`] or [`Frr::kill`], with the configuration given to
    /// [`Frr::start`].
    pub fn restart(&mut self) -> Result<()> {
        ensure!(
            self.daemons.is_empty(),
            "stop or kill FRR before restarting it"
        );
        self.launch()
    }

    /// Configures with lines as one types them in vtysh's configuration mode.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let file = self.dir.join("lines.conf");
        fs::write(&file, lines)?;
        self.host.run(
            "vtysh",
            [self.vty_socket(), "-f".into(), file.display().to_string()],
        )?;
        Ok(())
    }

    /// The option that makes `vtysh` talk to this router.
    pub fn vty_socket(&self) -> String {
        format!("--vty_socket={}", self.dir.display())
    }

    /// What a command prints, `show bgp summary`.
    pub fn vtysh(&self, command: &str) -> Result<String> {
        self.host.run("vtysh", [&self.vty_socket(), "-c", command])
    }

    /// What a command prints in its JSON form; ` json` is added.
    pub fn json(&self, command: &str) -> Result<Value> {
        let text = self.vtysh(&format!("{command} json"))?;
        serde_json::from_str(&text).with_context(|| format!("{command} json: {text}"))
    }

    /// `show bgp FAMILY unicast summary`.
    pub fn neighbors(&self, family: Family) -> Result<BTreeMap<IpAddr, Neighbor>> {
        #[derive(Default, Deserialize)]
        struct Summary {
            #[serde(default)]
            peers: BTreeMap<IpAddr, Neighbor>,
        }
        let json = self.json(&format!("show bgp {} unicast summary", family.name()))?;
        let summary: Summary = serde_json::from_value(json)?;
        Ok(summary.peers)
    }

    /// `show bgp neighbors ADDRESS`, everything that FRR knows about a neighbour; an error when it
    /// has no such.
    pub fn neighbor(&self, address: IpAddr) -> Result<Value> {
        let mut json = self.json(&format!("show bgp neighbors {address}"))?;
        let neighbor = json.get_mut(address.to_string()).map(Value::take);
        neighbor.with_context(|| format!("no neighbour {address}: {json}"))
    }

    /// Waits until the session with a neighbour is established.
    pub fn await_established(&self, neighbor: IpAddr) -> Result<()> {
        let what = format!(
            "{} to establish a session with {neighbor}",
            self.host.name()
        );
        wait::until(what, ESTABLISHED, || {
            let json = self.neighbor(neighbor)?;
            match json.get("bgpState").and_then(Value::as_str) {
                Some("Established") => Ok(()),
                state => bail!(
                    "state {state:?}, last reset {:?}",
                    json.get("lastResetDueTo")
                ),
            }
        })
    }

    /// The BGP table. It has no communities: they are in [`Frr::paths`].
    pub fn routes(&self, family: Family) -> Result<Routes> {
        table(self.json(&format!("show bgp {} unicast", family.name()))?)
    }

    /// The routes of one family received from a neighbour and accepted. No communities here either.
    pub fn routes_from(&self, neighbor: IpAddr, family: Family) -> Result<Routes> {
        let family = family.name();
        table(self.json(&format!(
            "show bgp {family} unicast neighbors {neighbor} routes"
        ))?)
    }

    /// The paths to one prefix with all their attributes; none when the table does not have it.
    pub fn paths(&self, prefix: IpNet) -> Result<Vec<Path>> {
        let family = Family::of(prefix.addr()).name();
        let json = self.json(&format!("show bgp {family} unicast {prefix}"))?;
        let detail: Detail = serde_json::from_value(json)?;
        Ok(detail.paths.into_iter().map(Path::from).collect())
    }
}

#[derive(Deserialize)]
struct NextHop {
    ip: IpAddr,
}

/// A path in FRR's tables.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default)]
    bestpath: bool,
    #[serde(default)]
    multipath: bool,
    metric: Option<u32>,
    loc_prf: Option<u32>,
    peer_id: String,
    path: String,
    origin: String,
    nexthops: Vec<NextHop>,
}

impl From<Row> for Path {
    fn from(row: Row) -> Self {
        Self {
            peer: row.peer_id.parse().ok(),
            next_hops: row.nexthops.into_iter().map(|hop| hop.ip).collect(),
            as_path: row
                .path
                .split_whitespace()
                .filter_map(|asn| asn.parse().ok())
                .collect(),
            origin: row.origin,
            local_pref: row.loc_prf,
            med: row.metric,
            communities: Vec::new(),
            best: row.bestpath,
            multipath: row.multipath,
        }
    }
}

fn table(json: Value) -> Result<Routes> {
    #[derive(Deserialize)]
    struct Table {
        #[serde(default)]
        routes: BTreeMap<IpNet, Vec<Row>>,
    }
    let table: Table = serde_json::from_value(json)?;
    let paths = |rows: Vec<Row>| rows.into_iter().map(Path::from).collect();
    Ok(table
        .routes
        .into_iter()
        .map(|(prefix, rows)| (prefix, paths(rows)))
        .collect())
}

/// `show bgp FAMILY unicast PREFIX`.
#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    paths: Vec<DetailPath>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailPath {
    aspath: AsPath,
    origin: String,
    metric: Option<u32>,
    loc_prf: Option<u32>,
    #[serde(default)]
    bestpath: Best,
    #[serde(default)]
    multipath: bool,
    #[serde(default)]
    community: Communities,
    nexthops: Vec<NextHop>,
    peer: Peer,
}

#[derive(Deserialize)]
struct AsPath {
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    list: Vec<u32>,
}

#[derive(Default, Deserialize)]
struct Best {
    #[serde(default)]
    overall: bool,
}

#[derive(Default, Deserialize)]
struct Communities {
    list: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    peer_id: String,
}

impl From<DetailPath> for Path {
    fn from(path: DetailPath) -> Self {
        Self {
            peer: path.peer.peer_id.parse().ok(),
            next_hops: path.nexthops.into_iter().map(|hop| hop.ip).collect(),
            as_path: path
                .aspath
                .segments
                .into_iter()
                .flat_map(|segment| segment.list)
                .collect(),
            origin: path.origin,
            local_pref: path.loc_prf,
            med: path.metric,
            communities: path.community.list,
            best: path.bestpath.overall,
            multipath: path.multipath,
        }
    }
}
