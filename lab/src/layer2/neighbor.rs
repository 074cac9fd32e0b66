//! The kernel's table of neighbours, and the Ethernet addresses of interfaces.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;
use serde::Deserialize;

use crate::host::Host;

/// What a host knows of an address on its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The station that has it; `None` while it is looked for, and when it was not found.
    pub mac: Option<MacAddress>,
    /// `REACHABLE`, `STALE`, `DELAY`, `PROBE`, `FAILED` …
    pub state: String,
}

#[derive(Deserialize)]
struct Entry {
    dst: IpAddr,
    lladdr: Option<String>,
    #[serde(default)]
    state: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    address: String,
}

impl Host {
    /// The table of neighbours.
    pub fn neighbors(&self) -> Result<BTreeMap<IpAddr, Neighbor>> {
        let entries: Vec<Entry> = serde_json::from_str(&self.ip("-j neigh show")?)?;
        let neighbors = entries.into_iter().map(|entry| {
            let mac = entry.lladdr.as_deref().map(parse).transpose()?;
            let state = entry.state.join(" ");
            Ok((entry.dst, Neighbor { mac, state }))
        });
        neighbors.collect()
    }

    /// The station to which the host sends what is for an address.
    pub fn neighbor(&self, address: IpAddr) -> Result<MacAddress> {
        let neighbors = self.neighbors()?;
        let neighbor = neighbors.get(&address);
        let neighbor = neighbor.with_context(|| format!("{address} is not in the table"))?;
        let state = || format!("{address} is {}", neighbor.state);
        neighbor.mac.with_context(state)
    }

    /// The Ethernet address of an interface.
    pub fn mac(&self, interface: &str) -> Result<MacAddress> {
        let links: Vec<Link> =
            serde_json::from_str(&self.ip(&format!("-j link show {interface}"))?)?;
        parse(&links.first().context("no such interface")?.address)
    }
}

fn parse(text: &str) -> Result<MacAddress> {
    let octets = text.split(':').map(|octet| u8::from_str_radix(octet, 16));
    let octets: Vec<u8> = octets
        .collect::<Result<_, _>>()
        .with_context(|| text.to_owned())?;
    ensure!(octets.len() == 6, "{text} is not an Ethernet address");
    let mut mac = MacAddress([0; 6]);
    mac.0.copy_from_slice(&octets);
    Ok(mac)
}
