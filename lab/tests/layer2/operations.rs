//! What an operator does.

use std::net::IpAddr;
use std::thread;

use anyhow::{Result, ensure};
use carillon_lab::layer2::{Station, endpoints, service};
use carillon_lab::{test, wait};

use crate::site::{BOTH, SOON, Site, VIP, VIP6, WATCH, await_status};

#[test]
fn a_node_is_drained_without_a_lost_probe_and_takes_nothing_back() {
    test(|lab| {
        let site = Site::start(lab)?;
        for address in BOTH {
            let old = site.owner(address)?;
            let prober = site.probe(address)?;
            site.nodes[old].tell("drain", &[])?;
            let new = site.await_other(&prober, address, old)?;
            await_status(&site.nodes[old], &["drain"])?;
            for other in BOTH {
                ensure!(site.owner(other)? != old, "{other} is at the drained node");
            }
            site.nodes[old].tell("undrain", &[])?;
            site.ensure_stays(address, site.station(new).mac)?;
            let probes = prober.stop();
            assert_eq!(probes.lost(), 0, "lost probes to {address}");
        }
        Ok(())
    });
}

#[test]
fn an_owner_whose_endpoints_terminate_gives_way_without_a_lost_probe() {
    test(|lab| {
        let site = Site::start(lab)?;
        let old = site.owner(VIP)?;
        let new = (old + 1) % site.nodes.len();
        let nodes = [old, new].map(|place| site.station(place).host.name());
        let local = service("web", VIP, "externalTrafficPolicy: Local");
        let ready = local + &endpoints("web", VIP, &nodes);
        site.cluster.write("web.yaml", &ready)?;
        let prober = site.probe(VIP)?;
        ensure!(site.owner(VIP)? == old);
        let mine = format!("nodeName: {}, conditions: {{ready: ", nodes[0]);
        let terminating = format!("{mine}false, serving: true, terminating: ");
        site.cluster
            .write("web.yaml", &ready.replace(&mine, &terminating))?;
        ensure!(site.await_other(&prober, VIP, old)? == new);
        assert_eq!(prober.stop().lost(), 0);
        Ok(())
    });
}

#[test]
fn with_one_node_left_a_drain_keeps_the_addresses() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        site.nodes = site.cluster.start_all(&[])?;
        site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        // Nobody can take them; what this answers is up to the daemon.
        let _ = site.nodes[0].tell("drain", &[]);
        thread::sleep(WATCH);
        assert_eq!(prober.stop().lost(), 0);
        Ok(())
    });
}

#[test]
fn an_address_is_moved_where_it_is_wanted() {
    test(|lab| {
        let site = Site::start(lab)?;
        for address in BOTH {
            let prober = site.probe(address)?;
            for place in [0, 1, 2, 0] {
                let old = site.owner(address)?;
                if old == place {
                    continue;
                }
                let name = site.station(place).host.name();
                // Any node can be told.
                site.nodes[(place + 1) % 3].tell("move", &[&address.to_string(), name])?;
                site.await_owner(address, place)?;
                assert_eq!(site.await_other(&prober, address, old)?, place);
            }
            assert_eq!(prober.stop().lost(), 0, "lost probes to {address}");
            let nowhere = site.nodes[0].tell("move", &[&address.to_string(), "omega"]);
            let error = nowhere.map(|said| anyhow::anyhow!(said)).unwrap_err();
            ensure!(error.to_string().contains("omega"), "{error}");
        }
        let unknown = site.nodes[0].tell("move", &["192.0.2.150", "alpha"]);
        ensure!(unknown.is_err(), "{unknown:?}");
        Ok(())
    });
}

/// The VIPs on a station's loopback interface.
fn assigned(station: &Station) -> Result<Vec<IpAddr>> {
    let text = station.host.ip("address show dev lo")?;
    let has = |vip: &IpAddr| text.contains(&format!(" {vip}/"));
    Ok(BOTH.into_iter().filter(has).collect())
}

