//! FRR's bgpd as a sender: `network` statements, announced to every receiver. It runs alone, without
//! zebra (`-Z`), which a sender that installs no routes does not need.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Link, Operator, RECEIVER_ASN, SENDER_ASN, Sender, addresses, extra_address, write};
use crate::{Host, Process, wait};

struct Bgpd {
    host: Host,
    /// Ends when dropped.
    _process: Process,
    /// The directory of its command socket.
    sockets: PathBuf,
    extra_address: Ipv4Addr,
}

pub(super) fn start(link: &Link, routes: usize, coalesce_ms: Option<u32>) -> Result<Sender> {
    let host = link.host.clone();
    let (file, sockets) = (host.file("bgpd.conf"), host.file("vty"));
    std::fs::create_dir(&sockets)?;
    write(&file, configuration(link, routes, coalesce_ms))?;
    let mut command = host.command("/usr/lib/frr/bgpd");
    // -S: keep the user, so that it can use the lab's directory.
    command.args(["-Z", "-S", "-u", "root", "-g", "root", "--log", "stdout"]);
    command
        .arg("--vty_socket")
        .arg(&sockets)
        .arg("-i")
        .arg(host.file("bgpd.pid"));
    command.arg("-f").arg(&file);
    let started = Instant::now();
    let process = host.spawn("bgpd", &mut command)?;
    let pid = process.id();
    let bgpd = Bgpd {
        host,
        _process: process,
        sockets,
        extra_address: extra_address(routes),
    };
    wait::until("bgpd to answer", Duration::from_secs(60), || {
        bgpd.vtysh(&["show version"])
    })?;
    let operator = Box::new(bgpd);
    Ok(Sender {
        pid,
        started,
        operator,
    })
}

fn configuration(link: &Link, routes: usize, coalesce_ms: Option<u32>) -> String {
    let mut text = format!("router bgp {SENDER_ASN}\n bgp router-id {}\n", link.local);
    // Announce what the configuration says, without a policy and without a route in the kernel.
    text += " no bgp ebgp-requires-policy\n no bgp network import-check\n";
    if let Some(time) = coalesce_ms {
        let _ = writeln!(text, " coalesce-time {time}");
    }
    for receiver in &link.receivers {
        let _ = writeln!(text, " neighbor {receiver} remote-as {RECEIVER_ASN}");
        let _ = writeln!(text, " neighbor {receiver} timers connect 1");
    }
    text += " address-family ipv4 unicast\n";
    for address in addresses(routes) {
        let _ = writeln!(text, "  network {address}/32");
    }
    text + " exit-address-family\n"
}

impl Bgpd {
    fn vtysh(&self, commands: &[&str]) -> Result<String> {
        let sockets = self.sockets.display().to_string();
        let mut arguments = vec!["--vty_socket", &sockets, "-d", "bgpd"];
        arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
        self.host.run("vtysh", arguments)
    }

    fn network(&self, statement: &str) -> Result<()> {
        let router = format!("router bgp {SENDER_ASN}");
        let family = "address-family ipv4 unicast";
        self.vtysh(&["configure terminal", &router, family, statement])?;
        Ok(())
    }
}

impl Operator for Bgpd {
    fn announce(&self) -> Result<()> {
        self.network(&format!("network {}/32", self.extra_address))
    }

    fn withdraw(&self) -> Result<()> {
        self.network(&format!("no network {}/32", self.extra_address))
    }

    fn reset(&self) -> Result<()> {
        self.vtysh(&["clear bgp *"]).map(drop)
    }
}
