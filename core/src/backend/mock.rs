//! A backend that only remembers what it was told.
#![expect(
    clippy::disallowed_types,
    reason = "the test that made it looks on while the backend belongs to another task"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{
    Backend, BackendEvent, BackendStatus, BoxFuture, Caps, Detail, Ending, NeighborStatus,
    Ownership, Route,
};
use crate::address::Family;
use crate::announcement::{AnnouncementSet, Announcements};

/// What a [`MockBackend`] was told, shared with the test that made it.
#[derive(Clone, Debug, Default)]
pub struct MockLog(Arc<Mutex<State>>);

/// How it is with the task of a mock, which has none.
#[derive(Clone, Copy, Debug, Default)]
pub enum MockPulse {
    /// It is well.
    #[default]
    Beats,
    /// It does not come round.
    Hangs,
    /// It has died.
    Died,
}

#[derive(Debug, Default)]
struct State {
    sets: Vec<Arc<AnnouncementSet>>,
    applied: u64,
    /// What the neighbour has.
    wire: Announcements,
    able: Arc<BTreeSet<u32>>,
    shut_down: Option<String>,
    pulse: MockPulse,
    waker: Option<Waker>,
}

impl MockLog {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every set received, oldest first.
    pub fn sets(&self) -> Vec<Arc<AnnouncementSet>> {
        self.with(|state| state.sets.clone())
    }

    /// What the neighbour on the imaginary wire has now.
    pub fn wire(&self) -> Announcements {
        self.with(|state| state.wire.clone())
    }

    /// Has the backend answer in another way whether it is alive.
    pub fn set_pulse(&self, pulse: MockPulse) {
        self.with(|state| state.pulse = pulse);
    }

    /// The reason of the shutdown, after it.
    pub fn shutdown_reason(&self) -> Option<String> {
        self.with(|state| state.shut_down.clone())
    }
}

/// The neighbour of every [`MockBackend`].
pub const NEIGHBOR: &str = "neighbor";

/// A backend that puts everything on an imaginary wire as soon as it is asked for events. The one
/// neighbour there hears everything.
#[derive(Debug)]
pub struct MockBackend {
    name: &'static str,
    ownership: Ownership,
    log: MockLog,
}

impl MockBackend {
    /// A mock with this name, and the log in which it writes what it is told.
    pub fn new(name: &'static str) -> (Self, MockLog) {
        Self::with_ownership(name, Ownership::Shared)
    }

    /// The same, of whose VIPs, of one family, each has one owner.
    pub fn exclusive(name: &'static str, family: Family) -> (Self, MockLog) {
        Self::with_ownership(name, Ownership::Exclusive(family))
    }

    fn with_ownership(name: &'static str, ownership: Ownership) -> (Self, MockLog) {
        let log = MockLog::default();
        (
            Self {
                name,
                ownership,
                log: log.clone(),
            },
            log,
        )
    }
}

impl Backend for MockBackend {
    fn caps(&self) -> Caps {
        Caps {
            name: self.name,
            ownership: self.ownership,
            uses_interfaces: self.ownership.is_exclusive(),
        }
    }

    fn set(&mut self, desired: Arc<AnnouncementSet>) {
        self.log.with(|state| {
            state.sets.push(desired);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        });
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<BackendEvent> {
        self.log.with(|state| {
            let Some(set) = state.sets.last() else {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let able: BTreeSet<u32> = set.interfaces.iter().map(|one| one.index).collect();
            if able != *state.able {
                state.able = Arc::new(able);
                return Poll::Ready(BackendEvent::Able(state.able.clone()));
            }
            let (generation, vips) = (set.generation, set.by_vip.clone());
            if !state.wire.ptr_eq(&vips) {
                state.wire = vips.clone();
                let neighbor = NEIGHBOR.into();
                return Poll::Ready(BackendEvent::Reaches { neighbor, vips });
            }
            if generation > state.applied {
                state.applied = generation;
                return Poll::Ready(BackendEvent::Applied { generation });
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn status(&self, detail: Detail) -> BoxFuture<BackendStatus> {
        let wire = self.log.wire();
        let route = |vip: &IpAddr| Route {
            prefix: (*vip).into(),
            attributes: "".into(),
        };
        let neighbor = NeighborStatus {
            name: NEIGHBOR.to_owned(),
            state: "Up".to_owned(),
            since: Duration::ZERO,
            facts: Vec::new(),
            last_error: None,
            in_sync: true,
            prefixes: wire.len(),
            announced: match detail {
                Detail::Counters => Vec::new(),
                Detail::Routes => wire.keys().map(route).collect(),
            },
        };
        let status = BackendStatus {
            backend: self.name,
            neighbors: vec![neighbor],
        };
        Box::pin(std::future::ready(status))
    }

    fn pulse(&self) -> BoxFuture<Result<(), String>> {
        let pulse = self.log.with(|state| state.pulse);
        Box::pin(async move {
            match pulse {
                MockPulse::Beats => Ok(()),
                MockPulse::Hangs => std::future::pending().await,
                MockPulse::Died => Err("the task has died".to_owned()),
            }
        })
    }

    fn shutdown(self: Box<Self>, ending: Ending) -> BoxFuture<()> {
        self.log.with(|state| {
            state.wire = Announcements::new();
            state.shut_down = Some(ending.reason);
        });
        Box::pin(std::future::ready(()))
    }
}
