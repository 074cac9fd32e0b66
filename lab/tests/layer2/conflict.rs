//! A foreign host that has one of our addresses.

use std::net::IpAddr;
use std::thread;

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;
use carillon_lab::layer2::{Arp, PacketSocket, Station, advertisement, arp, interface};
use carillon_lab::{Carillon, test, wait};

use crate::site::{BOTH, SOON, Site, TICK, VIP, VIP6, WATCH, await_status};

/// Says to all that a station has an address, as by RFC 5227 or RFC 4861; the kernel says nothing
/// by itself.
fn announce(station: &Station, address: IpAddr) -> Result<()> {
    let frame = match address {
        IpAddr::V4(address) => arp(&Arp {
            is_request: true,
            sender_mac: station.mac,
            sender: address,
            target_mac: MacAddress([0; 6]),
            target: address,
        }),
        IpAddr::V6(address) => advertisement(station.mac, address),
    };
    let socket = PacketSocket::open(&station.host)?;
    Ok(socket.send(&interface(&station.host, "eth0")?, &frame)?)
}

#[test]
fn a_foreign_host_with_our_address_is_named_and_moves_nothing() {
    test(|lab| {
        let site = Site::start(lab)?;
        let stranger = site.segment().plug(lab, "stranger", 50)?;
        for address in BOTH {
            let owner = site.owner(address)?;
            let mac = site.station(owner).mac;
            let witness = site.segment().witness()?;
            let start = std::time::Instant::now();
            let length = if address.is_ipv4() { 32 } else { 128 };
            let foreign = format!("{address}/{length}");
            stranger.host.address("eth0", &[&foreign])?;
            announce(&stranger, address)?;
            let answers = site.watch(WATCH)?;
            let stations = answers.stations();
            ensure!(stations.contains(&mac), "the owner gave up: {stations:?}");
            let named = stranger.mac.to_string();
            wait::until(format!("status to name {named}"), SOON, || {
                let status = site.nodes[owner].status()?.to_string();
                ensure!(status.contains(&named), "{status}");
                Ok(())
            })?;
            // Our nodes do not pass it on to each other because of that.
            let claimants = witness.claimants(address, start);
            let ours = claimants.iter().filter(|station| **station != stranger.mac);
            assert_eq!(ours.collect::<Vec<_>>(), [&mac]);
            stranger
                .host
                .ip(&format!("address del {foreign} dev eth0"))?;
            thread::sleep(WATCH);
            site.ensure_stays(address, mac)?;
        }
        Ok(())
    });
}

/// Who has an address from before, and says nothing unless it is asked.
#[test]
fn a_foreign_host_that_says_nothing_by_itself_is_found_by_a_question() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let stranger = site.segment().plug(lab, "stranger", 50)?;
        for (address, length) in [(VIP, 32), (VIP6, 128)] {
            let foreign = format!("{address}/{length}");
            stranger.host.address("eth0", &[&foreign])?;
        }
        site.nodes = site.cluster.start_all(&[])?;
        let named = stranger.mac.to_string();
        for address in BOTH {
            wait::until(format!("{address} to be known as doubled"), SOON, || {
                let statuses = site.nodes.iter().map(Carillon::status);
                let statuses = statuses.collect::<Result<Vec<_>>>()?;
                let owned = statuses.iter().filter_map(|one| one["owned"].as_array());
                let mut ours = owned
                    .flatten()
                    .filter(|one| one["address"] == address.to_string() && one["here"] == true);
                let trouble = ours.next().context("no owner")?["trouble"].to_string();
                ensure!(trouble.contains(&named), "{trouble}");
                Ok(())
            })?;
            let asker = site.segment().ask(&[address], TICK)?;
            thread::sleep(WATCH);
            let stations = asker.stop().stations();
            let ours = site.segment().stations.iter();
            let ours = ours.filter(|one| stations.contains(&one.mac)).count();
            assert_eq!(ours, 1, "of our nodes answer for {address}");
        }
        Ok(())
    });
}

/// A pool that contains the address of a node would cut that node off. IPv6 finds out by itself: the
/// kernel does not use an address that somebody answers for.
#[test]
fn the_address_of_a_node_is_answered_by_its_own_station_alone() {
    test(|lab| {
        let site = Site::start(lab)?;
        let owner = site.owner(VIP)?;
        let host = (owner + 1) % site.nodes.len();
        let its = site.station(host);
        its.host.address("eth0", &[&format!("{VIP}/24")])?;
        site.await_owner(VIP, host)?;
        site.ensure_stays(VIP, its.mac)?;
        await_status(&site.nodes[owner], &["own address"])
    });
}
