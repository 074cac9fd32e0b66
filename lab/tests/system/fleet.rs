//! Several nodes, many services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Carillon, Family, Frr, Lab, net, test, wait};
use ipnet::IpNet;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::manifest::{peer, served};
use crate::site::{SOON, Site, table, v4};

const WIDE: &str = "{name: wide, protocol: bgp, addresses: [198.18.0.0/16]}";

/// A router, and the nodes alpha (11) and beta (12) that read the same files.
fn two_nodes(lab: &Lab) -> Result<(Site, Frr, [Carillon; 2])> {
    let site = Site::new(lab)?;
    let router = site.router("router", 1, &[v4(11), v4(12)])?;
    site.files.configure(&[&peer("192.0.2.1")], &[WIDE])?;
    let nodes = [site.node("alpha", 11)?, site.node("beta", 12)?];
    Ok((site, router, nodes))
}

/// The address of each service as a node's status has it.
fn addresses(node: &Carillon) -> Result<BTreeMap<String, IpAddr>> {
    let status = node.status()?;
    let services = status["services"].as_array().context("no services")?;
    let mut addresses = BTreeMap::new();
    for service in services {
        let name = service["name"].as_str().context("no name")?;
        let address = service["addresses"][0].as_str().context("no address")?;
        addresses.insert(name.to_owned(), address.parse()?);
    }
    Ok(addresses)
}

/// Waits until both nodes give these services the same addresses, and the router has exactly these
/// from both; returns them.
fn await_agreement(
    router: &Frr,
    nodes: &[Carillon; 2],
    services: &BTreeSet<String>,
) -> Result<BTreeMap<String, IpAddr>> {
    wait::until("the nodes and the router to agree", SOON * 2, || {
        let agreed = addresses(&nodes[0])?;
        ensure!(agreed == addresses(&nodes[1])?, "the nodes differ");
        ensure!(agreed.keys().eq(services), "not all have an address");
        let announcers = BTreeSet::from([v4(11), v4(12)]);
        let expected: BTreeMap<IpNet, BTreeSet<IpAddr>> = agreed
            .values()
            .map(|address| (IpNet::from(*address), announcers.clone()))
            .collect();
        ensure!(expected.len() == agreed.len(), "an address was given twice");
        let table = table(router)?;
        ensure!(table == expected, "the router has {} routes", table.len());
        Ok(agreed)
    })
}

/// Creates 200 services and deletes some, in an order that the seed determines; returns what is
/// left.
fn shuffle(site: &Site, seed: u64) -> Result<BTreeSet<String>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut names: Vec<String> = (0..200).map(|number| format!("s{number}")).collect();
    names.shuffle(&mut random);
    let mut present: Vec<String> = Vec::new();
    for name in names {
        site.files.serve(&name)?;
        present.push(name);
        if random.random_bool(0.4) {
            let victim = present.swap_remove(random.random_range(..present.len()));
            site.files.remove(&victim)?;
        }
    }
    Ok(present
        .into_iter()
        .map(|name| format!("default/{name}"))
        .collect())
}

#[test]
fn two_nodes_agree_on_the_addresses_through_changes_and_restarts() {
    test(|lab| {
        let (site, router, mut nodes) = two_nodes(lab)?;
        let services = shuffle(&site, 42)?;
        let before = await_agreement(&router, &nodes, &services)?;
        for node in &mut nodes {
            node.process.terminate()?;
        }
        for node in nodes.iter_mut().rev() {
            node.restart()?;
        }
        assert_eq!(await_agreement(&router, &nodes, &services)?, before);
        nodes[0].process.kill()?;
        site.files.serve("late")?;
        nodes[0].restart()?;
        let mut services = services;
        services.insert("default/late".to_owned());
        let mut after = await_agreement(&router, &nodes, &services)?;
        after.remove("default/late");
        assert_eq!(after, before);
        Ok(())
    });
}

#[test]
fn two_nodes_agree_although_they_are_killed_in_the_midst_of_changes() {
    test(|lab| {
        let (site, router, mut nodes) = two_nodes(lab)?;
        let mut left = BTreeSet::new();
        for (round, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            for number in 0..30 {
                let service = format!("{name}{number}");
                site.files.serve(&service)?;
                left.insert(format!("default/{service}"));
                if number % 3 == 2 {
                    site.files.remove(&service)?;
                    left.remove(&format!("default/{service}"));
                }
                if number == 10 {
                    nodes[round % 2].process.kill()?;
                }
            }
            nodes[round % 2].restart()?;
            // A change of the configuration on top.
            let pool = WIDE.replace(
                '}',
                &format!(", bgp-advertisements: [{{localpref: {round}}}]}}"),
            );
            site.files.configure(&[&peer("192.0.2.1")], &[&pool])?;
        }
        await_agreement(&router, &nodes, &left)?;
        wait::until("the last configuration on both paths", SOON, || {
            let paths = router.paths(net("198.18.0.0/32"))?;
            let preferences: Vec<_> = paths.iter().map(|path| path.local_pref).collect();
            ensure!(preferences == [Some(3), Some(3)], "{preferences:?}");
            Ok(())
        })
    });
}

#[test]
fn five_thousand_services_come_and_go() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[WIDE])?;
        let _node = site.node("alpha", 11)?;
        router.await_established(v4(11))?;
        let many: String = (0..5000)
            .map(|number| served(&format!("s{number}"), ""))
            .collect();
        site.files.write("many.yaml", &many)?;
        let await_count = |count: u64| {
            wait::until(format!("{count} routes"), Duration::from_secs(90), || {
                let received = router.neighbors(Family::V4)?[&v4(11)].received;
                ensure!(received == count, "{received}");
                Ok(())
            })
        };
        await_count(5000)?;
        site.files.remove("many")?;
        await_count(0)
    });
}