fn await_assigned(site: &Site) -> Result<()> {
    for address in BOTH {
        let owner = site.owner(address)?;
        wait::until(format!("{address} on its owner only"), SOON, || {
            for (place, station) in site.segment().stations.iter().enumerate() {
                let is_there = assigned(station)?.contains(&address);
                let name = station.host.name();
                ensure!(is_there == (place == owner), "on {name}: {is_there}");
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn assigned_addresses_follow_their_owner_and_nothing_is_left_behind() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        for station in &site.segment().stations {
            // This time the daemons do it. What else is there is not theirs.
            for (address, length) in [(VIP, 32), (VIP6, 128)] {
                station
                    .host
                    .ip(&format!("address del {address}/{length} dev lo"))?;
            }
            station
                .host
                .address("lo", &["192.0.2.250/32", "2001:db8::250/128"])?;
        }
        site.nodes = site.cluster.start_all(&["--assign-vips"])?;
        await_assigned(&site)?;
        let old = site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        site.nodes[old].process.kill()?;
        site.await_other(&prober, VIP, old)?;
        site.nodes[old].restart()?;
        await_assigned(&site)?;

        // What lay there while no daemon ran and nobody serves any more is removed, too.
        let owner = site.owner(VIP)?;
        site.nodes[owner].process.kill()?;
        std::fs::remove_file(site.cluster.files.join("web.yaml"))?;
        site.nodes[owner].restart()?;
        wait::until("no station to have the address", SOON, || {
            for station in &site.segment().stations {
                ensure!(
                    !assigned(station)?.contains(&VIP),
                    "{}",
                    station.host.name()
                );
            }
            Ok(())
        })?;
        for node in &mut site.nodes {
            node.process.terminate()?;
        }
        for station in &site.segment().stations {
            let text = station.host.ip("address show dev lo")?;
            ensure!(assigned(station)?.is_empty(), "{text}");
            for own in ["192.0.2.250/32", "2001:db8::250/128", "127.0.0.1/8"] {
                ensure!(text.contains(own), "no {own}: {text}");
            }
        }
        Ok(())
    });
}

#[test]
fn status_tells_members_owner_and_term() {
    test(|lab| {
        let site = Site::start(lab)?;
        let owner = site.owner(VIP)?;
        let name = site.station(owner).host.name();
        for node in &site.nodes {
            let vip = VIP.to_string();
            await_status(node, &["alpha", "beta", "gamma", "term", &vip, name])?;
        }
        Ok(())
    });
}

#[test]
fn a_node_that_cannot_have_an_address_leaves_it_to_others() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta"])?;
        let [alpha, beta] = [0, 1].map(|place| site.station(place).host.clone());
        for host in [&alpha, &beta] {
            host.ip("link add vips type veth peer name other")?;
            host.ip("link set other up")?;
        }
        alpha.ip("link set vips up")?;
        beta.sysctl("net.ipv6.conf.vips.disable_ipv6", "1")?;
        site.nodes = site.cluster.start_all(&["--assign-vips", "vips"])?;
        for address in [VIP, VIP6] {
            site.await_owner(address, 0)?;
        }
        await_status(&site.nodes[1], &["vips is down"])?;
        let refused = site.nodes[0].tell("move", &[&VIP.to_string(), "beta"]);
        ensure!(refused.is_err(), "{refused:?}");

        beta.ip("link set vips up")?;
        wait::until("a move to beta", SOON, || {
            site.nodes[0].tell("move", &[&VIP.to_string(), "beta"])
        })?;
        site.await_owner(VIP, 1)?;

        let prober = site.probe(VIP6)?;
        // That it is refused cannot be known before.
        let moved = site.nodes[0].tell("move", &[&VIP6.to_string(), "beta"]);
        ensure!(moved.is_err(), "{moved:?}");
        await_status(&site.nodes[1], &["disable_ipv6"])?;
        thread::sleep(WATCH);
        site.await_owner(VIP6, 0)?;
        let lost = prober.stop().lost();
        ensure!(lost == 0, "{lost} probes were lost");
        site.await_owner(VIP, 1)
    });
}
