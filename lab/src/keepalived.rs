//! keepalived, which moves an address between hosts by VRRP.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::host::Host;
use crate::process::Process;

/// A host on which keepalived takes part in instances of VRRPv3.
pub struct Keepalived {
    host: Host,
    config: PathBuf,
    /// The daemon.
    pub process: Process,
}

/// Addresses that one host has at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The virtual router id.
    pub router: u8,
    /// The priority of this host.
    pub priority: u8,
    /// Its addresses.
    pub addresses: Vec<Ipv4Addr>,
}

impl Instance {
    fn configuration(&self, interval: &str) -> String {
        let Self {
            router, priority, ..
        } = self;
        let mut text = format!(
            "vrrp_instance vip{router} {{
    state BACKUP
    interface eth0
    virtual_router_id {router}
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
"
        );
        for address in &self.addresses {
            let _ = writeln!(text, "        {address}/32 dev eth0");
        }
        text + "    }\n}\n"
    }
}

impl Keepalived {
    /// What counts its packets, for nftables.
    pub const PACKETS: &str = "meta l4proto 112";

    /// Starts it with one instance, of router 51: `interval` in seconds is its `advert_int`, all else
    /// is as it comes.
    pub fn start(host: &Host, address: Ipv4Addr, priority: u8, interval: &str) -> Result<Self> {
        let instance = Instance {
            router: 51,
            priority,
            addresses: vec![address],
        };
        Self::start_all(host, &[instance], interval)
    }

    /// The same with these instances.
    pub fn start_all(host: &Host, instances: &[Instance], interval: &str) -> Result<Self> {
        let config = host.file("keepalived.conf");
        let mut text = "global_defs {\n    vrrp_version 3\n}\n".to_owned();
        for instance in instances {
            text += &instance.configuration(interval);
        }
        fs::write(&config, text)?;
        let process = spawn(host, &config)?;
        Ok(Self {
            host: host.clone(),
            config,
            process,
        })
    }

    /// Starts it again after it was terminated or killed.
    pub fn restart(&mut self) -> Result<()> {
        let has_ended = self.process.exit_status()?.is_some();
        ensure!(has_ended, "end keepalived before restarting it");
        self.process = spawn(&self.host, &self.config)?;
        Ok(())
    }
}

fn spawn(host: &Host, config: &PathBuf) -> Result<Process> {
    let mut command = host.command("keepalived");
    command.args(["--dont-fork", "--log-console", "--vrrp", "--use-file"]);
    command.arg(config);
    command.arg("--pid").arg(host.file("keepalived.pid"));
    command.arg("--vrrp_pid").arg(host.file("vrrp.pid"));
    host.spawn("keepalived", &mut command)
}
