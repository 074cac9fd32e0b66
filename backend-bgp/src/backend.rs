//! The backend: from announcement sets to one task for each peer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use carillon_core::announcement::{AnnouncementSet, Announcements};
use carillon_core::backend::{
    Backend, BackendEvent, BackendStatus, BoxFuture, Caps, Detail, Ending, NeighborStatus,
    Ownership,
};
use carillon_core::config::Peer;
use carillon_core::config::peer::Difference;
use tokio::sync::mpsc;

use crate::export::Export;
use crate::io::{News, Report, STOP_TIMEOUT, Task, WAITING, Wish};
use crate::packet::{Notification, Reason};
use crate::session::{name_of, router_id_of};
use crate::sessions::{Wanted, passed_over, reason_to_stop, wanted};

#[cfg(test)]
mod tests;

/// The name in configuration and logs.
const NAME: &str = "bgp";

/// Announces VIPs over BGP. It must live in a tokio runtime; nothing runs before the first
/// [`Backend::set`].
#[derive(Debug)]
pub struct BgpBackend {
    export: Export,
    /// The sessions wanted, in the order of the configuration.
    tasks: Vec<Task>,
    /// The peers that this node has no session with, and why.
    passed_over: Vec<NeighborStatus>,
    /// Sessions that are saying their last words.
    ending: Vec<Task>,
    /// The generation of the newest set.
    wished: Option<u64>,
    /// The generation that each task has put on the wire.
    applied: BTreeMap<u64, Option<u64>>,
    /// The VIPs that reach the peer of each task that has ever been up, with its name. Two peers may
    /// have the same one.
    reached: BTreeMap<u64, (Arc<str>, Announcements)>,
    /// The generation that was last reported.
    reported: Option<u64>,
    next_number: u64,
    events: VecDeque<BackendEvent>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    waker: Option<Waker>,
}

impl Default for BgpBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl BgpBackend {
    /// A backend without sessions.
    pub fn new() -> Self {
        let (reporter, reports) = mpsc::channel(WAITING);
        Self {
            export: Export::default(),
            tasks: Vec::new(),
            passed_over: Vec::new(),
            ending: Vec::new(),
            wished: None,
            applied: BTreeMap::new(),
            reached: BTreeMap::new(),
            reported: None,
            next_number: 0,
            events: VecDeque::new(),
            reports,
            reporter,
            waker: None,
        }
    }

    /// Starts and stops sessions so that those run which are wanted, and tells each its routes. One
    /// that runs is left alone as far as [`Peer::difference`] allows.
    fn reconcile(&mut self, set: &AnnouncementSet, wanted: Vec<Wanted>) {
        let mut before = std::mem::take(&mut self.tasks);
        let kept = take_kept(&wanted, &mut before);
        let sessions: Vec<_> = wanted.into_iter().zip(kept).collect();
        for task in before {
            let gone = task.peer();
            let end = |peer: &Peer| (peer.address, peer.port);
            let replaced = sessions
                .iter()
                .any(|(session, task)| task.is_none() && end(&session.peer) == end(&gone));
            task.stop(reason_to_stop(&gone, replaced, set));
            self.ending.push(task);
        }
        for (Wanted { peer, names }, task) in sessions {
            let wish = Wish {
                generation: set.generation,
                peer,
                routes: self.export.routes_for(&names),
                vips: self.export.vips_for(&names),
            };
            let task = match task {
                Some(task) => {
                    task.set(wish);
                    task
                }
                None => self.spawn(wish, set),
            };
            self.tasks.push(task);
        }
    }

    fn spawn(&mut self, wish: Wish, set: &AnnouncementSet) -> Task {
        let number = self.next_number;
        self.next_number += 1;
        self.applied.insert(number, None);
        let same_address = |task: &&Task| task.peer().address == wish.peer.address;
        let predecessors = self.ending.iter().filter(same_address).cloned().collect();
        Task::spawn(
            number,
            wish,
            router_id_of(&set.node.name),
            self.reporter.clone(),
            predecessors,
        )
    }

    fn take_report(&mut self, Report { task, news }: Report) {
        match news {
            News::Applied {
                generation,
                reached,
            } => {
                self.take_reached(task, reached);
                // That of a task that is ending does not count: it has yet to withdraw.
                if self.tasks.iter().any(|running| running.number == task) {
                    self.applied.insert(task, Some(generation));
                }
            }
            News::Up(neighbor) => self.events.push_back(BackendEvent::NeighborUp { neighbor }),
            News::Down(neighbor, reason) => self
                .events
                .push_back(BackendEvent::NeighborDown { neighbor, reason }),
            News::Ended => {
                self.applied.remove(&task);
                self.reached.remove(&task);
                self.ending.retain(|ending| ending.number != task);
            }
        }
    }

