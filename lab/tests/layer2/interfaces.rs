//! Nodes with several interfaces, and interfaces that come and go.

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;
use carillon_lab::layer2::{Segment, Witness, endpoints, service};
use carillon_lab::{Cable, Host, Switch, ip, test, wait};

use crate::site::{SOON, Site, VIP, await_status};

const OTHER: &str = "198.51.100.100";
const POOLS: [&str; 2] = [
    "{name: pool, protocol: layer2, addresses: [192.0.2.100-192.0.2.199, '2001:db8::100-2001:db8::1ff']}",
    "{name: other, protocol: layer2, addresses: [198.51.100.100-198.51.100.199]}",
];

/// A second switch with a client, and an address for it.
struct Second {
    lan: Switch,
    client: Host,
}

impl Second {
    fn new(site: &Site) -> Result<Self> {
        let lan = site.lab.switch("lan2")?;
        let client = site.lab.host("client2")?;
        lan.plug(&client, "eth0", &["198.51.100.1/24"])?;
        site.cluster.configure(&POOLS)?;
        let text = service("other", ip(OTHER), "");
        let nodes: Vec<_> = site
            .segment()
            .stations
            .iter()
            .map(|s| s.host.name())
            .collect();
        let text = text + &endpoints("other", ip(OTHER), &nodes);
        site.cluster.write("other.yaml", &text)?;
        for station in &site.segment().stations {
            station.accept(ip(OTHER))?;
        }
        Ok(Self { lan, client })
    }

    /// Gives a station an interface here.
    fn plug(&self, site: &Site, place: usize) -> Result<Cable> {
        let station = site.station(place);
        let address = format!("198.51.100.{}/24", station.number);
        self.lan.plug(&station.host, "eth1", &[&address])
    }

    /// Waits until the client finds the address at a station, anew, and returns its place.
    fn await_owner(&self, site: &Site) -> Result<usize> {
        wait::until(format!("{OTHER} on the second segment"), SOON, || {
            // The table is emptied: what counts is an answer of now.
            self.client.ip("neigh flush dev eth0")?;
            self.client.run("ping", ["-c", "1", "-W", "1", OTHER])?;
            let owner = self.client.neighbor(ip(OTHER))?;
            let mut stations = site.segment().stations.iter();
            let place = stations.position(|station| {
                let mac = station.host.mac("eth1");
                mac.is_ok_and(|mac| mac == owner)
            });
            place.with_context(|| format!("no station has {owner}"))
        })
    }
}

#[test]
fn each_segment_has_its_addresses() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let second = Second::new(&site)?;
        let cables: Vec<_> = (0..3)
            .map(|place| second.plug(&site, place))
            .collect::<Result<_>>()?;
        let witness = Witness::start(&second.lan)?;
        site.nodes = site.cluster.start_all(&[])?;
        let first_owner = site.owner(VIP)?;
        let second_owner = second.await_owner(&site)?;

        // Only the second segment is lost.
        let cut = std::time::Instant::now();
        cables[second_owner].cut()?;
        wait::until("the address to move on the second segment", SOON, || {
            let owner = second.await_owner(&site)?;
            ensure!(owner != second_owner, "the cut node has it");
            Ok(())
        })?;
        assert_eq!(site.owner(VIP)?, first_owner);
        assert_eq!(witness.claimants(ip(OTHER), cut).len(), 1);

        // Only the first segment is lost.
        let prober = site.probe(VIP)?;
        site.station(first_owner).cable.cut()?;
        site.await_other(&prober, VIP, first_owner)?;
        second.await_owner(&site)?;
        Ok(())
    });
}

#[test]
fn an_interface_that_is_added_later_is_used() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        let second = Second::new(&site)?;
        site.nodes = site.cluster.start_all(&[])?;
        site.owner(VIP)?;
        for _ in 0..2 {
            second.plug(&site, 0)?;
            assert_eq!(second.await_owner(&site)?, 0);
            site.station(0).host.ip("link delete eth1")?;
        }
        site.owner(VIP)?;
        Ok(())
    });
}

#[test]
fn an_interface_that_is_renamed_is_used() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        site.nodes = site.cluster.start_all(&[])?;
        site.owner(VIP)?;
        let host = &site.station(0).host;
        for command in ["set eth0 down", "set eth0 name lan0", "set lan0 up"] {
            host.ip(&format!("link {command}"))?;
        }
        let prober = site.segment().probe(VIP, crate::site::TICK)?;
        Segment::await_steady(&prober, crate::site::TICK * 40, SOON)?;
        site.owner(VIP)?;
        Ok(())
    });
}

