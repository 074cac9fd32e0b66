//! The backend of one protocol: the handle of the task that does the work.

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::{
    Backend, BackendEvent, BackendStatus, BoxFuture, Caps, Detail, Ending, Ownership,
};
use tokio::sync::{mpsc, watch};

use crate::io::{Task, Wish};
use crate::protocol::Protocol;

/// How often a VIP is announced again: more often than switches forget stations (300 s) and often
/// enough for hosts that do not ask again.
pub const DEFAULT_REFRESH: Duration = Duration::from_secs(60);

/// How many events wait at most for somebody who takes them.
const EVENTS: usize = 1024;

/// Announces VIPs on the segments that this node is connected to. It must live in a tokio runtime;
/// nothing runs before the first [`Backend::set`]. There is no withdrawal in layer 2: what is not
/// wished any more is not answered any more.
#[derive(Debug)]
pub struct Layer2Backend<P> {
    refresh: Duration,
    wishes: watch::Sender<Wish>,
    task: Option<Task>,
    events: mpsc::Receiver<BackendEvent>,
    reporter: mpsc::Sender<BackendEvent>,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Default for Layer2Backend<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Protocol> Layer2Backend<P> {
    /// A backend that announces each VIP again every [`DEFAULT_REFRESH`].
    pub fn new() -> Self {
        Self::with_refresh(DEFAULT_REFRESH)
    }

    /// A backend that announces each VIP again at this interval, or not at all if it is zero.
    pub fn with_refresh(refresh: Duration) -> Self {
        let (reporter, events) = mpsc::channel(EVENTS);
        Self {
            refresh,
            wishes: watch::Sender::default(),
            task: None,
            events,
            reporter,
            protocol: PhantomData,
        }
    }
}

impl<P: Protocol> Backend for Layer2Backend<P> {
    fn caps(&self) -> Caps {
        Caps {
            name: P::NAME,
            ownership: Ownership::Exclusive(P::FAMILY),
            uses_interfaces: true,
        }
    }

    fn set(&mut self, desired: Arc<AnnouncementSet>) {
        self.wishes.send_replace(Some(desired));
        if self.task.is_none() {
            let wishes = self.wishes.subscribe();
            let task = Task::spawn::<P>(self.refresh, wishes, self.reporter.clone());
            self.task = Some(task);
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<BackendEvent> {
        match self.events.poll_recv(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            // It does not end: this side has a sender, too.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn status(&self, detail: Detail) -> BoxFuture<BackendStatus> {
        let asked = self.task.as_ref().map(|task| task.status(detail));
        Box::pin(async move {
            let neighbors = match asked {
                Some(status) => status.await.unwrap_or_default(),
                None => Vec::new(),
            };
            BackendStatus {
                backend: P::NAME,
                neighbors,
            }
        })
    }

    fn pulse(&self) -> BoxFuture<Result<(), String>> {
        let asked = self.task.as_ref().map(Task::pulse);
        Box::pin(async move {
            let is_alive = match asked {
                Some(answer) => answer.await,
                None => true,
            };
            let died = || format!("the task of the backend {} has died", P::NAME);
            is_alive.then_some(()).ok_or_else(died)
        })
    }

    fn shutdown(self: Box<Self>, _: Ending) -> BoxFuture<()> {
        Box::pin(async move {
            if let Some(task) = self.task {
                task.stop().await;
            }
        })
    }
}
