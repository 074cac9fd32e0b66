//! Somebody on the segment without the secret, who records what daemons say and sends very much.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::GOSSIP;
use carillon_lab::test;
use serde_json::Value;

use crate::site::{BOTH, Site, VIP, WATCH, await_status};

/// How many datagrams are sent in a second.
const RATE: u32 = 20_000;
/// For how long.
const TIME: Duration = Duration::from_secs(10);
/// How many are sent at once.
const BURST: u32 = 20;

/// A socket at the client, which all daemons take for another daemon.
fn socket(site: &Site) -> Result<UdpSocket> {
    let open = || -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(("192.0.2.1", GOSSIP))?;
        socket.set_read_timeout(Some(Duration::from_millis(10)))?;
        Ok(socket)
    };
    Ok(site.segment().client.enter(open)??)
}

/// What the daemons say to it, in a while.
fn record(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let end = Instant::now() + Duration::from_secs(3);
    let mut recorded = Vec::new();
    let mut buffer = [0; 2000];
    while Instant::now() < end {
        if let Ok((length, _)) = socket.recv_from(&mut buffer) {
            recorded.push(buffer[..length].to_vec());
        }
    }
    recorded
}

/// What was recorded, and the same with one bit changed, and nonsense.
fn ammunition(recorded: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for datagram in recorded {
        let mut forged = datagram.clone();
        if let Some(octet) = forged.last_mut() {
            *octet ^= 1;
        }
        let nonsense = vec![datagram[0]; 1200];
        all.extend([datagram.clone(), forged, nonsense]);
    }
    // So that each of three targets gets all kinds in turn.
    all.push(vec![0; 1200]);
    all
}

fn flood(socket: &UdpSocket, targets: &[SocketAddr], all: &[Vec<u8>], end: &AtomicBool) -> u32 {
    let start = Instant::now();
    let mut sent = 0;
    let mut datagrams = all.iter().cycle();
    let mut to = targets.iter().cycle();
    while !end.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            if let (Some(datagram), Some(to)) = (datagrams.next(), to.next()) {
                // What does not fit into the buffer of the kernel is lost.
                let _ = socket.send_to(datagram, to);
                sent += 1;
            }
        }
        let due = start + Duration::from_secs(1) / RATE * sent;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent
}

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
        let socket = socket(&site)?;
        let join = ["--join", "192.0.2.1:7480"];
        site.nodes = site.cluster.start_all(&join)?;
        for address in BOTH {
            site.owner(address)?;
        }
        let recorded = record(&socket);
        ensure!(recorded.len() > 3, "only {} datagrams", recorded.len());
        let all = ammunition(&recorded);
        let stations = &site.segment().stations;
        let targets: Vec<SocketAddr> = stations
            .iter()
            .map(|station| (station.address(), GOSSIP).into())
            .collect();
        let before = terms(&site)?;
        let end = AtomicBool::new(false);
        let (sent, answers) = thread::scope(|scope| {
            let flooding = scope.spawn(|| flood(&socket, &targets, &all, &end));
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
            let flooding = scope.spawn(|| flood(&socket, &targets, &all, &end));
            thread::sleep(WATCH / 5);
            let cut = site.station(old).cable.cut();
            let other = cut.and_then(|()| site.await_other(&prober, VIP, old));
            end.store(true, Ordering::Relaxed);
            let _ = flooding.join();
            other.map(drop)
        })
    });
}
