//! An Ethernet switch: a bridge in a namespace of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;

/// A switch of a [`Lab`]. It learns addresses, floods what it does not know, and forwards from the
/// first packet on.
#[derive(Clone)]
pub struct Switch {
    host: Host,
    ports: Arc<AtomicU32>,
}

impl Switch {
    pub(crate) fn create(lab: &Lab, name: &str) -> Result<Self> {
        let host = Host::create(lab, name)?;
        host.sysctl("net.ipv6.conf.all.disable_ipv6", "1")?;
        host.sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
        host.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
        host.ip("link set br0 up")?;
        Ok(Self {
            host,
            ports: Arc::default(),
        })
    }

    /// The namespace of the switch, for captures that see all traffic (on `br0`) or one port.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Drops what passes between two cables: all of it, or only UDP, until [`Switch::heal`].
    pub fn separate(&self, one: &Cable, other: &Cable, only_udp: bool) -> Result<()> {
        let what = if only_udp { "meta l4proto udp" } else { "" };
        let (one, other) = (&one.port, &other.port);
        self.host.nft(&format!(
            "table bridge faults {{ chain forward {{ type filter hook forward priority 0; \
             iifname {one} oifname {other} {what} drop; \
             iifname {other} oifname {one} {what} drop; }}; }}\n"
        ))
    }

    /// Lets everything pass again.
    pub fn heal(&self) -> Result<()> {
        self.host
            .nft("table bridge faults\ndelete table bridge faults\n")
    }

    /// Gives a host an interface with addresses (`192.0.2.1/24`), connected to a port of this
    /// switch.
    pub fn plug(&self, host: &Host, interface: &str, addresses: &[&str]) -> Result<Cable> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed) + 1);
        host.cable(interface, &self.host, &port)?;
        self.host.ip(&format!("link set {port} master br0"))?;
        host.address(interface, addresses)?;
        Ok(Cable {
            switch: self.host.clone(),
            port,
        })
    }
}

/// The cable between a host's interface and a [`Switch`].
#[derive(Clone)]
pub struct Cable {
    switch: Host,
    port: String,
}

impl Cable {
    /// The interface at the switch's end.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Cuts it: the host's interface loses its carrier and keeps its addresses.
    pub fn cut(&self) -> Result<()> {
        self.switch.ip(&format!("link set {} down", self.port))?;
        Ok(())
    }

    /// Mends it.
    pub fn mend(&self) -> Result<()> {
        self.switch.ip(&format!("link set {} up", self.port))?;
        Ok(())
    }
}
