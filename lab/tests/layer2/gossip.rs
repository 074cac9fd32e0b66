//! Nodes that do not hear each other, although they are on the same segment.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::GOSSIP;
use carillon_lab::test;

use crate::site::{BOTH, DOUBLED, SOON, Site, VIP, WATCH, await_status};

/// The library that `faketime` puts before the C library.
fn faketime() -> Result<String> {
    let directories = fs::read_dir("/usr/lib")?
        .flatten()
        .map(|entry| entry.path());
    let mut libraries = directories.map(|path| path.join("faketime/libfaketime.so.1"));
    let library = libraries.find(|path| path.exists());
    let library = library.context("no libfaketime: run lab/setup.sh")?;
    Ok(library.to_string_lossy().into_owned())
}

/// Waits until one node has each address, and watches that it stays so.
fn await_peace(site: &Site) -> Result<()> {
    for address in BOTH {
        site.owner(address)?;
    }
    thread::sleep(DOUBLED);
    let answers = site.watch(WATCH)?;
    assert_eq!((answers.moves(), answers.unanswered()), (0, 0));
    assert_eq!(answers.time_with_two_owners(), Duration::ZERO);
    Ok(())
}

#[test]
fn two_nodes_with_different_keys_say_so_and_settle() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta"])?;
        let other_key = lab.dir().join("other.key");
        fs::write(&other_key, "another secret, just as long as the first\n")?;
        let [alpha, beta] = [0, 1].map(|place| site.station(place));
        let nodes = [
            site.cluster.start(alpha, &[])?,
            site.cluster.start_with_key(beta, &other_key, &[])?,
        ];
        site.nodes = nodes.into();
        for (node, other) in [(0, "192.0.2.12"), (1, "192.0.2.11")] {
            await_status(&site.nodes[node], &["key", other])?;
        }
        await_peace(&site)
    });
}

#[test]
fn a_blocked_gossip_port_is_named_and_two_nodes_settle() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta"])?;
        let [alpha, beta] = [0, 1].map(|place| site.station(place).cable.clone());
        site.segment().lan.separate(&alpha, &beta, true)?;
        site.nodes = site.cluster.start_all(&[])?;
        for (node, other) in [(0, "192.0.2.12"), (1, "192.0.2.11")] {
            await_status(&site.nodes[node], &[&format!("{other}:{GOSSIP}")])?;
        }
        await_peace(&site)?;
        let owners = BOTH.map(|address| site.owner(address));
        site.segment().lan.heal()?;
        thread::sleep(WATCH);
        await_peace(&site)?;
        for (address, before) in BOTH.into_iter().zip(owners) {
            assert_eq!(
                site.owner(address)?,
                before?,
                "a move of {address} after all"
            );
        }
        Ok(())
    });
}

#[test]
fn gossip_that_is_cut_makes_two_owners_for_a_second_at_most() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta"])?;
        site.nodes = site.cluster.start_all(&[])?;
        await_peace(&site)?;
        let [alpha, beta] = [0, 1].map(|place| site.station(place).cable.clone());
        let asker = site.segment().ask(&[VIP], crate::site::TICK)?;
        site.segment().lan.separate(&alpha, &beta, true)?;
        thread::sleep(WATCH * 2);
        let answers = asker.stop();
        let doubled = answers.time_with_two_owners();
        ensure!(doubled <= DOUBLED, "two owners for {doubled:?}");
        ensure!(answers.moves() <= 1, "{} moves", answers.moves());
        await_peace(&site)
    });
}

#[test]
fn a_node_whose_clock_was_set_back_is_a_member_again() {
    test(|lab| {
        let library = faketime()?;
        let mut site = Site::start(lab)?;
        let old = site.owner(VIP)?;
        site.nodes[old].process.terminate()?;
        let environment = [
            ("LD_PRELOAD", &*library),
            ("FAKETIME", "-1h"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        site.nodes[old].restart_with(&environment)?;
        thread::sleep(WATCH);
        await_peace(&site)?;
        // The others know it: the address can be moved there, and a cut owner leaves one behind.
        let owner = site.owner(VIP)?;
        ensure!(owner != old, "a stolen address");
        let name = site.station(old).host.name().to_owned();
        site.nodes[owner].tell("move", &[&VIP.to_string(), &name])?;
        site.await_owner(VIP, old)?;
        let cut = Instant::now();
        site.station(old).cable.cut()?;
        let prober = site.segment().probe(VIP, crate::site::TICK)?;
        site.await_other(&prober, VIP, old)?;
        ensure!(cut.elapsed() < SOON);
        await_peace(&site)
    });
}
