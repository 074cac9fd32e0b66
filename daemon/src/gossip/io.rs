//! The gossip thread: its socket, its clock, and who tells it what.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use carillon_gossip::{Event, Keys, Membership, Profile};
use carillon_host::interfaces::Known;
use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, warn};

use super::names::{self, Found};
use super::place::Place;
use super::socket::Registered;
use super::{Command, addresses, reached};
use crate::clock::sleep_until;
use crate::pulse::Watcher;

/// The largest datagram there is.
const DATAGRAM: usize = 65_536;
/// How many datagrams are taken in before anything else gets its turn.
const DATAGRAMS: usize = 256;
/// How late a clock may be at most for what has come in.
const LATE: Duration = Duration::from_millis(20);
/// How often is looked whether others still reach this daemon, beside when an address changes.
const REVIEW: Duration = Duration::from_secs(1);

/// How late a clock may be for what has come in: little enough for those who wait for us, and so
/// little that it is not taken for a pause of this host.
pub(super) fn late(profile: Profile) -> Duration {
    LATE.min(profile.heartbeat / 4)
}

/// Everything that the thread owns.
pub(super) struct Link {
    pub(super) membership: Membership,
    pub(super) place: Place,
    pub(super) told: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<Event>,
    /// What is found of the daemons of the command line.
    pub(super) names: Option<mpsc::Receiver<Found>>,
    /// The driver will say where others are.
    pub(super) has_pods: bool,
    /// The secrets, when they change.
    pub(super) keys: mpsc::Receiver<Keys>,
    pub(super) interfaces: watch::Receiver<Known>,
    pub(super) late: Duration,
    pub(super) seeds: Seeds,
    /// Sees whether the rest of the daemon is alive.
    pub(super) watcher: Watcher,
}

