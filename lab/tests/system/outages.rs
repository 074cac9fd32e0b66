//! Routers, daemons and cables that fail and come back.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Carillon, Frr, Lab, test, wait};
use nix::sys::signal::Signal;

use crate::manifest::{POOL, peer};
use crate::scripted::{KEEPALIVE, Listener, NOTIFICATION};
use crate::site::{SOON, Site, await_status, await_table, connections, last_notification, v4};

/// The services `a` and `b` with the addresses .1 and .2: those that a fresh start would not give,
/// because the first one is free again.
const KEPT: &[(&str, &[u8])] = &[("198.51.100.1/32", &[11]), ("198.51.100.2/32", &[11])];

/// A router and a node with [`KEPT`].
fn kept(lab: &Lab, peer: &str) -> Result<(Site, Frr, Carillon)> {
    let site = Site::new(lab)?;
    let router = site.router("router", 1, &[v4(11)])?;
    site.files.configure(&[peer], &[POOL])?;
    site.files.serve("gone")?;
    let node = site.node("alpha", 11)?;
    await_table(&router, &[("198.51.100.0/32", &[11])])?;
    for (service, prefix) in [("b", "198.51.100.1/32"), ("a", "198.51.100.2/32")] {
        site.files.serve(service)?;
        wait::until(format!("the route of {service}"), SOON, || {
            let table = crate::site::table(&router)?;
            ensure!(table.contains_key(&carillon_lab::net(prefix)), "{table:?}");
            Ok(())
        })?;
    }
    site.files.remove("gone")?;
    await_table(&router, KEPT)?;
    Ok((site, router, node))
}

#[test]
fn routes_come_back_to_a_restarted_router() {
    test(|lab| {
        let (_site, mut router, _node) = kept(lab, &peer("192.0.2.1"))?;
        router.kill()?;
        router.restart()?;
        await_table(&router, KEPT)?;
        router.stop()?;
        router.restart()?;
        await_table(&router, KEPT)
    });
}

#[test]
fn a_stopped_daemon_says_goodbye_and_comes_back_with_the_same_addresses() {
    test(|lab| {
        let (_site, router, mut node) = kept(lab, &peer("192.0.2.1"))?;
        let status = node.process.terminate()?;
        ensure!(status.success(), "{status}");
        await_table(&router, &[])?;
        assert_eq!(last_notification(&router, v4(11))?, "0602");
        node.restart()?;
        await_table(&router, KEPT)
    });
}

#[test]
fn a_stopping_daemon_withdraws_before_it_leaves() {
    test(|lab| {
        let site = Site::new(lab)?;
        let listener = Listener::bind(&site.host("router", 1)?, (v4(1), 179).into())?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        let mut session = listener.establish()?;
        session.await_route()?;
        node.process.signal(Signal::SIGTERM)?;
        // Withdrawn Routes of 5 octets: 198.51.100.0/32. No attributes, no NLRI.
        let withdrawal = session.await_route()?;
        assert_eq!(withdrawal, [0, 5, 32, 198, 51, 100, 0, 0, 0]);
        let (kind, body) = session.receive()?;
        assert_eq!((kind, &body[..2]), (NOTIFICATION, [6, 2].as_slice()));
        // RFC 9003: the length of the reason, and the reason.
        assert_eq!(usize::from(body[2]), body.len() - 3);
        ensure!(std::str::from_utf8(&body[3..])?.len() > 3, "{body:?}");
        session.await_close()
    });
}

#[test]
fn a_killed_daemon_loses_its_routes_at_once_and_comes_back_with_the_same_addresses() {
    test(|lab| {
        let (_site, router, mut node) = kept(lab, &peer("192.0.2.1"))?;
        node.process.kill()?;
        // The hold time is 90 s: it is the end of the connection that the router sees.
        await_table(&router, &[])?;
        node.restart()?;
        await_table(&router, KEPT)
    });
}

