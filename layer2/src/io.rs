//! The task of one protocol: its sockets, its clock, and nothing that needs thought.
//!
//! This file and those in its folder are the only ones of the crate with sockets, tasks and a
//! clock.
#![expect(
    clippy::disallowed_methods,
    reason = "here is what every other file takes as an argument: sockets, tasks, time"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::{BackendEvent, Detail, NeighborStatus, SILENCE};
use carillon_core::interface::Interfaces;
use carillon_core::mark::Mark;
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::announcer::{Action, Announcer};
use crate::outbox::Outbox;
use crate::protocol::Protocol;
use crate::span::Span;
use clock::{now, sleep_until};
use filters::Filters;
use port::Port;
use ports::Ports;

mod clock;
mod counters;
mod drain;
mod filters;
mod groups;
mod port;
mod ports;
mod report;
mod socket;
#[cfg(feature = "testing")]
pub(crate) mod station;
mod status;
#[cfg(test)]
mod tests;

/// What is to be announced; `None` before anything was said.
pub(crate) type Wish = Option<Arc<AnnouncementSet>>;

/// How many frames are taken from one interface before others have their turn.
const BATCH: usize = 256;
/// How many groups are joined or left before anything else has its turn: the kernel takes the longer
/// for each the more there are.
const JOINS: usize = 20;
/// How many questions may wait.
const WAITING: usize = 64;

enum Command {
    Status(Detail, oneshot::Sender<Vec<NeighborStatus>>),
    Pulse(oneshot::Sender<()>),
    Stop,
}

/// The handle of the running task. The task stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Task {
    commands: mpsc::Sender<Command>,
}

impl Task {
    /// Starts it.
    pub(crate) fn spawn<P: Protocol>(
        refresh: Duration,
        wishes: watch::Receiver<Wish>,
        events: mpsc::Sender<BackendEvent>,
    ) -> Self {
        let (sender, commands) = mpsc::channel(WAITING);
        let driver = Driver::<P> {
            announcer: Announcer::new(P::FAMILY, refresh, rand::rng().random()),
            interfaces: Arc::default(),
            filters: Filters::default(),
            ports: Ports::new(),
            wished: None,
            mark: None,
            pulse: None,
            applied: None,
            names: BTreeMap::new(),
            able: None,
            wishes,
            commands,
            events,
            outbox: Outbox::default(),
            started: now(),
            protocol: PhantomData,
        };
        tokio::spawn(driver.run());
        Self { commands: sender }
    }

    /// Ends it; resolves when all sockets are closed.
    pub(crate) async fn stop(self) {
        // A task that has ended needs no stop.
        let _ = self.commands.send(Command::Stop).await;
        self.commands.closed().await;
    }

    /// A picture of the present; `None` if the task has ended, or does not come to answer.
    pub(crate) fn status(
        &self,
        detail: Detail,
    ) -> impl Future<Output = Option<Vec<NeighborStatus>>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.commands.try_send(Command::Status(detail, sender));
        async move { receiver.await.ok() }
    }

    /// Whether the task is alive, when it has come round once more.
    pub(crate) fn pulse(&self) -> impl Future<Output = bool> + use<> {
        let (sender, receiver) = oneshot::channel();
        let commands = self.commands.clone();
        async move { commands.send(Command::Pulse(sender)).await.is_ok() && receiver.await.is_ok() }
    }
}

