//! The controller role: the task that takes part in the Lease, and those that write.
//!
//! ```text
//!  Lease ──holds until──▶ fence ──▶ Writer ◀──Write, Notice── StatusAllocation
//!    └──taken──▶ all Services are listed anew ──▶ Lead(true) ──────▲
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "it has tasks, the clock, and draws lots"
)]

use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::client::Cluster;
use super::failure::Failure;
use super::jitter::Jitter;
use super::lease::io::{NAME, Place, Seen, wall};
use super::lease::{self, Lease, LeaseAnswer};
use super::publish::{AT_ONCE, Outbox};
use super::watch::Relist;
use super::writer::{self, EVENTS, Writer};
use super::{ApiChange, Batch, saying};

/// How long it may take to leave: what is being written ends, and the Lease is given back.
const LEAVE: Duration = writer::PATIENCE.saturating_add(lease::PATIENCE);

/// What the role works with.
pub(crate) struct Parts {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The namespace of the Lease.
    pub(crate) namespace: String,
    /// The name of this daemon, for people.
    pub(crate) name: String,
    /// It takes its turn, and does not only tell whose it is.
    pub(crate) may_lead: bool,
    /// How long it may take until all Services have been told after the Lease was taken. Who takes
    /// longer leaves it to others.
    pub(crate) begin: Duration,
    /// The way to the driver.
    pub(crate) batches: mpsc::Sender<Batch>,
    /// Asks for all Services as they are.
    pub(crate) relist: mpsc::Sender<Relist>,
}

/// A daemon that takes part.
pub(crate) struct Role {
    /// For what to write.
    pub(crate) outbox: Outbox,
    /// Gives back the Lease, if it is ours.
    pub(crate) leave: Leave,
}

/// The way out.
pub(crate) struct Leave {
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Leave {
    /// Ends the part of this daemon: nothing more is written, and another may take the Lease at
    /// once. If the API server does not answer in time, the others have to wait.
    pub(crate) async fn leave(self) {
        // A task that has ended has nothing to give back.
        let _ = self.leave.send(());
        let _ = timeout(LEAVE, self.task).await;
    }
}

/// Takes part in the role from now on, for which it needs a tokio runtime.
pub(crate) fn take_part(parts: Parts) -> Role {
    let (writes, to_write) = mpsc::channel(AT_ONCE);
    let (reports, to_report) = mpsc::channel(AT_ONCE);
    let (notices, to_tell) = mpsc::channel(EVENTS);
    let (fence, holds_until) = watch::channel(None);
    let (under_way, _) = watch::channel(0);
    let (mut able, is_able) = watch::channel(false);
    let (free, is_free) = watch::channel(true);
    if !parts.may_lead {
        // Nobody asks this one.
        able = watch::channel(false).0;
    }
    let writer = Writer {
        cluster: parts.cluster.clone(),
        me: parts.name.clone(),
        fence: holds_until,
        batches: parts.batches.clone(),
        under_way: under_way.clone(),
    };
    tokio::spawn(writer.run(to_write, to_report, to_tell));
    let place = Place {
        cluster: parts.cluster,
        namespace: parts.namespace,
    };
    let (told, seen) = mpsc::channel(16);
    tokio::spawn(place.clone().watch(told));
    let me = format!("{}_{:016x}", parts.name, rand::rng().random::<u64>());
    let jitter = Jitter::new(rand::rng().random());
    let task = Task {
        lease: Lease::new(me, jitter, Instant::now()),
        place,
        turn: Turn::Others,
        fence,
        under_way,
        is_free,
        begin: parts.begin,
        batches: parts.batches,
        relist: parts.relist,
        holder: None,
        asking: None,
        watching: None,
        trouble: None,
    };
    let (leave, left) = oneshot::channel();
    let task = tokio::spawn(task.run(seen, is_able, left));
    Role {
        outbox: Outbox {
            writes,
            reports,
            notices,
            able,
            free,
        },
        leave: Leave { leave, task },
    }
}

/// Whose turn it is, as the driver knows it.
enum Turn {
    Others,
    /// Ours, as soon as all Services have been told as they are now, which must be by then.
    Begins(oneshot::Receiver<()>, Instant),
    Ours,
}

struct Task {
    lease: Lease,
    place: Place,
    turn: Turn,
    fence: watch::Sender<Option<Instant>>,
    under_way: watch::Sender<usize>,
    /// Nobody but this cluster's daemons gives addresses.
    is_free: watch::Receiver<bool>,
    begin: Duration,
    batches: mpsc::Sender<Batch>,
    relist: mpsc::Sender<Relist>,
    /// Why requests for the Lease, and its watch, come to nothing.
    asking: Option<String>,
    watching: Option<String>,
    /// What the driver knows.
    holder: Option<String>,
    trouble: Option<String>,
}

impl Task {
    /// Takes no turn before it is able to; what it can do once, it can for as long as it lives.
    async fn run(
        mut self,
        mut seen: mpsc::Receiver<Seen>,
        mut able: watch::Receiver<bool>,
        left: oneshot::Receiver<()>,
    ) {
        let (answers, mut answered) = mpsc::channel(1);
        let mut left = Some(left);
        while !self.lease.is_released() {
            let is_able = *able.borrow_and_update();
            if is_able && let Some(request) = self.lease.poll(Instant::now(), wall()) {
                let (place, answers) = (self.place.clone(), answers.clone());
                tokio::spawn(async move {
                    let answer = place.ask(request).await;
                    // Nobody waits for it any more.
                    let _ = answers.send(answer).await;
                });
            }
            self.tell().await;
            tokio::select! {
                Some(seen) = seen.recv() => self.seen(seen),
                Some((answer, failure)) = answered.recv() => self.answered(answer, failure),
                () = sleep_until(self.turn.deadline()) => self.pass_on(),
                () = self.turn.begins() => self.begin().await,
                () = sleep_until(self.lease.due()), if is_able => {}
                Ok(()) = able.changed() => {}
                Ok(()) = self.is_free.changed() => {}
                () = asked_to_leave(&mut left) => self.leave().await,
            }
        }
    }