#[test]
fn both_ends_notice_a_cut_cable_and_the_session_comes_back_by_itself() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let peer = "{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1, hold-time: 3s}";
        site.files.configure(&[peer], &[POOL])?;
        site.files.serve("web")?;
        let (host, cable) = site.plug("alpha", 11)?;
        let node = Carillon::start(&host, "alpha", site.files.dir())?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        cable.cut()?;
        await_table(&router, &[])?;
        assert_eq!(last_notification(&router, v4(11))?, "0400");
        await_status(&node, &["hold timer"])?;
        cable.mend()?;
        wait::until("the session to come back", SOON, || {
            let table = crate::site::table(&router)?;
            ensure!(table.len() == 1, "{table:?}");
            Ok(())
        })?;
        await_status(&node, &["Established"]).map(drop)
    });
}

/// `clear … soft in` asks for all routes again, `clear` alone resets the session.
#[test]
fn the_router_may_refresh_and_reset_the_session() {
    test(|lab| {
        let (_site, router, _node) = kept(lab, &peer("192.0.2.1"))?;
        let before = router.neighbor(v4(11))?["messageStats"]["updatesRecv"].clone();
        router.vtysh("clear bgp 192.0.2.11 soft in")?;
        wait::until("the routes to be sent again", SOON, || {
            let updates = router.neighbor(v4(11))?["messageStats"]["updatesRecv"].clone();
            ensure!(updates.as_u64() > before.as_u64(), "{updates} updates");
            Ok(())
        })?;
        await_table(&router, KEPT)?;
        assert_eq!(connections(&router)?[&v4(11)], (1, 0));
        router.vtysh("clear bgp 192.0.2.11")?;
        wait::until("the session to come back", SOON, || {
            let connections = connections(&router)?[&v4(11)];
            ensure!(connections == (2, 1), "{connections:?}");
            Ok(())
        })?;
        await_table(&router, KEPT)
    });
}

#[test]
fn status_says_what_the_router_said_when_it_ended_the_session() {
    test(|lab| {
        let (_site, router, node) = kept(lab, &peer("192.0.2.1"))?;
        for (line, undo, words) in [
            ("shutdown", "shutdown", "the session is shut down there"),
            ("maximum-prefix 1", "maximum-prefix", "raise its limit"),
        ] {
            router.configure(&format!("router bgp 64512\n neighbor 192.0.2.11 {line}\n"))?;
            await_status(&node, &[words])?;
            await_table(&router, &[])?;
            router.configure(&format!(
                "router bgp 64512\n no neighbor 192.0.2.11 {undo}\n"
            ))?;
            router.vtysh("clear bgp 192.0.2.11")?;
            await_table(&router, KEPT)?;
        }
        await_status(&node, &["Established"]).map(drop)
    });
}

/// Every second there is one KEEPALIVE to send, and nothing else to do.
#[test]
fn a_daemon_with_nothing_to_do_does_nothing() {
    test(|lab| {
        let site = Site::new(lab)?;
        let listener = Listener::bind(&site.host("router", 1)?, (v4(1), 179).into())?;
        let peer = peer("192.0.2.1").replace('}', ", hold-time: 9s, keepalive-time: 1s}");
        site.files.configure(
            &[
                &peer,
                "{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.9}",
            ],
            &[POOL],
        )?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        let mut session = listener.establish()?;
        session.await_message(KEEPALIVE)?;
        let before = processor_time(&node)?;
        for _ in 0..3 {
            session.await_message(KEEPALIVE)?;
        }
        let used = processor_time(&node)?.saturating_sub(before);
        ensure!(used < Duration::from_millis(300), "{used:?} of about 3 s");
        Ok(())
    });
}

/// The processor time that a daemon has used.
fn processor_time(node: &Carillon) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.process.id()))?;
    // The fields after the name, which is in parentheses; utime and stime are the 12th and 13th.
    let fields = stat.rsplit(')').next().context("no name")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}
