//! The network of most tests: Carillon on the stations of one segment, with the addresses [`VIP`] and
//! [`VIP6`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_core::interface::MacAddress;
use carillon_lab::layer2::{Answers, Cluster, Prober, Responder, Segment, Station};
use carillon_lab::{Carillon, Lab, wait};

pub(crate) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
pub(crate) const VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
pub(crate) const BOTH: [IpAddr; 2] = [VIP, VIP6];

/// For whatever should happen at once, with other tests on the same machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Longer than any outage that may be: far above the aim, because the tests do not measure.
pub(crate) const OUTAGE: Duration = Duration::from_secs(3);
/// How long two nodes may both have an address after a fault.
pub(crate) const DOUBLED: Duration = Duration::from_secs(1);
/// Between two probes or questions.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// For how long is watched that nothing happens.
pub(crate) const WATCH: Duration = Duration::from_secs(5);

pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) cluster: Cluster,
    /// The daemons in the order of the stations.
    pub(crate) nodes: Vec<Carillon>,
    _responders: Vec<Responder>,
}

impl Site {
    /// Hosts without daemons; the stations serve both addresses and accept packets for them.
    pub(crate) fn prepare(lab: &Lab, hosts: &[&str]) -> Result<Self> {
        let cluster = Cluster::new(lab, hosts)?;
        let mut responders = Vec::new();
        for (name, address) in [("web", VIP), ("web6", VIP6)] {
            cluster.serve(name, address)?;
            responders.extend(cluster.segment.serve(address)?);
        }
        for station in &cluster.segment.stations {
            for address in BOTH {
                station.accept(address)?;
            }
        }
        Ok(Self {
            lab: lab.clone(),
            cluster,
            nodes: Vec::new(),
            _responders: responders,
        })
    }

    /// Three nodes; returns when each address has one owner.
    pub(crate) fn start(lab: &Lab) -> Result<Self> {
        let mut site = Self::prepare(lab, &["alpha", "beta", "gamma"])?;
        site.nodes = site.cluster.start_all(&[])?;
        for address in BOTH {
            site.segment().await_owner(address, SOON)?;
        }
        Ok(site)
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.cluster.segment
    }

    /// The place of the station that has an address.
    pub(crate) fn owner(&self, address: IpAddr) -> Result<usize> {
        self.cluster
            .place(self.segment().await_owner(address, SOON)?)
    }

    pub(crate) fn station(&self, place: usize) -> &Station {
        &self.segment().stations[place]
    }

    /// Probes an address from the client, and returns when it is answered.
    pub(crate) fn probe(&self, address: IpAddr) -> Result<Prober> {
        let prober = self.segment().probe(address, TICK)?;
        Segment::await_steady(&prober, TICK * 40, SOON)?;
        Ok(prober)
    }

    /// Waits until another station than this one answers the prober, and is what the client's table
    /// has; returns its place.
    pub(crate) fn await_other(
        &self,
        prober: &Prober,
        address: IpAddr,
        old: usize,
    ) -> Result<usize> {
        let old = self.station(old).number;
        let number = wait::until(format!("another owner of {address}"), SOON, || {
            let number = prober
                .probes()
                .steady(TICK * 40)
                .context("no steady answers")?;
            ensure!(number != old, "number {old} answers still");
            Ok(number)
        })?;
        let mut stations = self.segment().stations.iter();
        let place = stations.position(|station| station.number == number);
        let place = place.context("no such station")?;
        let known = self.segment().client.neighbor(address)?;
        assert_eq!(known, self.station(place).mac, "the client's neighbour");
        Ok(place)
    }

    /// Waits until exactly this station answers for an address, and the client knows.
    pub(crate) fn await_owner(&self, address: IpAddr, place: usize) -> Result<()> {
        let expected = self.station(place).mac;
        wait::until(format!("{address} at {expected}"), SOON, || {
            let owners = self.segment().owners(address)?;
            ensure!(owners == [expected], "{owners:?}");
            Ok(())
        })
    }

    /// Asks for both addresses for a while.
    pub(crate) fn watch(&self, time: Duration) -> Result<Answers> {
        let asker = self.segment().ask(&BOTH, TICK)?;
        thread::sleep(time);
        Ok(asker.stop())
    }

    /// Watches that the station, and no other, answers for an address.
    pub(crate) fn ensure_stays(&self, address: IpAddr, station: MacAddress) -> Result<()> {
        let witness = self.segment().witness()?;
        let start = Instant::now();
        let asker = self.segment().ask(&[address], TICK)?;
        thread::sleep(WATCH);
        let answers = asker.stop();
        let stations: Vec<_> = answers.stations().into_iter().collect();
        assert_eq!(stations, [station], "who answered");
        assert_eq!(answers.unanswered(), 0, "unanswered");
        let claimants: Vec<_> = witness.claimants(address, start).into_iter().collect();
        assert_eq!(claimants, [station], "who said to have {address}");
        Ok(())
    }
}

/// Waits until `carillon status --json` contains all of these texts.
pub(crate) fn await_status(node: &Carillon, texts: &[&str]) -> Result<()> {
    wait::until(format!("status to say {texts:?}"), SOON, || {
        let status = node.status()?.to_string();
        let missing = texts.iter().filter(|text| !status.contains(**text));
        let missing: Vec<_> = missing.collect();
        ensure!(missing.is_empty(), "no {missing:?} in:\n{status}");
        Ok(())
    })
}
