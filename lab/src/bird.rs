//! BIRD 2.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use crate::host::Host;
use crate::process::Process;
use crate::route::{Path, Routes};
use crate::wait;

/// A BIRD router on a host.
pub struct Bird {
    host: Host,
    config: PathBuf,
    socket: PathBuf,
    /// The daemon.
    pub process: Process,
}

impl Bird {
    /// Starts BIRD with the text of a configuration file. Its log goes to standard error, so to the
    /// lab's logs, with `log stderr all;`.
    pub fn start(host: &Host, config: &str) -> Result<Self> {
        let file = host.file("bird.conf");
        fs::write(&file, config)?;
        let socket = host.file("bird.ctl");
        let mut command = host.command("bird");
        command
            .arg("-f")
            .arg("-c")
            .arg(&file)
            .arg("-s")
            .arg(&socket);
        let process = host.spawn("bird", &mut command)?;
        let mut bird = Self {
            host: host.clone(),
            config: file,
            socket,
            process,
        };
        wait::until("bird to start", Duration::from_secs(10), || {
            bird.process.ensure_running()?;
            bird.birdc("show status")
        })?;
        Ok(bird)
    }

    /// What birdc prints for a command, `show protocols all`.
    pub fn birdc(&self, command: &str) -> Result<String> {
        let socket = self.socket.display().to_string();
        let words = command.split_whitespace();
        self.host
            .run("birdc", ["-s", &socket].into_iter().chain(words))
    }

    /// Replaces the configuration while it runs.
    pub fn reconfigure(&self, config: &str) -> Result<()> {
        fs::write(&self.config, config)?;
        let answer = self.birdc("configure")?;
        ensure!(
            answer.contains("Reconfig"),
            "bird refused the configuration: {answer}"
        );
        Ok(())
    }

    /// The BGP sessions by protocol name and their state, `Established`.
    pub fn sessions(&self) -> Result<BTreeMap<String, String>> {
        let table = self.birdc("show protocols")?;
        Ok(table.lines().filter_map(session).collect())
    }

    /// Waits until the session of a protocol is established.
    pub fn await_established(&self, protocol: &str) -> Result<()> {
        let what = format!("bird on {}: {protocol} to be established", self.host.name());
        wait::until(what, Duration::from_secs(60), || {
            let sessions = self.sessions()?;
            let state = sessions.get(protocol);
            ensure!(
                state.is_some_and(|state| state == "Established"),
                "{sessions:?}"
            );
            Ok(())
        })
    }

    /// All routes of all tables, its own static ones too.
    pub fn routes(&self) -> Result<Routes> {
        parse(&self.birdc("show route all")?)
    }
}

/// `r6  BGP  ---  up  23:59:37.751  Established` (with `Info` of several words, the first counts).
fn session(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    (words.next()? == "BGP").then(|| (name.to_owned(), words.nth(3).unwrap_or("down").to_owned()))
}

/// Reads `show route all`: a line with the prefix and the first path, lines indented by spaces with
/// further paths, and lines indented by a tab with the attributes of the path above.
fn parse(text: &str) -> Result<Routes> {
    let mut routes = Routes::new();
    let mut prefix = None;
    for line in text
        .lines()
        .filter(|line| line.contains('[') || line.starts_with('\t'))
    {
        if let Some(attribute) = line.strip_prefix('\t') {
            let path = prefix.and_then(|prefix| routes.get_mut(&prefix)?.last_mut());
            set_attribute(path.context("an attribute without a path")?, attribute);
            continue;
        }
        if !line.starts_with(' ') {
            let first = line.split_whitespace().next().unwrap_or_default();
            prefix = Some(
                first
                    .parse::<IpNet>()
                    .with_context(|| format!("no prefix: {line}"))?,
            );
        }
        let path = Path {
            peer: peer(line),
            best: line.contains("] * "),
            ..Path::default()
        };
        routes
            .entry(prefix.context("a path without a prefix")?)
            .or_default()
            .push(path);
    }
    Ok(routes)
}

/// The neighbour in `[protocol time from 192.0.2.1]`; BIRD leaves it out where the next hop is the
/// same.
fn peer(line: &str) -> Option<std::net::IpAddr> {
    line.split_once(" from ")?
        .1
        .split([']', ' ', '%'])
        .next()?
        .parse()
        .ok()
}

fn set_attribute(path: &mut Path, line: &str) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    let words = || value.split_whitespace();
    match name {
        "BGP.origin" => value.trim().clone_into(&mut path.origin),
        "BGP.as_path" => path.as_path = words().filter_map(|asn| asn.parse().ok()).collect(),
        "BGP.next_hop" => {
            path.next_hops = words().filter_map(|hop| hop.parse().ok()).collect();
            path.peer = path.peer.or(path.next_hops.first().copied());
        }
        "BGP.med" => path.med = value.trim().parse().ok(),
        "BGP.local_pref" => path.local_pref = value.trim().parse().ok(),
        "BGP.community" => path.communities = words().map(community).collect(),
        _ => {}
    }
}

/// `(64512,100)` as `64512:100`.
fn community(text: &str) -> String {
    text.trim_matches(['(', ')']).replace(',', ":")
}

#[cfg(test)]
mod tests;
