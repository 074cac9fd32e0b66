//! What this daemon tells of itself, in objects of its own: ServiceL2Status, ServiceBGPStatus and
//! ConfigurationState; and of the pools, in their status.
//!
//! ```text
//!  driver ──Announced, Verdict──▶ ReportBook ──ReportWrite──▶ Writer ──▶ API server
//!                                     ▲                                     │
//!                                     └────────── what is stored ◀──────────┘
//! ```
//!
//! What is to be said is compared with what is stored, so that a restart writes nothing, and what
//! somebody else changed is put right. Nothing is written before the objects of a kind have been
//! listed, nor as long as the API server does not know that kind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::allocator::PoolUsage;
use carillon_core::config::PoolName;
use carillon_core::service::ServiceKey;
use carillon_objects::report::Report;
use carillon_objects::source::{Announced, LeftToMetallb, Verdict};
use carillon_objects::{Kind, ObjectKey};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::jitter::Jitter;
use super::publish::{Answer, Outcome};
use super::publisher::{Next, Publisher};

mod content;
mod key;
mod pools;
mod shelf;
#[cfg(test)]
mod tests;
mod view;
mod write;

pub(crate) use key::{ReportKey, STATE_OF_CONTROLLER, node_label, state_of_node};
use pools::Pools;
use shelf::Shelf;
use view::View;
pub use write::Pod;
pub(crate) use write::{Change, ReportWrite, Writer};

/// For how long after the start an object stays of which nothing has been heard since: neighbours have
/// to be found first.
const START: Duration = Duration::from_secs(60);
/// How soon a ServiceL2Status is made again that somebody has removed: where a VIP moves, its new owner
/// does that before the former one stops.
const REMOVED: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(crate) struct ReportBook {
    writer: Arc<Writer>,
    announced: HashMap<ServiceKey, Announced>,
    /// `None` before the first.
    verdict: Option<Verdict>,
    leads: bool,
    pools: Pools,
    left: LeftToMetallb,
    shelf: Shelf,
    publisher: Publisher<ReportKey, Change>,
    writes: mpsc::Sender<ReportWrite>,
    /// Until when objects stay of which nothing has been heard; `None` before the beginning.
    young_until: Option<Instant>,
    is_young: bool,
    /// Those of which something has been heard until then: that it is over.
    over: HashSet<ReportKey>,
    /// Those that somebody has removed, and when they are made again.
    removed: HashMap<ReportKey, Instant>,
}

impl ReportBook {
    /// A book with nothing in it.
    pub(crate) fn new(
        writer: Arc<Writer>,
        writes: mpsc::Sender<ReportWrite>,
        jitter: Jitter,
    ) -> Self {
        Self {
            shelf: Shelf::new(writer.clone()),
            writer,
            announced: HashMap::new(),
            verdict: None,
            leads: false,
            pools: Pools::default(),
            left: LeftToMetallb::default(),
            publisher: Publisher::new(jitter),
            writes,
            young_until: None,
            is_young: true,
            over: HashSet::new(),
            removed: HashMap::new(),
        }
    }

    /// The name of this node.
    pub(crate) fn node(&self) -> &str {
        &self.writer.node
    }

