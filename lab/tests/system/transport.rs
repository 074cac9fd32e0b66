//! What a session runs on: TCP MD5 (RFC 2385), source address, hops.

use anyhow::{Result, ensure};
use carillon_lab::{Bird, Carillon, Family, Frr, ip, net, next_hops, test};

use crate::manifest::POOL;
use crate::site::{Site, await_status, await_table, frr_config, v4};

fn peer(host: u8, more: &str) -> String {
    let address = v4(host);
    format!("{{my-asn: 64512, peer-asn: 64512, peer-address: {address}{more}}}")
}

fn frr(site: &Site, password: &str) -> Result<Frr> {
    let host = site.host("frr", 1)?;
    let line = format!(" router bgp 64512\n neighbor 192.0.2.11 password {password}\n");
    Frr::start(&host, &(frr_config(64512, &[(v4(11), 64512)]) + &line))
}

#[test]
fn frr_and_bird_accept_the_right_password() {
    test(|lab| {
        let site = Site::new(lab)?;
        let frr = frr(&site, "secret-1")?;
        let bird = Bird::start(
            &site.host("bird", 2)?,
            "router id 192.0.2.2;
            protocol device {}
            protocol bgp node { local as 64512; neighbor 192.0.2.11 as 64512; password \"s 2\";
                ipv4 { import all; export none; }; }",
        )?;
        let peers = [
            peer(1, ", password: secret-1"),
            peer(2, ", password: 's 2'"),
        ];
        site.files.configure(&[&peers[0], &peers[1]], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        frr.await_established(v4(11))?;
        bird.await_established("node")?;
        await_table(&frr, &[("198.51.100.0/32", &[11])])?;
        let status = node.status_text()? + &node.status()?.to_string() + &node.process.log()?;
        ensure!(!status.contains("secret-1"), "the password shows: {status}");
        Ok(())
    });
}

/// A router drops segments without the right signature, so the daemon sees nothing but silence.
#[test]
fn status_says_to_check_the_password_until_it_is_right() {
    test(|lab| {
        let site = Site::new(lab)?;
        let frr = frr(&site, "right")?;
        site.files
            .configure(&[&peer(1, ", password: wrong")], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_status(&node, &["192.0.2.1", "password"])?;
        assert_ne!(frr.neighbor(ip("192.0.2.11"))?["bgpState"], "Established");
        site.files
            .configure(&[&peer(1, ", password: right")], &[POOL])?;
        await_table(&frr, &[("198.51.100.0/32", &[11])])
    });
}

#[test]
fn a_password_is_added_while_it_runs() {
    test(|lab| {
        let site = Site::new(lab)?;
        let frr = site.router("frr", 1, &[v4(11)])?;
        site.files.configure(&[&peer(1, "")], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_table(&frr, &[("198.51.100.0/32", &[11])])?;
        frr.configure("router bgp 64512\n neighbor 192.0.2.11 password added\n")?;
        await_table(&frr, &[])?;
        site.files
            .configure(&[&peer(1, ", password: added")], &[POOL])?;
        await_table(&frr, &[("198.51.100.0/32", &[11])])?;
        await_status(&node, &["Established"]).map(drop)
    });
}

#[test]
fn a_source_address_and_a_router_id_are_used() {
    test(|lab| {
        let site = Site::new(lab)?;
        let frr = site.router("frr", 1, &[v4(50)])?;
        let more = ", source-address: 192.0.2.50, router-id: 10.9.8.7";
        site.files.configure(&[&peer(1, more)], &[POOL])?;
        site.files.serve("web")?;
        let host = site.host("alpha", 11)?;
        let node = Carillon::start(&host, "alpha", site.files.dir())?;
        await_status(&node, &["192.0.2.50 is not an address of this node"])?;
        host.address("eth0", &["192.0.2.50/24"])?;
        await_table(&frr, &[("198.51.100.0/32", &[50])])?;
        let routes = frr.routes(Family::V4)?;
        assert_eq!(next_hops(&routes, net("198.51.100.0/32")), [v4(50)].into());
        assert_eq!(frr.neighbor(v4(50))?["remoteRouterId"], "10.9.8.7");
        Ok(())
    });
}

/// The router is behind another one, 203.0.113.1 behind 192.0.2.2.
#[test]
fn a_peer_two_hops_away_needs_multihop() {
    test(|lab| {
        let site = Site::new(lab)?;
        let (between, router) = (site.host("between", 2)?, lab.host("router")?);
        between.forward()?;
        between.cable("eth1", &router, "eth0")?;
        between.address("eth1", &["203.0.113.2/24"])?;
        router.address("eth0", &["203.0.113.1/24"])?;
        router.ip("route add default via 203.0.113.2")?;
        let multihop = " router bgp 64999\n neighbor 192.0.2.11 ebgp-multihop\n";
        let neighbors = frr_config(64999, &[(v4(11), 64512)]);
        let frr = Frr::start(&router, &(neighbors + multihop))?;
        let peer = |multihop: bool| {
            format!(
                "{{my-asn: 64512, peer-asn: 64999, peer-address: 203.0.113.1, \
                 ebgp-multihop: {multihop}}}"
            )
        };
        site.files.configure(&[&peer(false)], &[POOL])?;
        site.files.serve("web")?;
        let host = site.host("alpha", 11)?;
        host.ip("route add default via 192.0.2.2")?;
        let node = Carillon::start(&host, "alpha", site.files.dir())?;
        await_status(&node, &["203.0.113.1", "set ebgp-multihop"])?;
        site.files.configure(&[&peer(true)], &[POOL])?;
        await_table(&frr, &[("198.51.100.0/32", &[11])])
    });
}
