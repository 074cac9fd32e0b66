//! Faults of one node, and frames that nobody stands for: what the healthy nodes have stays answered.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::{GOSSIP, forge, lowest_mark};
use carillon_lab::test;
use nix::sys::signal::Signal;

use crate::site::{BOTH, SOON, Site, TICK, VIP, WATCH, await_status};

/// [`VIP`].
const VIP_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
/// For how long frames are forged, and how often.
const FORGING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(3));

#[test]
fn frames_that_nobody_answers_for_stop_no_owner() {
    test(|lab| {
        let mut site = Site::start(lab)?;
        let stranger = site.segment().plug(lab, "stranger", 50)?;
        let owner = site.owner(VIP)?;
        let gone = (owner + 1) % site.nodes.len();
        let its = site.station(gone).mac;
        let name = site.station(gone).host.name().to_owned();
        site.nodes[gone].process.kill()?;
        await_status(&site.nodes[owner], &[&name, "lost"])?;
        let address = site.station(owner).mac;
        let mark = lowest_mark()?;
        let asker = site.segment().ask(&[VIP], TICK)?;
        let end = Instant::now() + FORGING.0;
        while Instant::now() < end {
            let to = site.station(owner);
            forge(&stranger, to, (VIP_V4, stranger.mac), Some(&mark))?;
            forge(&stranger, to, (VIP_V4, its), None)?;
            forge(&stranger, to, (VIP_V4, its), Some(&mark))?;
            thread::sleep(FORGING.1);
        }
        let answers = asker.stop();
        assert_eq!(answers.unanswered(), 0, "unanswered questions");
        assert_eq!(answers.moves(), 0, "moves");
        let stations: Vec<_> = answers.stations().into_iter().collect();
        assert_eq!(stations, [address], "who answered");
        await_status(&site.nodes[owner], &["does not answer"])
    });
}

/// A node that neither VIP is at.
fn idle(site: &Site) -> Result<usize> {
    let owners = [site.owner(BOTH[0])?, site.owner(BOTH[1])?];
    let mut places = 0..site.nodes.len();
    places
        .find(|place| !owners.contains(place))
        .context("every node has an address")
}

#[test]
fn a_node_that_sends_but_does_not_hear_takes_nothing() {
    test(|lab| {
        let site = Site::start(lab)?;
        let deaf = idle(&site)?;
        let witness = site.segment().witness()?;
        let start = Instant::now();
        let asker = site.segment().ask(&BOTH, TICK)?;
        site.station(deaf).host.nft(
            "table netdev deaf { chain in { type filter hook ingress device eth0 priority 0; drop; }; }\n",
        )?;
        thread::sleep(WATCH * 3);
        let answers = asker.stop();
        assert_eq!((answers.moves(), answers.unanswered()), (0, 0));
        assert_eq!(answers.time_with_two_owners(), Duration::ZERO);
        for address in BOTH {
            let claimants = witness.claimants(address, start);
            let its = site.station(deaf).mac;
            ensure!(!claimants.contains(&its), "it says to have {address}");
        }
        Ok(())
    });
}

#[test]
fn a_node_that_loses_only_its_gossip_keeps_what_it_has_and_takes_nothing() {
    test(|lab| {
        let site = Site::start(lab)?;
        let cut_off = site.owner(VIP)?;
        let asker = site.segment().ask(&BOTH, TICK)?;
        site.station(cut_off).host.nft(&format!(
            "table inet gossip {{ chain in {{ type filter hook input priority 0; \
             udp dport {GOSSIP} drop; }}; }}\n"
        ))?;
        thread::sleep(WATCH * 2);
        site.station(cut_off)
            .host
            .nft("table inet gossip\ndelete table inet gossip\n")?;
        thread::sleep(WATCH);
        let answers = asker.stop();
        assert_eq!((answers.moves(), answers.unanswered()), (0, 0));
        assert_eq!(answers.time_with_two_owners(), Duration::ZERO);
        Ok(())
    });
}

/// The owner stands still for so long that another takes over, and goes on without knowing.
#[test]
fn an_owner_that_stood_still_takes_nothing_from_the_present_one() {
    test(|lab| {
        let site = Site::start(lab)?;
        let old = site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        site.nodes[old].process.signal(Signal::SIGSTOP)?;
        let new = site.await_other(&prober, VIP, old)?;
        let resumed = Instant::now();
        site.nodes[old].process.signal(Signal::SIGCONT)?;
        thread::sleep(WATCH);
        let outage = prober.probes().since(resumed).outage();
        ensure!(outage < SOON / 30, "{outage:?} without an answer");
        site.await_owner(VIP, new)?;
        site.ensure_stays(VIP, site.station(new).mac)
    });
}