    /// Takes in how a Service is announced now. Returns the protocols by which it was not before, if
    /// there is no object that could tell.
    pub(crate) fn announced(
        &mut self,
        service: &ServiceKey,
        announced: Announced,
    ) -> Vec<&'static str> {
        let is_none = announced.interfaces.is_empty() && announced.peers.is_empty();
        let before = if is_none {
            self.announced.remove(service)
        } else {
            self.announced.insert(service.clone(), announced.clone())
        };
        let before = before.unwrap_or_default();
        let mut begun = Vec::new();
        for (key, was, is) in [
            (
                ReportKey::Layer2(service.clone()),
                before.interfaces,
                announced.interfaces,
            ),
            (
                ReportKey::Bgp(service.clone()),
                before.peers,
                announced.peers,
            ),
        ] {
            if was == is {
                continue;
            }
            if was.is_empty() && self.shelf.is_unknown(key.kind()) {
                begun.extend(key.protocol());
            }
            self.end(key, is.is_empty());
        }
        begun
    }

    /// Takes in that a Service is gone.
    pub(crate) fn remove(&mut self, service: &ServiceKey) {
        self.announced.remove(service);
        self.end(ReportKey::Layer2(service.clone()), true);
        self.end(ReportKey::Bgp(service.clone()), true);
    }

    /// An object is to say something else, or is over.
    fn end(&mut self, key: ReportKey, is_over: bool) {
        self.publisher.touch(&key);
        if is_over && self.is_young {
            self.over.insert(key);
        }
    }

    /// Takes in what is made of the configuration now.
    pub(crate) fn judged(&mut self, verdict: Verdict) {
        let verdict = Some(verdict);
        if self.verdict != verdict {
            self.verdict = verdict;
            self.touch_states();
        }
    }

    /// Takes in whether this daemon gives addresses.
    pub(crate) fn lead(&mut self, leads: bool) {
        self.leads = leads;
        // What others tell meanwhile is newer.
        self.pools = Pools::default();
        self.touch_states();
    }

    /// Takes in how full a pool is now; `None` if it is gone.
    pub(crate) fn pool(&mut self, pool: PoolName, usage: Option<&PoolUsage>, now: Instant) {
        self.pools.changed(pool, usage, now);
    }

    /// Takes in what is left to MetalLB.
    pub(crate) fn leave(&mut self, left: LeftToMetallb) {
        if std::mem::replace(&mut self.left, left) != left {
            self.touch_all();
        }
    }

    fn touch_states(&mut self) {
        for key in [ReportKey::Node, ReportKey::Controller] {
            self.publisher.touch(&key);
        }
        for pool in self.pools.names() {
            self.publisher.touch(&ReportKey::Pool(pool.clone()));
        }
    }

    /// Takes in an object as it is stored now.
    pub(crate) fn stored(&mut self, name: ObjectKey, version: Box<str>, report: &Report) {
        if let Some(key) = self.shelf.put(name, version, report) {
            self.removed.remove(&key);
            self.publisher.touch(&key);
        }
    }

    /// Takes in that an object is gone.
    pub(crate) fn gone(&mut self, name: &ObjectKey, now: Instant) {
        if let Some(key) = self.shelf.take(name) {
            self.publisher.touch(&key);
            if let ReportKey::Layer2(_) = key {
                self.removed.insert(key, now + REMOVED);
            }
        }
    }

    /// Takes in that all objects of a kind have been told, or that there is no such kind.
    pub(crate) fn listed(&mut self, kind: Kind, exists: bool) {
        if self.shelf.list(kind, exists) {
            self.touch_all();
        }
    }

    /// Everything may have to be written or removed.
    fn touch_all(&mut self) {
        self.touch_states();
        for service in self.announced.keys() {
            self.publisher.touch(&ReportKey::Layer2(service.clone()));
            self.publisher.touch(&ReportKey::Bgp(service.clone()));
        }
        for key in self.shelf.keys() {
            self.publisher.touch(key);
        }
    }

    /// Takes in what became of a write. Returns the Service and the protocol by which it is announced
    /// from here since then, if it tells of such.
    pub(crate) fn answered(
        &mut self,
        answer: Answer<ReportKey>,
        now: Instant,
    ) -> Option<(ServiceKey, &'static str)> {
        let object = answer.object.clone();
        match &answer.outcome {
            Outcome::Written => {}
            Outcome::Refused(error) => warn!(%object, error, "not written"),
            outcome @ (Outcome::Conflict
            | Outcome::Gone
            | Outcome::Failed(_)
            | Outcome::Withheld) => debug!(%object, ?outcome, "not written"),
        }
        let is_new = answer.outcome == Outcome::Written && answer.version.is_empty();
        self.publisher.answered(answer, now);
        let service = object.service().filter(|_| is_new)?.clone();
        Some((service, object.protocol()?))
    }

    /// Has everything written that differs.
    pub(crate) fn publish(&mut self, now: Instant) {
        self.grow(now);
        loop {
            let view = View {
                announced: &self.announced,
                verdict: self.verdict.as_ref(),
                leads: self.leads,
                pools: &self.pools,
                left: self.left,
                shelf: &self.shelf,
                removed: &self.removed,
                over: self.is_young.then_some(&self.over),
            };
            match self.publisher.next(now, |key| view.difference(key)) {
                Some(Next::Write(key, version, change)) => {
                    let writer = self.writer.clone();
                    // No more are under way than there is room for.
                    let _ = self.writes.try_send(ReportWrite {
                        key,
                        version,
                        change,
                        writer,
                    });
                }
                Some(Next::UpToDate(_)) => {}
                Some(Next::Contested(key)) => warn!(
                    object = %key,
                    "another program keeps changing it: it is corrected less and less often"
                ),
                None => return,
            }
        }
    }

    /// Does what time has brought.
    fn grow(&mut self, now: Instant) {
        let young_until = *self.young_until.get_or_insert(now + START);
        if self.is_young && young_until <= now {
            self.is_young = false;
            self.over = HashSet::new();
            self.touch_all();
        }
        for pool in self.pools.grow(now) {
            self.publisher.touch(&ReportKey::Pool(pool));
        }
        for (key, _) in self.removed.extract_if(|_, until| *until <= now) {
            self.publisher.touch(&key);
        }
    }

    /// When [`Self::publish`] has something to do even if nothing comes in.
    pub(crate) fn due(&self) -> Option<Instant> {
        let grown = self.young_until.filter(|_| self.is_young);
        let removed = self.removed.values().min().copied();
        let times = [self.publisher.due(), grown, removed, self.pools.due()];
        times.into_iter().flatten().min()
    }

    /// Why something is not written.
    pub(crate) fn problem(&self) -> Option<String> {
        let failing = self.publisher.failing();
        let (key, error) = failing.first_key_value()?;
        let more = match failing.len() {
            1 => String::new(),
            n => format!(" and {} other objects", n - 1),
        };
        Some(format!("cannot write {key}{more}: {error}"))
    }

    /// Takes no more memory than it needs.
    pub(crate) fn pack(&mut self) {
        self.announced.shrink_to_fit();
        self.shelf.pack();
        self.publisher.pack();
    }
}
