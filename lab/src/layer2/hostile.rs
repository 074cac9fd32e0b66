//! Somebody on the segment without the secret, who records what daemons say and sends very much.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;

use super::cluster::GOSSIP;
use super::frame::{Arp, arp};
use super::packet::{PacketSocket, interface};
use super::segment::Station;
use crate::host::Host;

/// How many packets of a flood are sent at once.
const BURST: u32 = 20;

/// A socket where daemons that join it expect another daemon.
pub struct Hostile(UdpSocket);

impl Hostile {
    /// Opens it at an address of a host.
    pub fn open(host: &Host, address: Ipv4Addr) -> Result<Self> {
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((address, GOSSIP))?;
            socket.set_read_timeout(Some(Duration::from_millis(10)))?;
            Ok(socket)
        };
        Ok(Self(host.enter(open)??))
    }

    /// What the daemons say to it, in a while.
    pub fn record(&self, time: Duration) -> Vec<Vec<u8>> {
        let end = Instant::now() + time;
        let mut recorded = Vec::new();
        let mut buffer = [0; 2000];
        while Instant::now() < end {
            if let Ok((length, _)) = self.0.recv_from(&mut buffer) {
                recorded.extend(buffer.get(..length).map(<[u8]>::to_vec));
            }
        }
        recorded
    }

    /// Sends the datagrams to the targets, both in turn, see [`flood`].
    pub fn flood(
        &self,
        rate: u32,
        targets: &[SocketAddr],
        datagrams: &[Vec<u8>],
        ended: &AtomicBool,
    ) -> u32 {
        let mut packets = datagrams.iter().cycle().zip(targets.iter().cycle());
        flood(rate, ended, || {
            if let Some((datagram, target)) = packets.next() {
                // What does not fit into the buffer of the kernel is lost.
                let _ = self.0.send_to(datagram, target);
            }
        })
    }
}

/// What was recorded, the same with one bit changed, and nonsense; so many that each of two or three
/// targets gets all kinds in turn.
pub fn hostile_datagrams(recorded: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for datagram in recorded {
        let mut forged = datagram.clone();
        if let Some(octet) = forged.last_mut() {
            *octet ^= 1;
        }
        let version = datagram.first().copied().unwrap_or_default();
        all.extend([datagram.clone(), forged, vec![version; 1200]]);
    }
    all.push(vec![0; 1200]);
    all
}

/// Sends so many packets in a second until it is to end; returns how many were sent.
pub fn flood(rate: u32, ended: &AtomicBool, mut send: impl FnMut()) -> u32 {
    let start = Instant::now();
    let mut sent = 0;
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            send();
            sent += 1;
        }
        let due = start + Duration::from_secs(1) / rate * sent;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent
}

/// The mark of lowest rank: of two daemons that do not know each other, every other one yields to that.
pub fn lowest_mark() -> Result<Vec<u8>> {
    let mark = [&b"CRLN\x01\0"[..], &[0; 4], b"\x12\x34\x56\x78"].concat();
    ensure!(Mark::decode(&mark).is_some(), "no mark any more");
    Ok(mark)
}

/// Says to one station alone that the one with the Ethernet address `owner` has an IPv4 address, in
/// the name of a daemon if there is a mark.
pub fn forge(
    from: &Station,
    to: &Station,
    (address, owner): (Ipv4Addr, MacAddress),
    mark: Option<&[u8]>,
) -> Result<()> {
    let mut frame = arp(&Arp {
        is_request: false,
        sender_mac: owner,
        sender: address,
        target_mac: to.mac,
        target: Ipv4Addr::UNSPECIFIED,
    });
    frame.extend(mark.unwrap_or_default());
    frame.resize(frame.len().max(60), 0);
    let socket = PacketSocket::open(&from.host)?;
    Ok(socket.send(&interface(&from.host, "eth0")?, &frame)?)
}
