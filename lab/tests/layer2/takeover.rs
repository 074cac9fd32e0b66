//! Who has an address when nothing happens, when its owner is lost, and when it comes back.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::layer2::{endpoints, service};
use carillon_lab::{Lab, test, wait};
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::site::{BOTH, DOUBLED, OUTAGE, SOON, Site, TICK, VIP, VIP6, WATCH};

/// How long others may take to find that a daemon hangs, and to take over: a second, and the time to
/// ask for it.
const HANG: Duration = Duration::from_millis(1500);

#[test]
fn one_node_answers_and_no_other_ever() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let asker = site.segment().ask(&BOTH, TICK)?;
        site.nodes = site.cluster.start_all(&[])?;
        for address in BOTH {
            site.owner(address)?;
        }
        thread::sleep(DOUBLED);
        // Nodes that start at the same moment may both begin, before they hear of each other.
        let answers = asker.stop();
        let doubled = answers.time_with_two_owners();
        ensure!(doubled < DOUBLED, "two owners for {doubled:?} at the start");
        ensure!(
            answers.moves() <= 2,
            "{} moves at the start",
            answers.moves()
        );

        let witness = site.segment().witness()?;
        let start = Instant::now();
        let answers = site.watch(WATCH)?;
        assert_eq!((answers.unanswered(), answers.moves()), (0, 0));
        assert_eq!(answers.time_with_two_owners(), Duration::ZERO);
        for address in BOTH {
            let claimants = witness.claimants(address, start);
            assert_eq!(claimants.len(), 1, "{address}: {claimants:?}");
        }
        Ok(())
    });
}

/// Cuts the owner's cable; another takes over, and the old one does not when it is back.
fn cut_and_return(lab: &Lab, address: std::net::IpAddr) -> Result<()> {
    let site = Site::start(lab)?;
    let old = site.owner(address)?;
    let prober = site.probe(address)?;
    let cut = Instant::now();
    site.station(old).cable.cut()?;
    let new = site.await_other(&prober, address, old)?;
    let outage = prober.probes().since(cut).outage();
    ensure!(outage < OUTAGE, "an outage of {outage:?}");
    thread::sleep(WATCH);

    let witness = site.segment().witness()?;
    site.station(old).cable.mend()?;
    let answers = site.watch(WATCH)?;
    let doubled = answers.time_with_two_owners();
    ensure!(doubled <= DOUBLED, "two owners for {doubled:?}");
    let start = Instant::now();
    site.ensure_stays(address, site.station(new).mac)?;
    assert_eq!(witness.claimants(address, start).len(), 1);
    assert_eq!(
        site.segment().client.neighbor(address)?,
        site.station(new).mac
    );
    let lost = prober.stop().since(start).lost();
    assert_eq!(lost, 0, "lost after the old owner was back");
    Ok(())
}

#[test]
fn another_node_takes_over_by_arp_and_the_old_one_does_not_steal() {
    test(|lab| cut_and_return(lab, VIP));
}

#[test]
fn another_node_takes_over_by_ndp_and_the_old_one_does_not_steal() {
    test(|lab| cut_and_return(lab, VIP6));
}

/// The last of three hears nobody, which might be its own fault: it asks whom it has talked to.
#[test]
fn the_last_node_takes_over_when_a_host_that_it_knows_answers() {
    test(|lab| {
        let site = Site::start(lab)?;
        for station in &site.segment().stations {
            station
                .host
                .await_ping(Ipv4Addr::new(192, 0, 2, 1).into())?;
        }
        let prober = site.probe(VIP)?;
        let mut owner = site.owner(VIP)?;
        for _ in 0..2 {
            let cut = Instant::now();
            site.station(owner).cable.cut()?;
            owner = site.await_other(&prober, VIP, owner)?;
            let outage = prober.probes().since(cut).outage();
            ensure!(outage < OUTAGE, "an outage of {outage:?}");
        }
        Ok(())
    });
}

#[test]
fn another_node_takes_over_from_a_killed_daemon() {
    test(|lab| {
        let mut site = Site::start(lab)?;
        let mut owners = Vec::new();
        for address in BOTH {
            let old = site.owner(address)?;
            let prober = site.probe(address)?;
            // It may be down already, having had the other address.
            site.nodes[old].process.kill()?;
            let new = site.await_other(&prober, address, old)?;
            // The node itself lives: who used it is served until the takeover, and by the new owner
            // from then on.
            let outage = prober.stop().outage();
            ensure!(outage < OUTAGE, "an outage of {outage:?}");
            owners.push((address, old, new));
            site.nodes[old].restart()?;
            site.ensure_stays(address, site.station(new).mac)?;
        }
        Ok(())
    });
}

