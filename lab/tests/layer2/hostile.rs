//! Somebody on the segment without the secret, who records what daemons say and sends very much.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::{GOSSIP, Hostile, hostile_datagrams};
use carillon_lab::test;
use serde_json::Value;

use crate::site::{BOTH, Site, VIP, WATCH, await_status};

/// How many datagrams are sent in a second.
const RATE: u32 = 20_000;
/// For how long the daemons are listened to, and how long it is flooded.
const RECORDING: Duration = Duration::from_secs(3);
const TIME: Duration = Duration::from_secs(10);
/// How often each address has changed hands, as a daemon sees it.
fn terms(site: &Site) -> Result<Vec<String>> {
    let status = site.nodes[0].status()?;
    let owned = status.get("owned").and_then(Value::as_array);
    let owned = owned.context("nothing is owned")?;
    let terms = owned
        .iter()
        .map(|one| format!("{} {}", one["address"], one["term"]));
    Ok(terms.collect())
}

#[test]
fn a_flood_makes_nobody_seem_lost() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let client = &site.segment().client;
        let hostile = Hostile::open(client, Ipv4Addr::new(192, 0, 2, 1))?;
        let join = ["--join", "192.0.2.1:7480"];
        site.nodes = site.cluster.start_all(&join)?;
        for address in BOTH {
            site.owner(address)?;
        }
        let recorded = hostile.record(RECORDING);
        ensure!(recorded.len() > 3, "only {} datagrams", recorded.len());
        let all = hostile_datagrams(&recorded);
        let stations = &site.segment().stations;
        let targets: Vec<SocketAddr> = stations
            .iter()
            .map(|station| (station.address(), GOSSIP).into())
            .collect();
        let before = terms(&site)?;
        let end = AtomicBool::new(false);
        let (sent, answers) = thread::scope(|scope| {
            let flooding = scope.spawn(|| hostile.flood(RATE, &targets, &all, &end));
            let answers = site.watch(TIME);
            end.store(true, Ordering::Relaxed);
            (flooding.join(), answers)
        });
        let sent = sent.map_err(|_| anyhow::anyhow!("the flood has failed"))?;
        let answers = answers?;
        ensure!(sent > RATE * 5, "only {sent} were sent");
        assert_eq!((answers.moves(), answers.unanswered()), (0, 0));
        assert_eq!(terms(&site)?, before, "an address has moved");
        for node in &site.nodes {
            await_status(node, &["192.0.2.1", "forged, damaged"])?;
        }
        // A loss is found as soon as ever meanwhile.
        let old = site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        let end = AtomicBool::new(false);
        thread::scope(|scope| -> Result<()> {
            let flooding = scope.spawn(|| hostile.flood(RATE, &targets, &all, &end));
            thread::sleep(WATCH / 5);
            let cut = site.station(old).cable.cut();
            let other = cut.and_then(|()| site.await_other(&prober, VIP, old));
            end.store(true, Ordering::Relaxed);
            let _ = flooding.join();
            other.map(drop)
        })
    });
}