    fn seen(&mut self, seen: Seen) {
        match seen {
            Ok(stored) => {
                self.watching = None;
                self.lease.seen(stored, Instant::now());
            }
            Err(failure @ Failure::Refused(_)) => {
                let namespace = &self.place.namespace;
                self.watching = Some(format!(
                    "cannot watch the Lease {namespace}/{NAME}, so that a turn that ends is \
                     noticed late: {}",
                    failure.describe()
                ));
            }
            // So do other watches, which tell it.
            Err(failure) => debug!(?failure, "the Lease cannot be watched"),
        }
    }

    fn answered(&mut self, answer: LeaseAnswer, failure: Option<Failure>) {
        self.lease.answered(answer, Instant::now());
        self.asking = failure.map(|failure| {
            let namespace = &self.place.namespace;
            format!(
                "cannot use the Lease {namespace}/{NAME}, by which daemons take turns in giving \
                 addresses to services: {}",
                failure.describe()
            )
        });
    }

    async fn tell_trouble(&mut self) {
        let trouble = self.asking.as_ref().or(self.watching.as_ref());
        if self.trouble.as_ref() == trouble {
            return;
        }
        let trouble = trouble.cloned();
        if let Some(trouble) = &trouble {
            warn!("{trouble}");
        } else {
            info!("the Lease can be used again");
        }
        self.trouble.clone_from(&trouble);
        self.send(ApiChange::LeaseTrouble(trouble)).await;
    }

    /// Tells writers and driver what is new.
    async fn tell(&mut self) {
        let is_free = *self.is_free.borrow_and_update();
        let until = self.lease.holds_until().filter(|_| is_free);
        self.fence.send_if_modified(|before| {
            let is_news = *before != until;
            *before = until;
            is_news
        });
        match (&self.turn, until) {
            (Turn::Others, Some(_)) => {
                let (answer, begins) = oneshot::channel();
                // Without a source the daemon is about to end.
                let _ = self.relist.send(answer).await;
                self.turn = Turn::Begins(begins, Instant::now() + self.begin);
            }
            (Turn::Begins(..), None) => self.turn = Turn::Others,
            (Turn::Ours, None) => {
                self.turn = Turn::Others;
                self.send(ApiChange::Lead(false)).await;
            }
            (Turn::Others, None) | (Turn::Begins(..) | Turn::Ours, Some(_)) => {}
        }
        let holder = self.lease.holder();
        if holder != self.holder.as_deref() {
            self.holder = holder.map(str::to_owned);
            let holder = self.holder.clone();
            self.send(ApiChange::Holder(holder)).await;
        }
        self.tell_trouble().await;
    }

    async fn begin(&mut self) {
        self.turn = Turn::Ours;
        self.send(ApiChange::Lead(true)).await;
    }

    /// One that cannot read all Services gives no address: others may be able to.
    fn pass_on(&mut self) {
        warn!(
            "cannot read all services anew within {} s: gives back the Lease, so that another daemon \
             can give addresses",
            self.begin.as_secs()
        );
        self.turn = Turn::Others;
        self.lease.pass_on(Instant::now());
    }

    /// Stops writing, waits for what is being written, and gives the Lease back.
    async fn leave(&mut self) {
        self.fence.send_replace(None);
        let mut under_way = self.under_way.subscribe();
        // Without a writer nothing is being written.
        let _ = under_way.wait_for(|under_way| *under_way == 0).await;
        self.lease.release(Instant::now());
    }

    async fn send(&self, change: ApiChange) {
        let batch = saying(change);
        // Without its reader the daemon is about to end.
        let _ = self.batches.send(batch).await;
    }
}

impl Turn {
    /// By when it must have begun.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Begins(_, deadline) => Some(*deadline),
            Self::Others | Self::Ours => None,
        }
    }

    /// Waits until all Services have been told.
    async fn begins(&mut self) {
        if let Self::Begins(answer, _) = self
            && answer.await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Waits until then; for ever, if there is no such moment.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn asked_to_leave(left: &mut Option<oneshot::Receiver<()>>) {
    match left {
        Some(receiver) => {
            // A daemon that forgets to ask has ended.
            let _ = receiver.await;
            *left = None;
        }
        None => std::future::pending().await,
    }
}