    /// Takes in which VIPs reach the peer of a task, and says so if that is news.
    fn take_reached(&mut self, task: u64, vips: Announcements) {
        let mut tasks = self.tasks.iter().chain(&self.ending);
        let Some(peer) = tasks.find(|one| one.number == task).map(Task::peer) else {
            return;
        };
        let (name, known) = self
            .reached
            .entry(task)
            .or_insert_with(|| (name_of(&peer).into(), Announcements::new()));
        if known.ptr_eq(&vips) || known.is_empty() && vips.is_empty() {
            return;
        }
        *known = vips;
        let neighbor = name.clone();
        let of_name = self.reached.values().filter(|(name, _)| *name == neighbor);
        let vips = of_name.map(|(_, vips)| vips.clone()).reduce(either);
        self.events.push_back(BackendEvent::Reaches {
            neighbor,
            vips: vips.unwrap_or_default(),
        });
    }

    /// The generation that is on the wire with every peer, if that was not reported yet.
    fn newly_applied(&mut self) -> Option<u64> {
        let applied = self.applied.values().min().unwrap_or(&self.wished);
        if *applied > self.reported {
            self.reported = *applied;
            return self.reported;
        }
        None
    }
}

impl Backend for BgpBackend {
    fn caps(&self) -> Caps {
        Caps {
            name: NAME,
            ownership: Ownership::Shared,
            uses_interfaces: false,
        }
    }

    fn set(&mut self, desired: Arc<AnnouncementSet>) {
        let wanted = wanted(&desired);
        let sessions = wanted.iter().map(|session| session.names.clone());
        self.export.apply(&desired, sessions.collect());
        self.wished = Some(desired.generation);
        self.passed_over = passed_over(&desired, &wanted);
        self.reconcile(&desired, wanted);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<BackendEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            // It does not end: this side has a sender, too.
            let Poll::Ready(Some(report)) = self.reports.poll_recv(cx) else {
                break;
            };
            self.take_report(report);
        }
        if let Some(generation) = self.newly_applied() {
            return Poll::Ready(BackendEvent::Applied { generation });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn status(&self, detail: Detail) -> BoxFuture<BackendStatus> {
        let tasks = self.tasks.iter();
        let asked: Vec<_> = tasks.map(|task| task.status(detail)).collect();
        let passed_over = self.passed_over.clone();
        Box::pin(async move {
            let mut neighbors = Vec::new();
            for status in asked {
                neighbors.extend(status.await);
            }
            neighbors.extend(passed_over);
            BackendStatus {
                backend: NAME,
                neighbors,
            }
        })
    }

    fn pulse(&self) -> BoxFuture<Result<(), String>> {
        let asked: Vec<_> = self.tasks.iter().map(Task::pulse).collect();
        Box::pin(async move {
            for answer in asked {
                answer.await?;
            }
            Ok(())
        })
    }

    fn shutdown(self: Box<Self>, ending: Ending) -> BoxFuture<()> {
        let shutdown =
            Notification::with_communication(Reason::AdministrativeShutdown, &ending.reason);
        for task in &self.tasks {
            task.stop(shutdown.clone());
        }
        let tasks = self.tasks.into_iter().chain(self.ending);
        let ended: Vec<_> = tasks.map(Task::ended).collect();
        Box::pin(async move {
            let all = async {
                for task in ended {
                    task.await;
                }
            };
            // A task that does not end in time has nothing left to do.
            let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
        })
    }
}

/// The VIPs of both.
fn either(one: Announcements, other: Announcements) -> Announcements {
    if one.ptr_eq(&other) {
        one
    } else {
        one.union(other)
    }
}

/// Takes out of the running tasks that of each session wanted: one that has it, or else one that can
/// become it.
fn take_kept(wanted: &[Wanted], running: &mut Vec<Task>) -> Vec<Option<Task>> {
    let mut kept: Vec<Option<Task>> = wanted.iter().map(|_| None).collect();
    for difference in [Difference::None, Difference::Live] {
        let slots = wanted.iter().zip(&mut kept);
        for (session, slot) in slots.filter(|(_, slot)| slot.is_none()) {
            let fits = |task: &Task| task.peer().difference(&session.peer) == difference;
            let found = running.iter().position(fits);
            *slot = found.map(|at| running.swap_remove(at));
        }
    }
    kept
}