impl Link {
    /// Runs until the driver is gone or leaves.
    pub(super) fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let result = runtime.and_then(|runtime| runtime.block_on(self.talk()));
        if let Err(error) = result {
            error!("cannot talk to other nodes any more: {error}");
        }
    }

    async fn talk(mut self) -> io::Result<()> {
        let mut socket = self.place.socket.register()?;
        self.begin();
        let mut review = interval(REVIEW);
        let mut glance = interval(Watcher::LOOK);
        // After a time in which nothing could be done, one look is as good as many.
        review.set_missed_tick_behavior(MissedTickBehavior::Delay);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = vec![0; DATAGRAM];
        loop {
            if self.watcher.hangs() {
                // Others judge by this thread whether the node can serve its addresses.
                self.watcher.revival().await;
            }
            if let Some(left) = self.obey_all() {
                return self.leave(&mut socket, left).await;
            }
            let due = self.membership.poll_timeout();
            let is_late = |due: Instant| due + self.late <= Instant::now();
            if due.is_some_and(is_late) {
                self.membership.handle_timeout(Instant::now());
            }
            let is_flushed = self.flush(&mut socket, &mut buffer).await?;
            let has_room = self.pass_on();
            // Of what is ready at once each has its turn: who floods this socket is one of many.
            tokio::select! {
                true = is_room(&self.events), if !has_room => {}
                ready = socket.readable(), if has_room => {
                    ready?;
                    self.receive(&socket, &mut buffer);
                }
                command = self.told.recv() => {
                    let Some(command) = command else {
                        return Ok(());
                    };
                    if let Some(left) = self.obey(command) {
                        return self.leave(&mut socket, left).await;
                    }
                }
                found = names::next(self.names.as_mut()) => {
                    self.seeds.named = found;
                    self.join();
                }
                () = sleep_until(self.membership.poll_timeout()) => {
                    // What has come counts before what has not: a late clock must not make others
                    // late.
                    self.receive(&socket, &mut buffer);
                    self.membership.handle_timeout(Instant::now());
                }
                () = std::future::ready(()), if !is_flushed => {}
                Some(keys) = self.keys.recv() => self.membership.set_keys(keys),
                Ok(()) = self.interfaces.changed() => self.review(&mut socket)?,
                _ = review.tick() => self.review(&mut socket)?,
                _ = glance.tick() => {}
            }
        }
    }

    fn begin(&mut self) {
        if self.names.is_some() {
            self.join();
        } else if !self.has_pods {
            // Others call this one.
            self.membership.join(&[], Instant::now());
        }
    }

    /// Looks for others where they may be by now.
    fn join(&mut self) {
        let seeds = self.seeds.all(&self.place);
        let now = Instant::now();
        if self.seeds.named.is_complete {
            self.membership.join(&seeds, now);
        } else {
            self.membership.seek(&seeds, now);
        }
    }

    /// Looks whether others still reach this daemon.
    fn review(&mut self, socket: &mut Registered) -> io::Result<()> {
        let here = addresses(&self.interfaces.borrow_and_update());
        self.membership.set_hosts(here.iter().copied());
        let others = self.membership.known().map(|member| member.address);
        let towards: Vec<_> = others.chain(self.seeds.all(&self.place)).collect();
        let before = self.place.address;
        match self.place.review(&here, &towards) {
            Ok(false) => {}
            Ok(true) => {
                let now = self.place.address;
                warn!(%before, %now, "this daemon has another address from now on");
                *socket = self.place.socket.register()?;
                self.membership.relocate(now, Instant::now());
                self.join();
            }
            Err(error) => debug!("no other address: {error:#}"),
        }
        Ok(())
    }

    fn receive(&mut self, socket: &Registered, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS {
            let Ok((length, from)) = socket.try_receive(buffer) else {
                return;
            };
            let datagram = buffer.get(..length).unwrap_or_default();
            self.membership
                .handle_datagram(from, datagram, Instant::now());
        }
    }

    /// Does as it has been told until now, as [`Self::obey`]: however much comes in, there is always a
    /// turn for what is to go out.
    fn obey_all(&mut self) -> Option<oneshot::Sender<()>> {
        while let Ok(command) = self.told.try_recv() {
            let left = self.obey(command);
            if left.is_some() {
                return left;
            }
        }
        None
    }

    /// Does as it is told; returns whom to tell that it has left, if it is to leave.
    fn obey(&mut self, command: Command) -> Option<oneshot::Sender<()>> {
        let now = Instant::now();
        match command {
            Command::Publish(key, value) => self.membership.publish(key, value, now),
            Command::Owner(owns) => self.membership.set_owner(owns),
            Command::Doubt(member) => self.membership.doubt(member, now),
            Command::Peers(addresses) => {
                self.seeds.listed = addresses;
                let seeds = self.seeds.all(&self.place);
                self.membership.join(&seeds, now);
            }
            // Who asked may have gone away.
            Command::Pulse(sender) => drop(sender.send(())),
            Command::Status(sender) => drop(sender.send(self.membership.status(now))),
            Command::Leave(left) => return Some(left),
        }
        None
    }

    /// Sends what there is to send; `false` if there is more, but others have to have their turn.
    async fn flush(&mut self, socket: &mut Registered, buffer: &mut [u8]) -> io::Result<bool> {
        let mut entropy = [0; 32];
        // Without it, the nonces are still those of a good generator.
        if SysRng.try_fill_bytes(&mut entropy).is_ok() {
            self.membership.stir(entropy);
        }
        while let Some(transmit) = self.membership.poll_transmit() {
            let (datagram, to) = (&transmit.datagram, transmit.to);
            let sent = socket.send(datagram, to, self.late).await;
            let is_stuck = is_full(&sent);
            let sent = if is_stuck {
                self.renew(socket, buffer)?;
                socket.send(datagram, to, self.late).await
            } else {
                sent
            };
            // Whoever is not reached does not answer; that is noticed.
            if let Err(error) = sent {
                debug!(%to, %error, "not sent");
            }
            if is_stuck {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes on with an empty buffer, since what is in this one does not leave the host: the queue of
    /// an interface is stuck, or a neighbour is looked for, and other interfaces must not wait for
    /// that.
    fn renew(&mut self, socket: &mut Registered, buffer: &mut [u8]) -> io::Result<()> {
        self.membership.handle_stuck(Instant::now());
        match self.place.socket.renew() {
            Ok(()) => {
                let before = std::mem::replace(socket, self.place.socket.register()?);
                self.receive(&before, buffer);
            }
            Err(error) => debug!(%error, "no other socket"),
        }
        Ok(())
    }

    /// Tells the driver what is new, as far as there is room; whether there is room for more.
    fn pass_on(&mut self) -> bool {
        loop {
            match self.events.try_reserve() {
                Ok(permit) => match self.membership.poll_event() {
                    Some(event) => permit.send(event),
                    None => return true,
                },
                Err(TrySendError::Full(())) => return false,
                // A driver that does not listen any more is about to have us leave.
                Err(TrySendError::Closed(())) => {
                    while self.membership.poll_event().is_some() {}
                    return true;
                }
            }
        }
    }

    async fn leave(
        &mut self,
        socket: &mut Registered,
        left: oneshot::Sender<()>,
    ) -> io::Result<()> {
        self.membership.leave(Instant::now());
        // It reads no more.
        while !self.flush(socket, &mut []).await? {}
        let _ = left.send(());
        Ok(())
    }
}

/// Waits until there is room for an event; whether there will be somebody to take it.
async fn is_room(events: &mpsc::Sender<Event>) -> bool {
    events.reserve().await.is_ok()
}

/// Whether there was no room for a datagram.
fn is_full(sent: &io::Result<()>) -> bool {
    let kind = sent.as_ref().map_err(io::Error::kind);
    kind == Err(io::ErrorKind::WouldBlock)
}

/// Daemons to get to know the others through.
pub(super) struct Seeds {
    /// Those of the command line.
    named: Found,
    /// Those of the cluster.
    listed: Vec<IpAddr>,
}

impl Seeds {
    pub(super) fn new(named: Found) -> Self {
        Self {
            named,
            listed: Vec::new(),
        }
    }

    /// Daemons without a port are reached at that of this one.
    fn all(&self, place: &Place) -> Vec<SocketAddr> {
        let listed = self.listed.iter();
        let listed = listed.map(|address| SocketAddr::new(*address, place.address.port()));
        let named = reached(&self.named, &place.socket, place.address);
        named.into_iter().chain(listed).collect()
    }
}
