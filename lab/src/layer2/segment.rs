//! A segment: hosts that share addresses, a client, and a station that asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;

use super::{Asker, Prober, Responder, Witness};
use crate::host::Host;
use crate::lab::Lab;
use crate::switch::{Cable, Switch};
use crate::wait;

/// A switch with hosts, the stations, on it; number N has the addresses 192.0.2.N and 2001:db8::N
/// on `eth0`, as is: 2001:db8::11 is that of number 11.
pub struct Segment {
    /// The switch.
    pub lan: Switch,
    /// The hosts that share addresses: numbers 11, 12 …
    pub stations: Vec<Station>,
    /// Number 1, which has neighbours in the kernel's table.
    pub client: Host,
    /// The client's cable.
    pub client_cable: Cable,
    /// Number 2, which asks past the kernel, see [`Segment::ask`].
    asker: Host,
}

/// A host that may have an address of the segment.
pub struct Station {
    /// The host.
    pub host: Host,
    /// Its number.
    pub number: u8,
    /// Its cable.
    pub cable: Cable,
    /// The Ethernet address of its `eth0`.
    pub mac: MacAddress,
}

impl Station {
    /// Its IPv4 address.
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, self.number)
    }

    /// Its IPv6 address.
    pub fn address_v6(&self) -> Ipv6Addr {
        v6(self.number)
    }

    /// Gives it an address for packets that come for it, without letting the kernel say so to the
    /// neighbours: that is left to whoever announces it.
    pub fn accept(&self, address: IpAddr) -> Result<()> {
        let length = if address.is_ipv4() { 32 } else { 128 };
        self.host.sysctl("net.ipv4.conf.all.arp_ignore", "1")?;
        self.host.sysctl("net.ipv4.conf.all.arp_announce", "2")?;
        self.host.address("lo", &[&format!("{address}/{length}")])
    }
}

fn v6(number: u8) -> Ipv6Addr {
    // The number in decimal looks the same in hexadecimal.
    let number = u16::from(number);
    let digits = number / 100 * 256 + number / 10 % 10 * 16 + number % 10;
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, digits)
}

impl Segment {
    /// A segment with these hosts.
    pub fn new(lab: &Lab, hosts: &[&str]) -> Result<Self> {
        let lan = lab.switch("lan")?;
        let (client, client_cable) = plug(lab, &lan, ("client", 1))?;
        let (asker, _) = plug(lab, &lan, ("asker", 2))?;
        let mut segment = Self {
            lan,
            stations: Vec::new(),
            client,
            client_cable,
            asker,
        };
        for host in hosts {
            segment.add(lab, host)?;
        }
        Ok(segment)
    }

    /// Adds a host with the next number.
    pub fn add(&mut self, lab: &Lab, name: &str) -> Result<&Station> {
        let number = 11 + u8::try_from(self.stations.len())?;
        let station = self.plug(lab, name, number)?;
        self.stations.push(station);
        self.stations.last().context("no station")
    }

    /// Plugs in a host that takes no part in what the stations share.
    pub fn plug(&self, lab: &Lab, name: &str, number: u8) -> Result<Station> {
        let (host, cable) = plug(lab, &self.lan, (name, number))?;
        let mac = host.mac("eth0")?;
        Ok(Station {
            host,
            number,
            cable,
            mac,
        })
    }

    /// The station with this Ethernet address.
    pub fn station(&self, mac: MacAddress) -> Result<&Station> {
        let mut stations = self.stations.iter();
        let found = stations.find(|station| station.mac == mac);
        found.with_context(|| format!("no station with {mac}"))
    }

    /// Lets every station serve an address, which tells the station's number.
    pub fn serve(&self, address: IpAddr) -> Result<Vec<Responder>> {
        let stations = self.stations.iter();
        stations
            .map(|station| Responder::start(&station.host, address, station.number))
            .collect()
    }

    /// Probes an address from the client.
    pub fn probe(&self, address: IpAddr, interval: Duration) -> Result<Prober> {
        Prober::start(&self.client, address, interval)
    }

    /// Asks for addresses in turn, from a station that has no other part.
    pub fn ask(&self, addresses: &[IpAddr], interval: Duration) -> Result<Asker> {
        let own = (Ipv4Addr::new(192, 0, 2, 2), v6(2));
        Asker::start(&self.asker, own, addresses.to_vec(), interval)
    }

    /// Begins to write down what the stations say.
    pub fn witness(&self) -> Result<Witness> {
        Witness::start(&self.lan)
    }

    /// The stations that answer for an address just now, by asking for 100 ms.
    pub fn owners(&self, address: IpAddr) -> Result<Vec<MacAddress>> {
        let asker = self.ask(&[address], Duration::from_millis(10))?;
        std::thread::sleep(Duration::from_millis(100));
        Ok(asker.stop().stations().into_iter().collect())
    }

    /// Waits until exactly one station answers for an address.
    pub fn await_owner(&self, address: IpAddr, timeout: Duration) -> Result<&Station> {
        wait::until(format!("one owner of {address}"), timeout, || {
            let owners = self.owners(address)?;
            ensure!(owners.len() == 1, "it has the owners {owners:?}");
            self.station(*owners.first().context("no owner")?)
        })
    }

    /// Waits until the prober has been answered by one host only, without loss, for some time; and
    /// returns its number.
    pub fn await_steady(prober: &Prober, time: Duration, timeout: Duration) -> Result<u8> {
        let started = Instant::now();
        wait::until("steady answers", timeout, || {
            let probes = prober.probes();
            let recent = probes.since(started);
            let state = || format!("{} of {} lost", recent.lost(), recent.sent());
            probes.steady(time).with_context(state)
        })
    }
}

fn plug(lab: &Lab, lan: &Switch, (name, number): (&str, u8)) -> Result<(Host, Cable)> {
    let host = lab.host(name)?;
    let addresses = [format!("192.0.2.{number}/24"), format!("{}/64", v6(number))];
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let cable = lan.plug(&host, "eth0", &addresses)?;
    Ok((host, cable))
}