/// Waits until the address has this station on the segment, and no other.
fn await_mac(site: &Site, expected: MacAddress) -> Result<()> {
    wait::until(format!("{VIP} at {expected}"), SOON, || {
        let owners = site.segment().owners(VIP)?;
        ensure!(owners == [expected], "{owners:?}");
        Ok(())
    })
}

#[test]
fn of_two_interfaces_on_a_segment_the_one_speaks_that_the_kernel_sends_by() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        let host = &site.station(0).host;
        let second = site.segment().lan.plug(host, "eth1", &["192.0.2.71/24"])?;
        let macs = [host.mac("eth0")?, host.mac("eth1")?];
        site.nodes = site.cluster.start_all(&[])?;
        let host = &site.station(0).host;
        await_mac(&site, macs[0])?;
        await_status(&site.nodes[0], &["Standby", "eth0, which announces"])?;

        // Another route makes another choice.
        host.ip("route delete 192.0.2.0/24 dev eth0")?;
        await_mac(&site, macs[1])?;
        host.ip("route add 192.0.2.0/24 dev eth0 metric 1")?;
        host.ip("route delete 192.0.2.0/24 dev eth1")?;
        host.ip("route add 192.0.2.0/24 dev eth1 metric 2")?;
        await_mac(&site, macs[0])?;

        // The other is used when the one is lost, and only then.
        site.station(0).cable.cut()?;
        await_mac(&site, macs[1])?;
        site.station(0).cable.mend()?;
        await_mac(&site, macs[0])?;
        second.cut()?;
        site.ensure_stays(VIP, macs[0])
    });
}

#[test]
fn beside_its_parent_a_macvlan_does_not_speak() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha"])?;
        let host = &site.station(0).host;
        host.ip("link add link eth0 name mac0 type macvlan mode bridge")?;
        host.address("mac0", &["192.0.2.71/24"])?;
        host.ip("link set mac0 up")?;
        let mac = host.mac("eth0")?;
        site.nodes = site.cluster.start_all(&[])?;
        await_mac(&site, mac)?;
        site.ensure_stays(VIP, mac)
    });
}

#[test]
fn who_loses_its_address_gives_its_vips_to_others_and_takes_none() {
    test(|lab| {
        let site = Site::start(lab)?;
        let owner = site.owner(VIP)?;
        let station = site.station(owner);
        let (mac, own) = (station.mac, format!("{}/24 dev eth0", station.address()));
        let prober = site.probe(VIP)?;
        station.host.ip(&format!("address delete {own}"))?;
        let heir = site.await_other(&prober, VIP, owner)?;
        drop(prober);

        // It has lost all the others: that is no reason to take what they have.
        site.ensure_stays(VIP, site.station(heir).mac)?;
        await_status(&site.nodes[owner], &["it has no IPv4 address"])?;

        // Back again, it leaves things as they are.
        let witness = site.segment().witness()?;
        let back = std::time::Instant::now();
        site.station(owner).host.ip(&format!("address add {own}"))?;
        site.ensure_stays(VIP, site.station(heir).mac)?;
        assert!(!witness.claimants(VIP, back).contains(&mac));
        Ok(())
    });
}

#[test]
fn a_transmit_queue_that_is_stuck_costs_the_addresses_of_its_segment_only() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let second = Second::new(&site)?;
        for place in 0..3 {
            second.plug(&site, place)?;
        }
        site.nodes = site.cluster.start_all(&[])?;
        let first_owner = site.owner(VIP)?;
        let stuck = second.await_owner(&site)?;

        // One octet in a second.
        let slow = ["rate", "8bit", "burst", "128", "limit", "1000000"];
        let qdisc = ["qdisc", "add", "dev", "eth1", "root", "tbf"];
        let host = &site.station(stuck).host;
        host.run("tc", qdisc.iter().chain(&slow))?;
        wait::until(
            "the address to move away from the stuck queue",
            SOON,
            || {
                let owner = second.await_owner(&site)?;
                ensure!(owner != stuck, "the stuck node has it");
                Ok(())
            },
        )?;
        await_status(&site.nodes[stuck], &["its transmit queue has not moved"])?;
        assert_eq!(site.owner(VIP)?, first_owner, "on the other segment");

        // When it moves again, it can be used again.
        let host = &site.station(stuck).host;
        host.run("tc", ["qdisc", "delete", "dev", "eth1", "root"])?;
        wait::until("the interface to be used again", SOON, || {
            let status = site.nodes[stuck].status()?.to_string();
            ensure!(!status.contains("Waiting"), "{status}");
            Ok(())
        })
    });
}
