//! What is refused, and what is warned of.

use std::fs;

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::{endpoints, service};
use carillon_lab::{Carillon, binary, ip, test};

use crate::site::{SOON, Site, await_status};

/// Starts a daemon that must refuse its arguments, and returns what it said.
fn refused(site: &Site, arguments: &[&str]) -> Result<String> {
    let host = &site.station(0).host;
    let mut command = host.command(binary()?);
    command.args(["run", "--node-name", "alpha", "--files"]);
    command
        .arg(&site.cluster.files)
        .arg("--socket")
        .arg(host.file("refused.sock"));
    let mut process = host.spawn("refused", command.args(arguments))?;
    let status = process.await_exit(SOON)?;
    ensure!(!status.success(), "it took {arguments:?}");
    process.log()
}

#[test]
fn keys_and_addresses_of_the_gossip_are_checked() {
    test(|lab| {
        let site = Site::prepare(lab, &["alpha"])?;
        let key = lab.dir().join("short.key");
        fs::write(&key, "short\n")?;
        let key = key.to_string_lossy().into_owned();
        let good = site.cluster.key.to_string_lossy().into_owned();
        for (bind, key, expected) in [
            ("192.0.2.11:7480", &*key, "short.key"),
            ("192.0.2.11:7480", "/nowhere/key", "/nowhere/key"),
            ("0.0.0.0:7480", &good, "--gossip-advertise"),
        ] {
            let said = refused(&site, &["--gossip-bind", bind, "--gossip-key-file", key])?;
            ensure!(said.contains(expected), "{said}");
        }
        // An address that is not there may come yet.
        let host = &site.station(0).host;
        let options = [
            "--gossip-bind",
            "192.0.2.99:7480",
            "--gossip-key-file",
            &good,
        ];
        let node = Carillon::start_with(host, "alpha", &site.cluster.files, &options)?;
        await_status(&node, &["192.0.2.99:7480", "tried again"])
    });
}

#[test]
fn an_address_outside_of_every_subnet_is_announced_and_warned_of() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        let address = ip("203.0.113.5");
        site.cluster
            .configure(&["{name: far, protocol: layer2, addresses: [203.0.113.0/24]}"])?;
        let text = service("far", address, "") + &endpoints("far", address, &["alpha"]);
        site.cluster.write("far.yaml", &text)?;
        site.nodes = site.cluster.start_all(&[])?;
        site.segment().await_owner(address, SOON)?;
        await_status(&site.nodes[0], &["203.0.113.5", "subnet"])
    });
}

#[test]
fn a_daemon_without_the_right_to_packet_sockets_says_so_and_owns_nothing() {
    test(|lab| {
        let site = Site::prepare(lab, &["alpha"])?;
        let host = &site.station(0).host;
        let mut command = host.command("setpriv");
        command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]);
        command
            .arg(binary()?)
            .args(["run", "--node-name", "alpha", "--files"]);
        command.arg(&site.cluster.files);
        let socket = host.file("carillon.sock").to_string_lossy().into_owned();
        command.arg("--socket").arg(&socket);
        let _process = host.spawn("powerless", &mut command)?;
        let carillon = binary()?.to_string_lossy().into_owned();
        carillon_lab::wait::until("the capability to be named", SOON, || {
            let status = ["status", "--json", "--socket", &socket];
            let status = host.run(&carillon, status)?;
            ensure!(status.contains("CAP_NET_RAW"), "{status}");
            let status: serde_json::Value = serde_json::from_str(&status)?;
            let owned = status["owned"].as_array().context("no addresses")?;
            assert_eq!(owned.len(), 2);
            let has_none = owned.iter().all(|address| address["owner"].is_null());
            ensure!(has_none, "{owned:?}");
            Ok(())
        })
    });
}
