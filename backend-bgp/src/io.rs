//! The task of one peer: its socket, its clock, and nothing that needs thought.
//!
//! This file and those in its folder are the only ones of the crate with sockets, tasks, a clock
//! and randomness.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "here is what every other file takes as an argument: sockets, tasks, time, randomness"
)]

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::backend::{Detail, NeighborStatus};
use carillon_core::config::Peer;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::export::Routes;
use crate::packet::Notification;
use crate::session::{Event, Input, Session};

use link::{Happening, Link};

mod connect;
mod link;
#[cfg(test)]
mod tests;

/// How long a stopped task takes at most; waiting longer for one is of no use.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// How soon to ask the kernel whether the peer has acknowledged everything, and how rarely after a
/// while: the kernel does not say so by itself.
const LOOKS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(64);
/// How many reports or questions may wait.
pub(crate) const WAITING: usize = 64;

/// What all peers are to be told. A newer wish replaces an older one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The generation of the announcement set.
    pub(crate) generation: u64,
    /// Its routes.
    pub(crate) routes: Routes,
}

/// What a task reports, with its number.
#[derive(Debug)]
pub(crate) struct Report {
    /// The number given to [`Task::spawn`].
    pub(crate) task: u64,
    /// What happened.
    pub(crate) news: News,
}

/// What can happen.
#[derive(Debug)]
pub(crate) enum News {
    /// This generation is on the wire, or there is nobody to tell it.
    Applied(u64),
    /// The session with this peer is Established.
    Up(String),
    /// The session with this peer is not, for this reason.
    Down(String, String),
    /// The task is no more.
    Ended,
}

#[derive(Debug)]
enum Question {
    Status(Detail, oneshot::Sender<NeighborStatus>),
    Pulse(oneshot::Sender<()>),
}

/// The handle of a running task. The task stops when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Its number.
    pub(crate) number: u64,
    /// Its peer.
    pub(crate) peer: Arc<Peer>,
    questions: mpsc::Sender<Question>,
    stop: watch::Sender<Option<Notification>>,
}

impl Task {
    /// Starts a session with a peer, once the `predecessors` have ended: a router refuses a second
    /// connection from the same address.
    pub(crate) fn spawn(
        number: u64,
        peer: Arc<Peer>,
        router_id: Ipv4Addr,
        wishes: watch::Receiver<Wish>,
        reports: mpsc::Sender<Report>,
        predecessors: Vec<Self>,
    ) -> Self {
        let (sender, questions) = mpsc::channel(WAITING);
        let (stop, stopped) = watch::channel(None);
        let driver = Driver {
            number,
            peer: peer.clone(),
            session: Session::new(peer.clone(), router_id, rand::random(), now()),
            link: Link::Down,
            closing: JoinSet::new(),
            wishes,
            wished: 0,
            applied: None,
            look: None,
            questions,
            stopped,
            reports,
            outbox: VecDeque::new(),
        };
        tokio::spawn(driver.run(predecessors));
        Self {
            number,
            peer,
            questions: sender,
            stop,
        }
    }

    /// Withdraws everything, sends this NOTIFICATION, and ends, in less than [`STOP_TIMEOUT`].
    pub(crate) fn stop(&self, notification: Notification) {
        self.stop.send_replace(Some(notification));
    }

    /// Resolves when the task has ended.
    pub(crate) async fn ended(self) {
        self.stop.closed().await;
    }

    /// A picture of the present; `None` if the task has ended, or does not come to answer.
    pub(crate) fn status(
        &self,
        detail: Detail,
    ) -> impl Future<Output = Option<NeighborStatus>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.questions.try_send(Question::Status(detail, sender));
        async move { receiver.await.ok() }
    }

    /// Resolves when the task has come round once more, or has ended as it was told to. It is asked
    /// now, and not when its answer is awaited: many answers are under way at once.
    ///
    /// # Errors
    /// It has died.
    pub(crate) fn pulse(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let asked = self.questions.try_send(Question::Pulse(sender));
        let (questions, stop, peer) =
            (self.questions.clone(), self.stop.clone(), self.peer.address);
        async move {
            let asked = match asked {
                Err(TrySendError::Full(question)) => questions.send(question).await.is_ok(),
                asked => asked.is_ok(),
            };
            if asked && receiver.await.is_ok() || stop.borrow().is_some() {
                return Ok(());
            }
            Err(format!("the task of the BGP session with {peer} has died"))
        }
    }
}

/// The inside of a task.
struct Driver {
    number: u64,
    peer: Arc<Peer>,
    session: Session,
    link: Link,
    /// Connections that are being closed.
    closing: JoinSet<()>,
    wishes: watch::Receiver<Wish>,
    /// The generation of the newest wish.
    wished: u64,
    /// The generation last reported.
    applied: Option<u64>,
    /// When to ask the kernel for the peer's acknowledgement, and how long after that again.
    look: Option<(Instant, Duration)>,
    questions: mpsc::Receiver<Question>,
    stopped: watch::Receiver<Option<Notification>>,
    reports: mpsc::Sender<Report>,
    /// What is still to be reported.
    outbox: VecDeque<News>,
}

