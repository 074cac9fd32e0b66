//! The network of most tests: one switch, routers and nodes on it, one directory of manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Cable, Carillon, Family, Frr, Host, Lab, Switch, ip, net, wait};
use ipnet::IpNet;
use serde_json::Value;

use crate::manifest::Files;

/// For whatever should happen at once: longer than the longest pause between two attempts to
/// connect, shorter than the usual hold time.
pub(crate) const SOON: Duration = Duration::from_secs(45);

/// A switch with hosts on it; host number N has the addresses 192.0.2.N and 2001:db8::N.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) files: Files,
    lan: Switch,
}

/// The IPv4 address of host number N.
pub(crate) fn v4(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// The IPv6 address of host number N, as is: 2001:db8::11 is that of number 11.
pub(crate) fn v6(number: u8) -> IpAddr {
    ip(&format!("2001:db8::{number}"))
}

impl Site {
    /// A site without hosts.
    pub(crate) fn new(lab: &Lab) -> Result<Self> {
        Ok(Self {
            lab: lab.clone(),
            files: Files::create(lab)?,
            lan: lab.switch("lan")?,
        })
    }

    /// A host, and the cable that connects it.
    pub(crate) fn plug(&self, name: &str, number: u8) -> Result<(Host, Cable)> {
        let host = self.lab.host(name)?;
        let addresses = [format!("{}/24", v4(number)), format!("{}/64", v6(number))];
        let cable = self
            .lan
            .plug(&host, "eth0", &[&addresses[0], &addresses[1]])?;
        Ok((host, cable))
    }

    /// A host.
    pub(crate) fn host(&self, name: &str, number: u8) -> Result<Host> {
        Ok(self.plug(name, number)?.0)
    }

    /// A host with a daemon that reads the site's files.
    pub(crate) fn node(&self, name: &str, number: u8) -> Result<Carillon> {
        Carillon::start(&self.host(name, number)?, name, self.files.dir())
    }

    /// An FRR router in AS 64512 with sessions to these neighbours in the same AS.
    pub(crate) fn router(&self, name: &str, number: u8, neighbors: &[IpAddr]) -> Result<Frr> {
        let neighbors: Vec<_> = neighbors.iter().map(|address| (*address, 64512)).collect();
        Frr::start(&self.host(name, number)?, &frr_config(64512, &neighbors))
    }
}

/// The configuration of an FRR router: its AS number, and its neighbours with theirs.
pub(crate) fn frr_config(asn: u32, neighbors: &[(IpAddr, u32)]) -> String {
    let mut text = format!("router bgp {asn}\n no bgp ebgp-requires-policy\n");
    for (address, remote) in neighbors {
        let _ = writeln!(text, " neighbor {address} remote-as {remote}");
    }
    text += " address-family ipv6 unicast\n";
    for (address, _) in neighbors.iter().filter(|(address, _)| address.is_ipv6()) {
        let _ = writeln!(text, "  neighbor {address} activate");
    }
    text
}

/// Waits until a router's IPv4 table consists of exactly these prefixes, from exactly these hosts.
pub(crate) fn await_table(router: &Frr, expected: &[(&str, &[u8])]) -> Result<()> {
    let expected: BTreeMap<IpNet, BTreeSet<IpAddr>> = expected
        .iter()
        .map(|(prefix, hosts)| (net(prefix), hosts.iter().map(|host| v4(*host)).collect()))
        .collect();
    wait::until(format!("the table {expected:?}"), SOON, || {
        let table = table(router)?;
        ensure!(table == expected, "{table:?}");
        Ok(())
    })
}

/// A router's IPv4 table: the prefixes, and the neighbours that announce them.
pub(crate) fn table(router: &Frr) -> Result<BTreeMap<IpNet, BTreeSet<IpAddr>>> {
    let routes = router.routes(Family::V4)?.into_iter();
    let peers =
        |paths: Vec<carillon_lab::Path>| paths.iter().filter_map(|path| path.peer).collect();
    Ok(routes
        .map(|(prefix, paths)| (prefix, peers(paths)))
        .collect())
}

/// Waits until `carillon status --json` contains all of these texts (as text it breaks long lines).
pub(crate) fn await_status(node: &Carillon, texts: &[&str]) -> Result<String> {
    wait::until(format!("status to say {texts:?}"), SOON, || {
        let status = node.status()?.to_string();
        let missing: Vec<_> = texts
            .iter()
            .filter(|text| !status.contains(**text))
            .collect();
        ensure!(missing.is_empty(), "no {missing:?} in:\n{status}");
        Ok(status)
    })
}

/// Which sessions a router has, and how often each has come up and gone down. Equal before and
/// after means that no session was touched. Absolute numbers mean little: FRR has been seen to close
/// its very first session, some milliseconds old, without a NOTIFICATION.
pub(crate) fn connections(router: &Frr) -> Result<BTreeMap<IpAddr, (u32, u32)>> {
    let neighbors = router.neighbors(Family::V4)?.into_iter();
    Ok(neighbors
        .map(|(address, neighbor)| {
            let counters = (
                neighbor.connections_established,
                neighbor.connections_dropped,
            );
            (address, counters)
        })
        .collect())
}

/// The last NOTIFICATION that a router got from a neighbour, or sent to it: code and subcode in
/// hexadecimal, `0602`.
pub(crate) fn last_notification(router: &Frr, neighbor: IpAddr) -> Result<String> {
    let json = router.neighbor(neighbor)?;
    let code = json.get("lastErrorCodeSubcode").and_then(Value::as_str);
    Ok(code.context("no notification yet")?.to_owned())
}
