//! Routers, daemons and cables that fail and come back.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Carillon, Frr, Lab, test, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::manifest::{POOL, peer, served};
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
        site.files.configure(&[&hurried()], &[POOL])?;
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
        let (established, dropped) = connections(&router)?[&v4(11)];
        let before = router.neighbor(v4(11))?["messageStats"]["updatesRecv"].clone();
        router.vtysh("clear bgp 192.0.2.11 soft in")?;
        wait::until("the routes to be sent again", SOON, || {
            let updates = router.neighbor(v4(11))?["messageStats"]["updatesRecv"].clone();
            ensure!(updates.as_u64() > before.as_u64(), "{updates} updates");
            Ok(())
        })?;
        await_table(&router, KEPT)?;
        assert_eq!(connections(&router)?[&v4(11)], (established, dropped));
        router.vtysh("clear bgp 192.0.2.11")?;
        wait::until("the session to come back", SOON, || {
            let connections = connections(&router)?[&v4(11)];
            let expected = (established + 1, dropped + 1);
            ensure!(connections == expected, "{connections:?}");
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

/// A session with a hold time of 3 s, frozen at either end for longer than that.
#[test]
fn a_frozen_daemon_and_a_frozen_router_come_back() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&hurried()], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        let route: [(&str, &[u8]); 1] = [("198.51.100.0/32", &[11])];
        await_table(&router, &route)?;

        node.process.signal(Signal::SIGSTOP)?;
        await_table(&router, &[])?;
        node.process.signal(Signal::SIGCONT)?;
        await_table(&router, &route)?;

        let signal_router = |signal| {
            let pids = router.process_ids().into_iter();
            let pids = pids.map(|pid| Pid::from_raw(pid.cast_signed()));
            pids.into_iter().try_for_each(|pid| kill(pid, signal))
        };
        signal_router(Signal::SIGSTOP)?;
        await_status(&node, &["hold timer expired"])?;
        signal_router(Signal::SIGCONT)?;
        await_status(&node, &["\"Established\""])?;
        await_table(&router, &route)
    });
}

/// The router still has the session of a daemon that died out of its sight when the next one comes.
#[test]
fn a_daemon_that_died_behind_a_cut_cable_is_replaced() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&hurried()], &[POOL])?;
        site.files.serve("web")?;
        let (host, cable) = site.plug("alpha", 11)?;
        let mut node = Carillon::start(&host, "alpha", site.files.dir())?;
        let route: [(&str, &[u8]); 1] = [("198.51.100.0/32", &[11])];
        await_table(&router, &route)?;
        cable.cut()?;
        node.process.kill()?;
        cable.mend()?;
        node.restart()?;
        await_status(&node, &["\"Established\""])?;
        await_table(&router, &route)
    });
}

/// A peer with the shortest hold time.
fn hurried() -> String {
    peer("192.0.2.1").replace('}', ", hold-time: 3s}")
}

/// One peer never answers, one accepts and says nothing, one does not read.
#[test]
fn peers_that_hang_do_not_hold_up_the_end() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let bad = site.host("bad", 2)?;
        bad.nft(
            "table ip t { chain c { type filter hook input priority 0; tcp dport 2000 drop; }; }",
        )?;
        let listeners = [2001, 2002].map(|port| Listener::bind(&bad, (v4(2), port).into()));
        let peers: Vec<String> = (2000..2003)
            .map(|port| peer("192.0.2.2").replace('}', &format!(", peer-port: {port}}}")))
            .chain([peer("192.0.2.1")])
            .collect();
        let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
        site.files.configure(&peers, &[POOL])?;
        let many: String = (0..100).map(|n| served(&format!("s{n}"), "")).collect();
        site.files.write("many.yaml", &many)?;
        let mut node = site.node("alpha", 11)?;
        let [silent, deaf] = listeners;
        let _silent = silent?.accept()?;
        let mut deaf = deaf?.establish()?;
        deaf.await_route()?;
        deaf.ask_until_full()?;
        wait::until("all routes", SOON, || {
            let count = crate::site::table(&router)?.len();
            ensure!(count == 100, "{count}");
            Ok(())
        })?;
        let status = node.process.terminate()?;
        ensure!(status.success(), "{status}");
        await_table(&router, &[])?;
        assert_eq!(last_notification(&router, v4(11))?, "0602");
        Ok(())
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
