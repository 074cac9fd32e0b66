//! Nodes whose own address comes late, or changes.

use std::ffi::OsString;
use std::thread;

use anyhow::{Result, ensure};
use carillon_lab::layer2::{GOSSIP, Station};
use carillon_lab::{Carillon, test, wait};
use serde_json::Value;

use crate::site::{BOTH, SOON, Site, TICK, WATCH, await_status};

/// Starts the daemon of a station that is told nothing but where another is.
fn start(site: &Site, station: &Station, join: &str) -> Result<Carillon> {
    let key = site.cluster.key.clone();
    let options: [OsString; 4] = [
        "--join".into(),
        join.into(),
        "--gossip-key-file".into(),
        key.into(),
    ];
    let host = &station.host;
    Carillon::start_with(host, host.name(), &site.cluster.files, &options)
}

/// Waits until a daemon has heard another one at this address just now.
fn await_heard(node: &Carillon, address: &str) -> Result<()> {
    wait::until(format!("a node at {address}"), SOON, || {
        let status = node.status()?;
        let nodes = status.get("nodes").and_then(Value::as_array);
        let heard = nodes.into_iter().flatten().any(|node| {
            let is_there = node.get("address").is_some_and(|there| there == address);
            let ago = node.get("heard_seconds_ago").and_then(Value::as_f64);
            is_there && ago.is_some_and(|ago| ago < 2.0)
        });
        ensure!(heard, "{status}");
        Ok(())
    })
}

fn is_steady(site: &Site) -> Result<()> {
    for address in BOTH {
        site.owner(address)?;
    }
    let answers = site.watch(WATCH)?;
    ensure!(answers.moves() == 0 && answers.unanswered() == 0);
    Ok(())
}

#[test]
fn a_node_waits_for_its_network_and_joins() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta"])?;
        let [alpha, beta] = [0, 1].map(|place| site.station(place));
        alpha.host.ip("address flush dev eth0")?;
        let nodes = [
            start(&site, alpha, &format!("192.0.2.12:{GOSSIP}"))?,
            start(&site, beta, &format!("192.0.2.11:{GOSSIP}"))?,
        ];
        await_status(&nodes[0], &["is tried again", "192.0.2.12"])?;
        let [v4, v6] = [
            format!("{}/24", alpha.address()),
            format!("{}/64", alpha.address_v6()),
        ];
        alpha.host.address("eth0", &[&v4, &v6])?;
        await_heard(&nodes[0], &format!("192.0.2.12:{GOSSIP}"))?;
        await_heard(&nodes[1], &format!("192.0.2.11:{GOSSIP}"))?;
        site.nodes = nodes.into();
        is_steady(&site)
    });
}

#[test]
fn nodes_that_have_ipv6_only_join() {
    test(|lab| {
        let site = Site::prepare(lab, &["alpha", "beta"])?;
        for place in [0, 1] {
            let station = site.station(place);
            let v4 = format!("address del {}/24 dev eth0", station.address());
            station.host.ip(&v4)?;
        }
        let addresses = [0, 1].map(|place| {
            let address = site.station(place).address_v6();
            format!("[{address}]:{GOSSIP}")
        });
        let nodes = [
            start(&site, site.station(0), &addresses[1])?,
            start(&site, site.station(1), &addresses[0])?,
        ];
        await_heard(&nodes[0], &addresses[1])?;
        await_heard(&nodes[1], &addresses[0])
    });
}

#[test]
fn a_node_whose_address_changes_finds_the_others_again() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        site.nodes = site.cluster.start_all(&[])?;
        for place in [1, 2] {
            await_heard(&site.nodes[place], &format!("192.0.2.11:{GOSSIP}"))?;
        }
        let alpha = site.station(0);
        alpha.host.address("eth0", &["192.0.2.61/24"])?;
        alpha.host.ip("address del 192.0.2.11/24 dev eth0")?;
        // Of the same subnet, the kernel may have deleted the second address with the first.
        let _ = alpha.host.ip("address add 192.0.2.61/24 dev eth0");
        for place in [1, 2] {
            await_heard(&site.nodes[place], &format!("192.0.2.61:{GOSSIP}"))?;
        }
        await_heard(&site.nodes[0], &format!("192.0.2.12:{GOSSIP}"))?;
        is_steady(&site)?;
        // And back.
        let _ = alpha.host.ip("address flush dev eth0");
        thread::sleep(TICK * 40);
        alpha
            .host
            .address("eth0", &["192.0.2.11/24", "2001:db8::11/64"])?;
        for place in [1, 2] {
            await_heard(&site.nodes[place], &format!("192.0.2.11:{GOSSIP}"))?;
        }
        is_steady(&site)
    });
}
