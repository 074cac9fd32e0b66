//! The gossip thread: its socket, its clock, and who tells it what.

use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::time::{Duration, Instant};

use carillon_core::membership::{Event, Membership};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use super::keys::KeyFile;
use super::{Command, names};
use crate::pulse::Watcher;
use crate::sleep::sleep_until;

/// The largest datagram there is.
const DATAGRAM: usize = 65_536;
/// How many datagrams are taken in before anything else gets its turn.
const DATAGRAMS: usize = 256;
/// How late a clock may be for what has come in: little enough for those who wait for us.
const LATE: Duration = Duration::from_millis(20);
/// How often the file with the secret is looked at.
const KEYS: Duration = Duration::from_secs(10);

/// Everything that the thread owns.
pub(super) struct Link {
    pub(super) membership: Membership,
    pub(super) socket: StdSocket,
    pub(super) told: mpsc::UnboundedReceiver<Command>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// The daemons of the command line.
    pub(super) names: Vec<String>,
    /// The driver will say where others are.
    pub(super) has_pods: bool,
    /// The port at which daemons without one are reached: that of this one.
    pub(super) port: u16,
    pub(super) key_file: KeyFile,
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

    async fn talk(mut self) -> std::io::Result<()> {
        let socket = UdpSocket::from_std(self.socket.try_clone()?)?;
        let (sender, mut looked_up) = mpsc::unbounded_channel();
        if !self.names.is_empty() {
            let names = std::mem::take(&mut self.names);
            let is_ipv4 = socket.local_addr()?.is_ipv4();
            tokio::spawn(names::follow(names, is_ipv4, sender));
        } else if !self.has_pods {
            // Others call this one.
            self.membership.join(&[], Instant::now());
        }
        let mut seeds = Seeds::default();
        let mut look = tokio::time::interval(KEYS);
        let mut glance = tokio::time::interval(Watcher::LOOK);
        let mut buffer = vec![0; DATAGRAM];
        loop {
            if self.watcher.hangs() {
                // Others judge by this thread whether the node can serve its addresses.
                self.watcher.revival().await;
            }
            self.flush(&socket).await;
            self.pass_on();
            let due = self.membership.poll_timeout();
            let is_late = |due: Instant| due + LATE <= Instant::now();
            if due.is_some_and(is_late) {
                self.membership.handle_timeout(Instant::now());
                continue;
            }
            tokio::select! {
                // What has come counts before what has not: a late clock must not make others late.
                biased;
                ready = socket.readable() => {
                    ready?;
                    self.receive(&socket, &mut buffer);
                    // However much comes in, there is always a turn for what is to go out.
                    while let Ok(command) = self.told.try_recv() {
                        if let Some(left) = self.obey(command, &mut seeds) {
                            return self.leave(&socket, left).await;
                        }
                    }
                }
                command = self.told.recv() => {
                    let Some(command) = command else {
                        return Ok(());
                    };
                    if let Some(left) = self.obey(command, &mut seeds) {
                        return self.leave(&socket, left).await;
                    }
                }
                Some(found) = looked_up.recv() => {
                    seeds.named = found;
                    self.membership.join(&seeds.all(), Instant::now());
                }
                () = sleep_until(due) => self.membership.handle_timeout(Instant::now()),
                _ = glance.tick() => {}
                _ = look.tick() => {
                    if let Some(keys) = self.key_file.reread() {
                        self.membership.set_keys(keys);
                    }
                }
            }
        }
    }

    fn receive(&mut self, socket: &UdpSocket, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS {
            let Ok((length, from)) = socket.try_recv_from(buffer) else {
                return;
            };
            let datagram = buffer.get(..length).unwrap_or_default();
            self.membership
                .handle_datagram(from, datagram, Instant::now());
        }
    }

    /// Does as it is told; returns whom to tell that it has left, if it is to leave.
    fn obey(&mut self, command: Command, seeds: &mut Seeds) -> Option<oneshot::Sender<()>> {
        let now = Instant::now();
        match command {
            Command::Publish(key, value) => self.membership.publish(key, value, now),
            Command::Owner(owns) => self.membership.set_owner(owns),
            Command::Doubt(member) => self.membership.doubt(member, now),
            Command::Peers(addresses) => {
                seeds.listed = addresses;
                seeds.port = self.port;
                self.membership.join(&seeds.all(), now);
            }
            // Who asked may have gone away.
            Command::Pulse(sender) => drop(sender.send(())),
            Command::Status(sender) => drop(sender.send(self.membership.status(now))),
            Command::Leave(left) => return Some(left),
        }
        None
    }

    async fn flush(&mut self, socket: &UdpSocket) {
        while let Some(transmit) = self.membership.poll_transmit() {
            // Whoever is not reached does not answer; that is noticed.
            if let Err(error) = socket.send_to(&transmit.datagram, transmit.to).await {
                debug!(to = %transmit.to, %error, "not sent");
            }
        }
    }

    fn pass_on(&mut self) {
        while let Some(event) = self.membership.poll_event() {
            // A driver that does not listen any more is about to have us leave.
            let _ = self.events.send(event);
        }
    }

    async fn leave(
        &mut self,
        socket: &UdpSocket,
        left: oneshot::Sender<()>,
    ) -> std::io::Result<()> {
        self.membership.leave(Instant::now());
        self.flush(socket).await;
        let _ = left.send(());
        Ok(())
    }
}

/// Daemons to get to know the others through.
#[derive(Default)]
struct Seeds {
    /// Those of the command line.
    named: Vec<SocketAddr>,
    /// Those of the cluster.
    listed: Vec<IpAddr>,
    port: u16,
}

impl Seeds {
    fn all(&self) -> Vec<SocketAddr> {
        let listed = self.listed.iter();
        let listed = listed.map(|address| SocketAddr::new(*address, self.port));
        self.named.iter().copied().chain(listed).collect()
    }
}
