//! The senders: Carillon, FRR and BIRD, each in a namespace of its own, wired to the receiver, with
//! the same number of routes to send.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::peer::Peer;
use crate::{Host, Lab};

mod bird;
mod carillon;
mod frr;

/// The senders' AS number; it does not fit into two bytes.
const SENDER_ASN: u32 = 4_200_000_001;
/// The receiver's AS number.
const RECEIVER_ASN: u32 = 4_200_000_000;
/// The first of the addresses that are announced, a /15 for up to 131 072 of them.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);

/// A BGP speaker to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// `carillon run`, with its services in files of so many services each.
    Carillon {
        /// Services in one file.
        per_file: usize,
    },
    /// FRR's bgpd as it comes: it waits 1 s for more before it fills a new session.
    Frr,
    /// FRR's bgpd with `coalesce-time 0`.
    FrrAtOnce,
    /// BIRD.
    Bird,
}

impl System {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Carillon { .. } => "Carillon",
            Self::Frr => "FRR",
            Self::FrrAtOnce => "FRR, coalesce-time 0",
            Self::Bird => "BIRD",
        }
    }

    /// Starts it with `routes` /32s to send to each receiver on the link.
    pub fn start(self, link: &Link, routes: usize) -> Result<Sender> {
        match self {
            Self::Carillon { per_file } => carillon::start(link, routes, per_file),
            Self::Frr => frr::start(link, routes, None),
            Self::FrrAtOnce => frr::start(link, routes, Some(0)),
            Self::Bird => bird::start(link, routes),
        }
    }
}

/// A running sender.
pub struct Sender {
    /// The process id.
    pub pid: u32,
    /// The moment before the process was started.
    pub started: Instant,
    /// What its operator can do; the sender ends when this is dropped.
    pub operator: Box<dyn Operator>,
}

/// What an operator does to change what a sender announces.
pub trait Operator {
    /// Makes it announce one route more.
    fn announce(&self) -> Result<()>;

    /// Makes it withdraw that route again.
    fn withdraw(&self) -> Result<()>;

    /// Makes it begin its sessions anew.
    fn reset(&self) -> Result<()>;
}

/// A sender's host, and the addresses of the receivers that it is cabled to.
pub struct Link {
    host: Host,
    local: Ipv4Addr,
    receivers: Vec<Ipv4Addr>,
}

impl Link {
    /// Adds a host for a sender, cabled to `receiver`, which gets `receivers` addresses on that
    /// cable. `number` tells the links of one lab apart.
    pub fn new(lab: &Lab, receiver: &Host, number: u8, receivers: u8) -> Result<Self> {
        let host = lab.host(&format!("sender{number}"))?;
        host.cable("eth0", receiver, &format!("eth{number}"))?;
        let local = Ipv4Addr::new(10, 0, number, 100);
        host.address("eth0", &[&format!("{local}/24")])?;
        let receivers = (1..=receivers)
            .map(|n| Ipv4Addr::new(10, 0, number, n))
            .collect();
        let link = Self {
            host,
            local,
            receivers,
        };
        for address in &link.receivers {
            receiver.address(&format!("eth{number}"), &[&format!("{address}/24")])?;
        }
        Ok(link)
    }

    /// Starts a receiving peer on each of the receivers' addresses.
    pub fn listen(&self, receiver: &Host) -> Result<Vec<Peer>> {
        let listen =
            |address: &Ipv4Addr| Peer::listen((*address, 179).into(), RECEIVER_ASN, *address);
        receiver.enter(|| self.receivers.iter().map(listen).collect())?
    }
}

/// The addresses that a sender announces.
fn addresses(routes: usize) -> impl Iterator<Item = Ipv4Addr> {
    (u32::from(FIRST_ADDRESS)..)
        .take(routes)
        .map(Ipv4Addr::from)
}

/// The address that [`Operator::announce`] adds.
fn extra_address(routes: usize) -> Ipv4Addr {
    addresses(routes + 1).last().unwrap_or(FIRST_ADDRESS)
}

/// Writes a configuration file.
fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
