//! The outside of a task: what it is told, and what it reports.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use carillon_core::announcement::Announcements;
use carillon_core::backend::{Detail, NeighborStatus};
use carillon_core::config::Peer;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::link::Link;
use super::{Driver, WAITING, now};
use crate::export::Routes;
use crate::packet::Notification;
use crate::reach::Vips;
use crate::session::Session;

/// What a session is to be like. A newer wish replaces an older one.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The generation of the announcement set.
    pub(crate) generation: u64,
    /// The settings of the peer. Those of a running task differ by nothing that needs another one.
    pub(crate) peer: Arc<Peer>,
    /// What the peer is to be told.
    pub(crate) routes: Routes,
    /// The VIPs for which the routes are.
    pub(crate) vips: Vips,
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
    Applied {
        /// That of the [`Wish`].
        generation: u64,
        /// The VIPs that reach the peer.
        reached: Announcements,
    },
    /// The session with this peer is Established.
    Up(String),
    /// The session with this peer is not, for this reason.
    Down(String, String),
    /// The task is no more.
    Ended,
}

/// What a task is asked.
#[derive(Debug)]
pub(super) enum Question {
    Status(Detail, oneshot::Sender<NeighborStatus>),
    Pulse(oneshot::Sender<()>),
}

/// The handle of a running task. The task stops when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Its number.
    pub(crate) number: u64,
    pub(super) wish: watch::Sender<Wish>,
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) stop: watch::Sender<Option<Notification>>,
}

impl Task {
    /// Starts a session with a peer, once the `predecessors` have ended: a router refuses a second
    /// connection from the same address.
    pub(crate) fn spawn(
        number: u64,
        wish: Wish,
        router_id: Ipv4Addr,
        reports: mpsc::Sender<Report>,
        predecessors: Vec<Self>,
    ) -> Self {
        let (sender, questions) = mpsc::channel(WAITING);
        let (stop, stopped) = watch::channel(None);
        let (newer, wishes) = watch::channel(wish.clone());
        let driver = Driver {
            number,
            session: Session::new(wish.peer.clone(), router_id, rand::random(), now()),
            link: Link::Down,
            closing: JoinSet::new(),
            wishes,
            wish,
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
            wish: newer,
            questions: sender,
            stop,
        }
    }

    /// The settings of its peer.
    pub(crate) fn peer(&self) -> Arc<Peer> {
        self.wish.borrow().peer.clone()
    }

    /// Has the session become like this.
    pub(crate) fn set(&self, wish: Wish) {
        self.wish.send_replace(wish);
    }

    /// Withdraws everything, sends this NOTIFICATION, and ends, in less than [`STOP_TIMEOUT`](super::STOP_TIMEOUT).
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
        let (questions, stop) = (self.questions.clone(), self.stop.clone());
        let peer = self.wish.borrow().peer.address;
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