/// The driver runs on the main thread of the daemon. A tracer stops that one alone: the thread that
/// talks to the other nodes goes on, as does the one that answers ARP.
#[test]
fn another_node_takes_over_from_a_daemon_whose_driver_hangs() {
    test(|lab| {
        let site = Site::start(lab)?;
        let old = site.owner(VIP)?;
        let other = &site.nodes[(old + 1) % 3];
        let owner = || -> Result<String> {
            let status = other.status()?;
            let owned = status["owned"].as_array().context("no addresses")?;
            let owned = owned
                .iter()
                .find(|owned| owned["address"] == VIP.to_string());
            let owner = owned.and_then(|owned| owned["owner"].as_str());
            Ok(owner.context("no owner")?.to_owned())
        };
        let before = owner()?;
        let driver = Pid::from_raw(site.nodes[old].process.id().cast_signed());
        ptrace::seize(driver, ptrace::Options::empty())?;
        ptrace::interrupt(driver)?;
        let start = Instant::now();
        let after = wait::until("another owner", SOON, || {
            let owner = owner()?;
            ensure!(owner != before, "{owner} has it still");
            Ok(owner)
        })?;
        let taken = start.elapsed();
        ensure!(taken < HANG, "{after} took over after {taken:?}");
        // It goes on, as after a pause, and has nothing to say.
        ptrace::detach(driver, None)?;
        let prober = site.probe(VIP)?;
        let new = site.await_other(&prober, VIP, old)?;
        // What it was told meanwhile, it takes in first.
        site.await_owner(VIP, new)?;
        site.ensure_stays(VIP, site.station(new).mac)
    });
}

#[test]
fn a_stopping_daemon_hands_over_without_a_lost_probe() {
    test(|lab| {
        let mut site = Site::start(lab)?;
        for address in BOTH {
            let old = site.owner(address)?;
            let prober = site.probe(address)?;
            let status = site.nodes[old].process.terminate()?;
            ensure!(status.success(), "{status}");
            let new = site.await_other(&prober, address, old)?;
            site.nodes[old].restart()?;
            site.ensure_stays(address, site.station(new).mac)?;
            let probes = prober.stop();
            assert_eq!(probes.lost(), 0, "lost probes to {address}");
        }
        Ok(())
    });
}

#[test]
fn all_daemons_are_restarted_in_turn_without_a_lost_probe() {
    test(|lab| {
        let mut site = Site::start(lab)?;
        let prober = site.probe(VIP)?;
        for place in 0..3 {
            site.nodes[place].process.terminate()?;
            site.nodes[place].restart()?;
            site.owner(VIP)?;
            thread::sleep(WATCH);
        }
        let probes = prober.stop();
        assert_eq!(probes.lost(), 0, "{:?}", probes.outages());
        Ok(())
    });
}

#[test]
fn an_owner_whose_link_is_set_down_loses_its_addresses() {
    test(|lab| {
        let site = Site::start(lab)?;
        let old = site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        let host = &site.station(old).host;
        let down = Instant::now();
        host.ip("link set eth0 down")?;
        let new = site.await_other(&prober, VIP, old)?;
        let outage = prober.stop().since(down).outage();
        ensure!(outage < OUTAGE, "an outage of {outage:?}");
        host.ip("link set eth0 up")?;
        thread::sleep(DOUBLED);
        site.ensure_stays(VIP, site.station(new).mac)
    });
}

#[test]
fn a_local_policy_follows_the_endpoints() {
    test(|lab| {
        let site = Site::start(lab)?;
        for address in [VIP, VIP6] {
            let name = if address.is_ipv4() { "web" } else { "web6" };
            let serve = |nodes: &[&str]| {
                let text = service(name, address, "externalTrafficPolicy: Local");
                let text = text + &endpoints(name, address, nodes);
                site.cluster.write(&format!("{name}.yaml"), &text)
            };
            for (place, node) in ["alpha", "beta", "gamma"].into_iter().enumerate() {
                serve(&[node])?;
                site.await_owner(address, place)?;
            }
            // One more makes nobody move.
            serve(&["alpha", "gamma"])?;
            site.ensure_stays(address, site.station(2).mac)?;
            serve(&["alpha"])?;
            site.await_owner(address, 0)?;
            serve(&[])?;
            wait::until("nobody to answer", SOON, || {
                let owners = site.segment().owners(address)?;
                ensure!(owners.is_empty(), "{owners:?}");
                Ok(())
            })?;
        }
        Ok(())
    });
}