/// The inside of the task.
struct Driver<P> {
    announcer: Announcer,
    interfaces: Arc<Interfaces>,
    filters: Filters,
    ports: Ports<P>,
    /// The generation of the newest wish.
    wished: Option<u64>,
    /// What that says of this daemon.
    mark: Option<Mark>,
    /// When the rest of the daemon has asked last whether this task is alive, if ever.
    pulse: Option<Instant>,
    /// The generation last reported.
    applied: Option<u64>,
    /// The names of the interfaces of which it was told what is announced there.
    names: BTreeMap<u32, Arc<str>>,
    /// The interfaces on which something can be announced, as last reported.
    able: Option<Arc<BTreeSet<u32>>>,
    wishes: watch::Receiver<Wish>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<BackendEvent>,
    /// What there is no room for in `events` yet.
    outbox: Outbox,
    started: Instant,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Driver<P> {
    async fn run(mut self) {
        self.take_wish();
        loop {
            self.open_again();
            self.look();
            self.act();
            self.report_able();
            self.report_reached();
            self.report_applied();
            self.report();
            self.narrow();
            self.listen();
            let deadline = self.deadline(now());
            tokio::select! {
                (index, ready) = poll_fn(|cx| self.ports.poll_ready(cx)) => {
                    if self.serve(index, ready) == BATCH {
                        self.act();
                        // A segment that floods us must not keep other tasks from running.
                        tokio::task::yield_now().await;
                    }
                }
                Ok(()) = self.wishes.changed() => self.take_wish(),
                command = self.commands.recv() => match command {
                    Some(Command::Status(detail, sender)) => {
                        // Whoever asks after a wish is to see how far that one has come.
                        self.take_wish();
                        // Nobody may be waiting any more.
                        let _ = sender.send(self.status(detail, now()));
                    }
                    Some(Command::Pulse(sender)) => {
                        self.pulse = Some(now());
                        let _ = sender.send(());
                    }
                    Some(Command::Stop) | None => break,
                },
                true = report::has_room(&self.events), if !self.outbox.is_empty() => {}
                () = tokio::task::yield_now(), if self.announcer.has_listening() => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    fn take_wish(&mut self) {
        let Some(set) = self.wishes.borrow_and_update().clone() else {
            return;
        };
        // Who wishes something is alive.
        self.pulse = self.pulse.map(|_| now());
        self.wished = Some(set.generation);
        self.mark = Some(set.mark);
        if self.filters.handle_set(&set, P::FAMILY, now()) {
            self.widen();
        }
        self.interfaces = set.interfaces.clone();
        self.reconcile();
        self.announcer.handle_set(&set, now());
    }

    /// Has the kernel let in at least what is needed.
    fn widen(&mut self) {
        for index in self.ports.indices() {
            self.on_port(index, Port::filter);
        }
    }

    /// Has the kernel let in nothing else, if it is time.
    fn narrow(&mut self) {
        if let Some(addresses) = self.filters.exact(now())
            && !self.ports.narrow(&addresses)
        {
            self.filters.handle_refused(now());
            self.widen();
        }
    }

    /// Opens and closes ports so that those are open which the wish's interfaces allow.
    fn reconcile(&mut self) {
        let interfaces = self.interfaces.clone();
        let gone = |index: &u32| interfaces.iter().all(|one| one.index != *index);
        for index in self.ports.indices().into_iter().filter(gone) {
            let port = self.ports.remove(index);
            if let Some(port) = port.filter(|port| port.link().is_some()) {
                let reason = "it is down, gone, or excluded from announcements";
                self.report_down(&port.interface.name, reason.to_owned());
            }
            self.announcer.handle_lost(index, now());
        }
        for interface in &*interfaces {
            let index = interface.index;
            match self.ports.get_mut(index) {
                Some(port) if port.fits(interface) => port.interface = interface.clone(),
                Some(port) => {
                    port.close(None, now());
                    port.interface = interface.clone();
                    self.announcer.handle_lost(index, now());
                    self.open(index);
                }
                None => {
                    self.ports
                        .insert(index, Port::new(interface.clone(), now()));
                    self.open(index);
                }
            }
        }
    }

    fn open(&mut self, index: u32) {
        let opened = self.on_port(index, |port, spans| port.open(spans, now()));
        if opened && let Some(port) = self.ports.get(index) {
            let neighbor = port.interface.name.to_string();
            self.outbox.push(BackendEvent::NeighborUp { neighbor });
            self.filters.handle_opened(P::FAMILY, now());
            self.announcer.handle_ready(index, now());
        }
    }

    /// Tries ports again whose time has come.
    fn open_again(&mut self) {
        for index in self.ports.to_retry(now()) {
            self.open(index);
        }
    }

    /// Does something with a port; a failure closes it until it is tried again.
    fn on_port<E: ToString>(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut Port<P>, &[Span]) -> Result<(), E>,
    ) -> bool {
        let Some(port) = self.ports.get_mut(index) else {
            return false;
        };
        let Err(error) = act(port, self.filters.coarse()) else {
            return true;
        };
        let reason = error.to_string();
        let is_news = port.close(Some(reason.clone()), now());
        let name = port.interface.name.clone();
        self.announcer.handle_lost(index, now());
        if is_news {
            self.report_down(&name, reason);
        }
        false
    }

    /// Reads from a port, and writes what could not be written before; how many frames were read.
    fn serve(&mut self, index: u32, ready: std::io::Result<()>) -> usize {
        let (mut heard, mut count) = (Vec::new(), 0);
        self.on_port(index, |port, _| {
            ready.map_err(|error| socket::explain(&error))?;
            port.look(now())?;
            count = port.receive(BATCH, |message| heard.push(message))?;
            Ok::<(), String>(())
        });
        for message in heard {
            self.announcer.handle_message(index, &message, now());
        }
        count
    }

    /// Looks after the ports: whether what was sent has left them, and what could not be joined.
    fn look(&mut self) {
        for index in self.ports.indices() {
            self.on_port(index, |port, _| {
                port.join_again(now());
                port.look(now())
            });
        }
    }

    fn act(&mut self) {
        self.announcer.set_mute(self.is_abandoned());
        let due = self.announcer.poll_timeout();
        if due.is_some_and(|due| due <= now()) {
            self.announcer.handle_timeout(now());
        }
        while let Some(action) = self.announcer.poll_action() {
            match action {
                Action::Say { interface, saying } => {
                    // Before a wish there is nothing to say.
                    if let Some(mark) = self.mark {
                        self.on_port(interface, |port, _| port.say(saying, mark));
                    }
                }
                Action::Tell(event) => self.outbox.push(event),
                Action::Conflict {
                    interface,
                    vip,
                    station,
                    mark,
                } => {
                    if let Some(port) = self.ports.get_mut(interface)
                        && let Some(link) = port.link()
                    {
                        port.counters.conflicts += 1;
                        let interface = port.interface.name.clone();
                        self.outbox.push(BackendEvent::Conflict {
                            vip,
                            station,
                            mark,
                            local: link.mac,
                            interface,
                        });
                    }
                }
            }
        }
        self.look();
    }

    /// Whether the rest of the daemon hangs: others take over what it has, and ask this task first.
    fn is_abandoned(&self) -> bool {
        let is_over = |pulse: Instant| now() >= pulse + SILENCE;
        self.pulse.is_some_and(is_over)
    }

    /// Does a part of what is to be joined and left.
    fn listen(&mut self) {
        for _ in 0..JOINS {
            let Some(change) = self.announcer.poll_listening() else {
                break;
            };
            if let Some(port) = self.ports.get_mut(change.interface) {
                if change.wanted {
                    port.listen(change.vip, now());
                } else {
                    port.ignore(change.vip);
                }
            }
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let times = [
            self.ports.due(now),
            self.filters.due(),
            self.announcer.poll_timeout(),
        ];
        times.into_iter().flatten().min()
    }
}
