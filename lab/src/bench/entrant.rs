//! A sender with its receivers: what takes part in a comparison.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::peer::Peer;
use super::sender::{Link, Sender, System};
use crate::{Host, Lab};

/// How long anything may take before the benchmark fails: connecting again after a lost session, or
/// loading 100 000 routes.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A running sender and the peers that receive from it.
pub struct Entrant {
    /// What it is.
    pub system: System,
    /// The running program.
    pub sender: Sender,
    /// Its receivers.
    pub peers: Vec<Peer>,
    /// How many routes it has to send.
    pub routes: usize,
}

/// What came over a session.
#[derive(Clone, Debug, Default)]
pub struct Transfer {
    /// From Established to the last UPDATE.
    pub time: Duration,
    /// UPDATE messages, End-of-RIB not counted.
    pub messages: usize,
    /// Their bytes, with headers.
    pub bytes: usize,
    /// The length of the path attributes, the same in all of them.
    pub attribute_bytes: usize,
}

impl Entrant {
    /// Cables a new host to `receiver`, listens on `receivers` addresses and starts `system` with
    /// `routes` routes. `number` tells the entrants of one lab apart.
    pub fn start(
        lab: &Lab,
        receiver: &Host,
        number: u8,
        system: System,
        routes: usize,
        receivers: u8,
    ) -> Result<Self> {
        let link = Link::new(lab, receiver, number, receivers)?;
        let peers = link.listen(receiver)?;
        let sender = system.start(&link, routes)?;
        Ok(Self {
            system,
            sender,
            peers,
            routes,
        })
    }

    /// Waits until every receiver has every route.
    pub fn converge(&self) -> Result<()> {
        for peer in &self.peers {
            self.receive_all(peer)
                .with_context(|| format!("start of {}", self.system.name()))?;
        }
        Ok(())
    }

    /// Makes the sender begin its session with the first receiver anew, and measures it.
    pub fn measure_again(&self) -> Result<Transfer> {
        let peer = self.peers.first().context("no receiver")?;
        peer.drain();
        self.sender.operator.reset()?;
        self.receive_all(peer)
            .with_context(|| format!("measuring {}", self.system.name()))
    }

    fn receive_all(&self, peer: &Peer) -> Result<Transfer> {
        let established = peer.established(PATIENCE)?;
        let mut received = HashSet::with_capacity(self.routes);
        let mut transfer = Transfer::default();
        while received.len() < self.routes {
            let (at, update) = peer.update(PATIENCE).with_context(|| {
                format!("{} of {} routes received", received.len(), self.routes)
            })?;
            transfer.time = at - established;
            transfer.messages += 1;
            transfer.bytes += update.bytes;
            transfer.attribute_bytes = transfer.attribute_bytes.max(update.attribute_bytes);
            ensure!(update.withdrawn.is_empty(), "a withdrawal in a new session");
            received.extend(update.announced);
        }
        Ok(transfer)
    }

    /// Changes one route and returns how long it took until the UPDATE was at the receiver.
    pub fn change(&self, announce: bool) -> Result<Duration> {
        let peer = self.peers.first().context("no receiver")?;
        peer.drain();
        let before = Instant::now();
        if announce {
            self.sender.operator.announce()?;
        } else {
            self.sender.operator.withdraw()?;
        }
        let (at, update) = peer.update(PATIENCE)?;
        let expected = if announce { (1, 0) } else { (0, 1) };
        let got = (update.announced.len(), update.withdrawn.len());
        ensure!(
            got == expected,
            "{}: an UPDATE with {got:?} routes",
            self.system.name()
        );
        Ok(at - before)
    }
}
