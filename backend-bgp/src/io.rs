//! The task of one peer: its socket, its clock, and nothing that needs thought.
//!
//! A socket that is of the whole node, not of one peer, would belong to the backend, which hands tasks
//! what concerns them as it hands them what is wished.
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
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::packet::Notification;
use crate::session::{Event, Input, Session};

use link::{Happening, Link};
use task::Question;
pub(crate) use task::{News, Report, Task, Wish};

mod connect;
mod link;
mod options;
mod task;
#[cfg(test)]
mod tests;

/// How long a stopped task takes at most; waiting longer for one is of no use.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// How soon to ask the kernel whether the peer has acknowledged everything, and how rarely after a
/// while: the kernel does not say so by itself.
const LOOKS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(64);
/// How many reports or questions may wait.
pub(crate) const WAITING: usize = 64;

/// The inside of a task.
struct Driver {
    number: u64,
    session: Session,
    link: Link,
    /// Connections that are being closed.
    closing: JoinSet<()>,
    wishes: watch::Receiver<Wish>,
    /// The newest wish that the session knows.
    wish: Wish,
    /// What was last reported to be on the wire: the generation, and for which
    /// [establishment](Session::establishment).
    applied: Option<(u64, Option<u64>)>,
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
        if self.wish.peer != wish.peer {
            self.tell(Input::Peer(wish.peer.clone()));
        }
        self.tell(Input::Routes(wish.routes.clone()));
        self.wish = wish;
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
                Event::Connect => self.link = Link::connecting(self.wish.peer.clone()),
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
        let (generation, establishment) = (self.wish.generation, self.session.establishment());
        if self.applied != Some((generation, establishment)) && self.session.is_settled() {
            self.applied = Some((generation, establishment));
            let reached = self.session.reached(&self.wish.vips);
            self.report(News::Applied {
                generation,
                reached,
            });
        }
    }

    /// Puts news into the outbox. Who does not listen misses what newer news replace.
    fn report(&mut self, news: News) {
        match news {
            News::Applied { .. } => {
                let is_older = |news: &News| matches!(news, News::Applied { .. });
                self.outbox.retain(|news| !is_older(news));
            }
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
