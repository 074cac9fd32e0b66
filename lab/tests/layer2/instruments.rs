//! The instruments themselves, with the kernel and keepalived in Carillon's place.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use carillon_lab::layer2::{Meter, Segment};
use carillon_lab::{Keepalived, ip, test};

const TICK: Duration = Duration::from_millis(2);
const SOON: Duration = Duration::from_secs(10);

#[test]
fn two_hosts_with_one_address_are_seen() {
    test(|lab| {
        let segment = Segment::new(lab, &["alpha", "beta"])?;
        for address in ["192.0.2.100", "2001:db8::100"] {
            let vip = ip(address);
            let length = if vip.is_ipv4() { 32 } else { 128 };
            let address = [&*format!("{address}/{length}")];
            let [alpha, beta] = &segment.stations[..] else {
                unreachable!()
            };
            let witness = segment.witness()?;
            let start = Instant::now();
            alpha.host.address("eth0", &address)?;
            assert_eq!(segment.owners(vip)?, [alpha.mac]);
            assert_eq!(segment.await_owner(vip, SOON)?.number, 11);
            let asker = segment.ask(&[vip], TICK)?;
            thread::sleep(TICK * 50);
            let both = Instant::now();
            beta.host.address("eth0", &address)?;
            thread::sleep(TICK * 50);
            alpha
                .host
                .ip(&format!("address del {} dev eth0", address[0]))?;
            let both = both.elapsed();
            thread::sleep(TICK * 50);
            let answers = asker.stop();
            assert_eq!(answers.stations().len(), 2);
            let doubled = answers.time_with_two_owners();
            ensure!(
                doubled >= TICK * 30 && doubled <= both,
                "{doubled:?} of {both:?}"
            );
            assert_eq!((answers.moves(), answers.unanswered()), (1, 0));
            assert_eq!(witness.claimants(vip, start).len(), 2);
        }
        Ok(())
    });
}

#[test]
fn an_address_on_the_loopback_interface_is_served_and_not_announced() {
    test(|lab| {
        let segment = Segment::new(lab, &["alpha", "beta"])?;
        for vip in ["192.0.2.100", "2001:db8::100"].map(ip) {
            let servers = segment.serve(vip)?;
            for station in &segment.stations {
                station.accept(vip)?;
            }
            ensure!(segment.owners(vip)?.is_empty());
            let beta = &segment.stations[1];
            let permanent = format!("neigh replace {vip} lladdr {} dev eth0", beta.mac);
            segment.client.ip(&permanent)?;
            assert_eq!(segment.client.neighbor(vip)?, beta.mac);
            let prober = segment.probe(vip, TICK)?;
            assert_eq!(Segment::await_steady(&prober, TICK * 50, SOON)?, 12);
            beta.cable.cut()?;
            thread::sleep(TICK * 50);
            beta.cable.mend()?;
            Segment::await_steady(&prober, TICK * 50, SOON)?;
            let outage = prober.stop().outage();
            ensure!(outage >= TICK * 45 && outage < SOON, "{outage:?}");
            drop(servers);
        }
        Ok(())
    });
}

#[test]
fn hosts_are_separated_by_protocol_or_wholly() {
    test(|lab| {
        let segment = Segment::new(lab, &["alpha", "beta"])?;
        let [alpha, beta] = &segment.stations[..] else {
            unreachable!()
        };
        let vip = beta.address().into();
        let server = carillon_lab::layer2::Responder::start(&beta.host, vip, 12)?;
        let probes = |time: Duration| -> Result<(usize, usize)> {
            let prober = carillon_lab::layer2::Prober::start(&alpha.host, vip, TICK)?;
            thread::sleep(time);
            let probes = prober.stop();
            Ok((probes.lost(), probes.sent()))
        };
        assert_eq!(probes(TICK * 20)?.0, 0);
        segment.lan.separate(&alpha.cable, &beta.cable, true)?;
        let (lost, sent) = probes(TICK * 20)?;
        assert_eq!(lost, sent);
        alpha.host.await_ping(vip)?;
        segment.client.await_ping(vip)?;
        segment.lan.heal()?;
        assert_eq!(probes(TICK * 20)?.0, 0);
        segment.lan.separate(&alpha.cable, &beta.cable, false)?;
        let ping = ["-c", "1", "-W", "1", &vip.to_string()].map(str::to_owned);
        ensure!(alpha.host.run("ping", &ping).is_err());
        segment.client.await_ping(vip)?;
        drop(server);
        Ok(())
    });
}

#[test]
fn keepalived_moves_an_address_and_is_measured() {
    test(|lab| {
        let segment = Segment::new(lab, &["alpha", "beta", "gamma"])?;
        let vip = ip("192.0.2.100");
        let servers = segment.serve(vip)?;
        let meter = Meter::start(&segment.stations[0].host, Keepalived::PACKETS)?;
        let mut daemons = Vec::new();
        for (station, priority) in segment.stations.iter().zip([100, 99, 98]) {
            let address = "192.0.2.100".parse()?;
            daemons.push(Keepalived::start(&station.host, address, priority, "0.2")?);
        }
        assert_eq!(segment.await_owner(vip, SOON)?.number, 11);
        let prober = segment.probe(vip, TICK)?;
        let number = Segment::await_steady(&prober, TICK * 100, SOON)?;
        assert_eq!(number, 11);
        let before = meter.read()?;
        thread::sleep(Duration::from_secs(2));
        let (packets, bytes) = (meter.read()? - before).rates();
        ensure!((3.0..6.0).contains(&packets), "{packets} packets/s");
        // 20 bytes of IP, 12 of VRRP.
        assert!((bytes / packets - 32.0).abs() < 0.5);
        segment.stations[0].cable.cut()?;
        let cut = Instant::now();
        thread::sleep(Duration::from_secs(2));
        assert_eq!(Segment::await_steady(&prober, TICK * 50, SOON)?, 12);
        let outage = prober.stop().since(cut).outage();
        let expected = Duration::from_millis(300)..Duration::from_secs(2);
        ensure!(expected.contains(&outage), "{outage:?}");
        daemons[1].process.kill()?;
        drop(servers);
        Ok(())
    });
}

#[test]
fn ten_thousand_addresses_are_asked_for_in_a_second() {
    test(|lab| {
        let segment = Segment::new(lab, &["alpha"])?;
        let alpha = &segment.stations[0];
        alpha.host.ip("route add local 10.7.64.0/18 dev lo")?;
        let first = u32::from(Ipv4Addr::new(10, 7, 64, 0));
        let all: Vec<IpAddr> = (first..first + 10_000)
            .map(|address| Ipv4Addr::from(address).into())
            .collect();
        let asker = segment.ask(&all, Duration::from_micros(50))?;
        thread::sleep(Duration::from_secs(1));
        let answers = asker.stop();
        let asked = answers.questions.len();
        ensure!(asked > 10_000, "only {asked} questions");
        assert_eq!(answers.stations(), [alpha.mac].into());
        assert_eq!((answers.unanswered(), answers.moves()), (0, 0));
        let mut delays: Vec<_> = answers.delays().collect();
        delays.sort();
        println!(
            "p50 {:?}, p99 {:?}",
            delays[asked / 2],
            delays[asked * 99 / 100]
        );
        ensure!(delays[asked / 2] < Duration::from_millis(20), "{delays:?}");
        Ok(())
    });
}