impl Driver {
    async fn run(mut self, predecessors: Vec<Task>) {
        let mut predecessors: JoinSet<()> = predecessors.into_iter().map(Task::ended).collect();
        let mut started = false;
        let reports = self.reports.clone();
        self.take_wish();
        loop {
            self.look();
            let writing = !self.session.poll_transmit(now()).is_empty();
            self.obey();
            self.report_applied();
            if self.session.is_finished() {
                break;
            }
            let deadline = self.session.poll_timeout();
            let look = self.look.map(|(at, _)| at);
            tokio::select! {
                ended = predecessors.join_next(), if !started => if ended.is_none() {
                    started = true;
                    self.tell(Input::Start);
                },
                happening = self.link.next(writing) => {
                    self.happened(happening);
                    // A router that floods us must not keep other tasks from running.
                    tokio::task::yield_now().await;
                }
                Ok(()) = self.wishes.changed() => self.take_wish(),
                Some(question) = self.questions.recv() => self.answer(question),
                stop = self.stopped.changed(), if !self.session.is_stopped() => {
                    self.stop(stop.is_ok());
                }
                Ok(permit) = reports.reserve(), if !self.outbox.is_empty() => {
                    if let Some(news) = self.outbox.pop_front() {
                        permit.send(Report { task: self.number, news });
                    }
                }
                () = sleep_until(look) => {}
                () = sleep_until(deadline) => {
                    // What has come in time counts, even if this node was too busy to read it.
                    self.read();
                    self.session.handle_timeout(now());
                }
            }
        }
        while self.closing.join_next().await.is_some() {}
        self.report(News::Ended);
        let (task, outbox) = (self.number, std::mem::take(&mut self.outbox));
        // Who waits for the end of the task need not wait until it is heard.
        drop(self);
        for news in outbox {
            // Without anybody to hear it, all tasks are being stopped.
            let _ = reports.send(Report { task, news }).await;
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        self.session.handle_input(input, now());
    }

    fn take_wish(&mut self) {
        let wish = self.wishes.borrow_and_update().clone();
        self.wished = wish.generation;
        self.tell(Input::Routes(wish.routes));
    }

    /// Answers a question; nobody may be waiting any more.
    fn answer(&mut self, question: Question) {
        match question {
            Question::Status(detail, sender) => {
                // Whoever asks after a wish is to see how far that one has come.
                self.take_wish();
                let _ = sender.send(self.session.status(detail, now()));
            }
            Question::Pulse(sender) => drop(sender.send(())),
        }
    }

    /// Ends the session, as it was told, or because its handle was dropped.
    fn stop(&mut self, is_told: bool) {
        let notification = self.stopped.borrow_and_update().clone().filter(|_| is_told);
        let dropped = || Notification::new(crate::packet::Reason::AdministrativeShutdown);
        self.tell(Input::Stop(notification.unwrap_or_else(dropped)));
    }

    /// Asks the kernel whether the peer has everything, if that is awaited and it is time.
    fn look(&mut self) {
        if !self.session.awaits_acknowledgement() {
            self.look = None;
        } else if self.link.is_acknowledged() {
            self.look = None;
            self.tell(Input::Acknowledged);
        } else {
            let (first, last) = LOOKS.into_inner();
            match self.look {
                Some((at, _)) if at > now() => {}
                Some((_, step)) => self.look = Some((now() + step, (2 * step).min(last))),
                None => self.look = Some((now() + first, 2 * first)),
            }
        }
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Connected(Ok(local)) => self.tell(Input::Connected(local)),
            Happening::Connected(Err(error)) => self.tell(Input::ConnectFailed(error)),
            Happening::Ready => {
                self.read();
                self.write();
            }
        }
    }

    /// Reads once; the next turn of the loop reads more.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.link.try_read(&mut buffer) {
            Ok(0) => self.tell(Input::Closed(None)),
            Ok(count) => {
                self.tell(Input::Received(buffer.get(..count).unwrap_or_default()));
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.tell(Input::Closed(Some(error))),
        }
        false
    }

    fn write(&mut self) {
        let octets = self.session.poll_transmit(now());
        if octets.is_empty() {
            return;
        }
        match self.link.try_write(octets) {
            Ok(count) => self.tell(Input::Written(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                // What the peer said before it closed, a NOTIFICATION perhaps, says more.
                while self.read() {}
                self.tell(Input::Closed(Some(error)));
            }
        }
    }

    /// Does what the session wants.
    fn obey(&mut self) {
        while let Some(event) = self.session.poll_event() {
            let name = self.session.name();
            match event {
                Event::Connect => self.link = Link::connecting(self.peer.clone()),
                Event::Disconnect(unsent) => {
                    if let Link::Up(stream) = std::mem::replace(&mut self.link, Link::Down) {
                        self.closing.spawn(link::close(stream, unsent));
                    }
                }
                Event::Up => {
                    self.link.limit_silence(self.session.patience());
                    self.report(News::Up(name));
                }
                Event::Down(reason) => self.report(News::Down(name, reason)),
            }
        }
        while self.closing.try_join_next().is_some() {}
    }

    fn report_applied(&mut self) {
        if self.applied != Some(self.wished) && self.session.is_settled() {
            self.applied = Some(self.wished);
            self.report(News::Applied(self.wished));
        }
    }

    /// Puts news into the outbox. Who does not listen misses what newer news replace.
    fn report(&mut self, news: News) {
        match news {
            News::Applied(_) => self.outbox.retain(|news| !matches!(news, News::Applied(_))),
            News::Up(_) | News::Down(..) | News::Ended => {}
        }
        let is_of_session = |news: &News| matches!(news, News::Up(_) | News::Down(..));
        if self.outbox.len() >= WAITING
            && let Some(oldest) = self.outbox.iter().position(is_of_session)
        {
            self.outbox.remove(oldest);
        }
        self.outbox.push_back(news);
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
