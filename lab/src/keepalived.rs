//! keepalived, which moves an address between hosts by VRRP.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::host::Host;
use crate::process::Process;

/// A host on which keepalived takes part in one VRRPv3 instance.
pub struct Keepalived {
    host: Host,
    config: PathBuf,
    /// The daemon.
    pub process: Process,
}

impl Keepalived {
    /// What counts its packets, for nftables.
    pub const PACKETS: &str = "meta l4proto 112";

    /// Starts it: `interval` in seconds is its `advert_int`, all else is as it comes.
    pub fn start(host: &Host, address: Ipv4Addr, priority: u8, interval: &str) -> Result<Self> {
        let config = host.file("keepalived.conf");
        fs::write(
            &config,
            format!(
                "global_defs {{
    vrrp_version 3
}}
vrrp_instance vip {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {address}/32 dev eth0
    }}
}}
"
            ),
        )?;
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
