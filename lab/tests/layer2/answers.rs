//! What is answered to whom, in detail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;
use carillon_lab::layer2::{
    Arp, Frame, Message, PacketSocket, Sighting, Station, Witness, arp, interface, solicitation,
};
use carillon_lab::{test, wait};

use crate::site::{BOTH, SOON, Site, VIP, VIP6};

/// Sends a frame from a station, and waits for a frame through the cable of another that
/// `is_answer`.
fn exchange(
    witness: &Witness,
    (from, to): (&Station, &Station),
    question: &[u8],
    is_answer: impl Fn(&Frame) -> bool,
) -> Result<Frame> {
    let socket = PacketSocket::open(&from.host)?;
    let start = Instant::now();
    socket.send(&interface(&from.host, "eth0")?, question)?;
    wait::until("an answer", SOON, || {
        let sightings = witness.sightings();
        let came = |sighting: &&Sighting| sighting.at >= start && sighting.came_through(&to.cable);
        let mut frames = sightings.iter().filter(came).map(|sighting| sighting.frame);
        frames.find(&is_answer).context("no answer")
    })
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => unreachable!(),
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(_) => unreachable!(),
    }
}

#[test]
fn an_arp_probe_is_answered() {
    test(|lab| {
        let site = Site::start(lab)?;
        let stranger = site.segment().plug(lab, "stranger", 50)?;
        let owner = site.station(site.owner(VIP)?);
        let witness = site.segment().witness()?;
        let mut question = Arp {
            is_request: true,
            sender_mac: stranger.mac,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: MacAddress([0; 6]),
            target: v4(VIP),
        };
        // As by RFC 5227, who looks whether the address is free; and as by somebody who uses it.
        for sender in [Ipv4Addr::UNSPECIFIED, stranger.address()] {
            question.sender = sender;
            let expected = Message::Arp(Arp {
                is_request: false,
                sender_mac: owner.mac,
                sender: v4(VIP),
                target_mac: stranger.mac,
                target: sender,
            });
            let answer = exchange(&witness, (&stranger, owner), &arp(&question), |frame| {
                frame.message == expected
            })?;
            assert_eq!(
                (answer.source, answer.destination),
                (owner.mac, stranger.mac)
            );
        }
        Ok(())
    });
}

#[test]
fn solicitations_are_answered_as_they_are_asked() {
    test(|lab| {
        let site = Site::start(lab)?;
        let stranger = site.segment().plug(lab, "stranger", 50)?;
        let owner = site.station(site.owner(VIP6)?);
        let witness = site.segment().witness()?;
        let (mac, own, vip) = (stranger.mac, stranger.address_v6(), v6(VIP6));
        let advertised = |frame: &Frame| match frame.message {
            Message::Advertisement {
                to,
                target,
                flags: [router, solicited, overrides],
                link,
                hop_limit: 255,
            } if target == vip && !router => Some((to, solicited, overrides, link)),
            _ => None,
        };
        // Multicast, from an address: solicited, to the asker.
        let ask = solicitation(mac, own, vip, None);
        let answer = exchange(&witness, (&stranger, owner), &ask, |frame| {
            advertised(frame) == Some((own, true, true, Some(owner.mac)))
        })?;
        assert_eq!(answer.destination, mac);
        // Unicast, as by Neighbour Unreachability Detection.
        let ask = solicitation(mac, own, vip, Some(owner.mac));
        exchange(
            &witness,
            (&stranger, owner),
            &ask,
            |frame| matches!(advertised(frame), Some((to, true, _, _)) if to == own),
        )?;
        // From the unspecified address, as by Duplicate Address Detection: to all nodes.
        let ask = solicitation(mac, Ipv6Addr::UNSPECIFIED, vip, None);
        let all_nodes: Ipv6Addr = "ff02::1".parse()?;
        let answer = exchange(
            &witness,
            (&stranger, owner),
            &ask,
            |frame| matches!(advertised(frame), Some((to, false, true, Some(_))) if to == all_nodes),
        )?;
        assert_eq!(answer.destination, MacAddress([0x33, 0x33, 0, 0, 0, 1]));
        Ok(())
    });
}

#[test]
fn the_kernel_of_a_foreign_host_finds_the_address_in_use() {
    test(|lab| {
        let site = Site::start(lab)?;
        let stranger = site.segment().plug(lab, "stranger", 50)?.host;
        stranger.sysctl("net.ipv6.conf.eth0.accept_dad", "1")?;
        stranger.sysctl("net.ipv6.conf.all.accept_dad", "1")?;
        stranger.ip(&format!("address add {VIP6}/64 dev eth0"))?;
        wait::until("duplicate address detection to fail", SOON, || {
            let addresses = stranger.ip("address show dev eth0")?;
            ensure!(addresses.contains("dadfailed"), "{addresses}");
            Ok(())
        })
    });
}

#[test]
fn the_kernel_of_a_client_finds_the_owner_reachable() {
    test(|lab| {
        let site = Site::start(lab)?;
        let client = &site.segment().client;
        for address in BOTH {
            let owner = site.station(site.owner(address)?).mac;
            // PROBE: ask the station that is believed to have it, by unicast, now.
            let probe = format!("neigh replace {address} lladdr {owner} dev eth0 nud probe");
            client.ip(&probe)?;
            wait::until(format!("{address} to be REACHABLE"), SOON, || {
                let neighbors = client.neighbors()?;
                let neighbor = neighbors.get(&address).context("not in the table")?;
                ensure!(neighbor.state == "REACHABLE", "{neighbor:?}");
                assert_eq!(neighbor.mac, Some(owner));
                Ok(())
            })?;
        }
        Ok(())
    });
}

#[test]
fn the_usual_tools_see_one_owner() {
    test(|lab| {
        let site = Site::start(lab)?;
        let client = &site.segment().client;
        for address in BOTH {
            let owner = site.owner(address)?;
            let vip = address.to_string();
            let said = match address {
                IpAddr::V4(_) => client.run("arping", ["-c", "3", "-i", "eth0", &vip])?,
                IpAddr::V6(_) => client.run("ndisc6", ["-m", &vip, "eth0"])?,
            };
            let said = said.to_lowercase();
            let others = site.segment().stations.iter().enumerate();
            for (place, station) in others {
                let is_named = said.contains(&station.mac.to_string());
                assert_eq!(is_named, place == owner, "{said}");
            }
        }
        Ok(())
    });
}

#[test]
fn addresses_of_nobody_and_of_bgp_are_not_answered_for() {
    test(|lab| {
        let site = Site::start(lab)?;
        for address in ["192.0.2.150", "2001:db8::150", "198.51.100.7"] {
            let owners = site.segment().owners(carillon_lab::ip(address))?;
            ensure!(owners.is_empty(), "{address}: {owners:?}");
        }
        Ok(())
    });
}
