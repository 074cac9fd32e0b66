//! The driver: owns the allocation, the speaker and the backends, and moves facts between them. One
//! task runs it; it never waits.
//!
//! ```text
//!  Batch ──services──▶ Allocation (Controller, Journal) ──services with addresses──┐
//!    └────────────────────────────── all else ──────────────────────────────▶ Speaker ◀─▶ Election
//!                                                       backends ◀─AnnouncementSet──┘
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::{Backend, Caps, Ending, Ownership};
use carillon_core::controller::Input;
use carillon_core::labels::Labels;
use carillon_core::node::election::Election;
use carillon_core::node::{DrainRule, Node};
use carillon_core::ownership;
use carillon_core::speaker::{self, Speaker};
use carillon_host::assignment::Assignment;
use carillon_objects::source::{Batch, Change, ConfigStore, Description, LISTED, Problems, Source};
use carillon_objects::{Object, ObjectKey, Purpose};
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::backends;
use crate::heap;

mod assigner;
mod config;
mod election;
mod event;
mod guard;
mod local;
mod network;
mod reach;
mod report;
mod request;
mod snapshot;
#[cfg(test)]
mod tests;

use assigner::Assigner;
use config::ConfigState;
pub(crate) use event::Heard;
use local::Traffic;
use network::Network;
use reach::Reach;
use report::Reporter;
pub(crate) use request::{Client, Request};
pub(crate) use snapshot::Snapshot;

/// How long after the beginning everything that was there at the start has come to rest.
const REST: Duration = Duration::from_secs(10);
/// How long the backends may take to end.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(7);

/// What a driver is made of.
pub(crate) struct Parts {
    /// When the daemon began.
    pub(crate) started: Instant,
    /// This node's name.
    pub(crate) node: String,
    /// What the speaker is set to.
    pub(crate) speaker: speaker::Settings,
    /// The ConfigMap with the configuration, and where it is looked for.
    pub(crate) config: ObjectKey,
    /// Where everything is read, for people.
    pub(crate) description: Description,
    /// Where everything is read, and where addresses are recorded.
    pub(crate) source: Box<dyn Source>,
    /// The backends.
    pub(crate) backends: Vec<Box<dyn Backend>>,
    /// Whether and when addresses go back to the node that is first in their order.
    pub(crate) rebalance: Option<ownership::Rebalance>,
    /// There are other nodes to agree with; see [`Driver::joined`].
    pub(crate) has_others: bool,
    /// Somebody has drained this node before.
    pub(crate) is_drained: bool,
    /// What drains this node when its Node has any of it.
    pub(crate) drain_on: Vec<DrainRule>,
    /// Puts VIPs on an interface of this node, if it is to.
    pub(crate) assignment: Option<Assignment>,
}

/// See the module's documentation.
pub(crate) struct Driver {
    started: Instant,
    source: Box<dyn Source>,
    /// The backends are to be asked before the source for what is next.
    backends_first: bool,
    speaker: Speaker,
    backends: Vec<Box<dyn Backend>>,
    election: Election,
    local: Traffic,
    network: Network,
    reach: Reach,
    reporter: Reporter,
    /// Puts VIPs on an interface of this node, if it is to.
    assigner: Option<Assigner>,
    config: ConfigState,
    problems: Arc<Problems>,
    /// Why probes are not answered, if they are to be.
    pub(crate) probes: Option<watch::Receiver<Option<String>>>,
    /// Everything has been read.
    has_read: bool,
    /// The same, and it is known which addresses were given before.
    synced: bool,
    /// When to give back what the beginning has needed.
    pack_at: Option<Instant>,
}

impl Driver {
    /// A driver that knows nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let caps: Vec<Caps> = parts
            .backends
            .iter()
            .map(|backend| backend.caps())
            .collect();
        let names = match caps.as_slice() {
            // A daemon that announces nothing knows the protocols all the same.
            [] => backends::names(),
            caps => caps.iter().map(|caps| caps.name).collect(),
        };
        let exclusive = caps.iter().filter(|caps| caps.ownership.is_exclusive());
        let exclusive: Vec<_> = exclusive.map(|caps| caps.name).collect();
        let announces = |family| {
            let ownership = Ownership::Exclusive(family);
            caps.iter().any(|caps| caps.ownership == ownership)
        };
        let settings = ownership::Settings {
            node: parts.node.as_str().into(),
            ipv4: announces(Family::V4),
            ipv6: announces(Family::V6),
            rebalance: parts.rebalance,
        };
        let mut driver = Self {
            network: Network::new(&parts),
            started: parts.started,
            source: parts.source,
            backends_first: false,
            speaker: Speaker::new(Node::named(&parts.node), parts.speaker, &caps),
            backends: parts.backends,
            election: Election::new(settings, &exclusive, parts.started),
            local: Traffic::default(),
            reach: Reach::default(),
            reporter: Reporter::default(),
            assigner: parts.assignment.map(Assigner::new),
            config: ConfigState::new(parts.config, parts.description, names, !caps.is_empty()),
            problems: Arc::default(),
            has_read: false,
            probes: None,
            synced: false,
            pack_at: None,
        };
        if !parts.has_others {
            let alone = ownership::Input::Alone;
            driver.election.handle(alone, parts.started);
        }
        driver.review_node(parts.started);
        driver
    }

    /// Takes in what the source found. The consequences come with [`Self::settle`].
    pub(crate) fn take(&mut self, batch: Batch, now: Instant) {
        for change in batch.changes {
            match change {
                Change::Set(key, object) => self.set(&key, &object, now),
                Change::Removed(key) => self.remove(&key),
            }
        }
        self.review_guard(now);
        self.reporter.has_news();
        if let Some(problems) = &batch.problems {
            self.config.set_problems(problems);
        }
        self.source.hand_over(now);
        if let Some(problems) = batch.problems {
            self.take_problems(problems);
        }
        if batch.pods_synced {
            self.pods_synced();
        }
        if batch.synced {
            self.has_read = true;
            self.configure();
            self.source.allocation_mut().synced(now);
        }
    }

    /// Reads what configures, if any of it has changed. That takes as long as there is much of it: once
    /// for all that came at once.
    fn configure(&mut self) {
        if let Some(input) = self.config.assemble() {
            self.source.allocation_mut().configure(input);
        }
    }

    /// Everything is known that was there at the start.
    fn begin(&mut self, now: Instant) {
        self.synced = true;
        self.pack_at = Some(now + REST);
        self.speaker.handle(speaker::Input::Synced);
        self.election.handle(ownership::Input::Synced, now);
        let allocation = self.source.allocation_mut();
        let before = allocation.config_store().and_then(ConfigStore::before);
        if let Some(input) = before.and_then(|text| self.config.recall(&text)) {
            allocation.configure(input);
        }
        self.config.synced();
    }

    fn set(&mut self, key: &ObjectKey, object: &Object, now: Instant) {
        match object {
            Object::Service(service) => self.source.allocation_mut().set(service),
            Object::EndpointSlice(Some(slice)) => {
                self.speaker
                    .handle(speaker::Input::Endpoints(slice.clone()));
            }
            Object::EndpointSlice(None) => self.remove(key),
            Object::Node(node) => {
                self.speaker.handle(speaker::Input::Node(Node::clone(node)));
                self.review_node(now);
                self.name_peers();
            }
            Object::Namespace(labels) => {
                let input = Input::Namespace(key.name.name().into(), labels.clone());
                self.source.allocation_mut().configure(input);
            }
            Object::NodeLabels(labels) => self.set_labels(key, Some(labels.clone())),
            Object::Pod(address) => self.set_pod(key, *address),
            Object::MetallbPod(pod) => self.network.guard.set(key, pod.clone()),
            Object::Setting(setting) => self.config.set(key, setting),
            // Only who writes them needs them.
            Object::Report(_) => {}
        }
    }

    fn set_labels(&mut self, key: &ObjectKey, labels: Option<Labels>) {
        let node = key.name.name().into();
        self.speaker.handle(speaker::Input::Labels(node, labels));
    }

    fn remove(&mut self, key: &ObjectKey) {
        let name = key.name.clone();
        match key.kind.info().purpose {
            Purpose::Service if self.source.allocation_mut().remove(&name) => {
                info!(service = %name, "service deleted");
                self.reporter.forget(&name);
                self.speaker.handle(speaker::Input::ServiceDeleted(name));
            }
            Purpose::EndpointSlice => self.speaker.handle(speaker::Input::EndpointsDeleted(name)),
            Purpose::Node => self
                .speaker
                .handle(speaker::Input::NodeDeleted(name.name().into())),
            Purpose::Namespace => {
                let input = Input::NamespaceDeleted(name.name().into());
                self.source.allocation_mut().configure(input);
            }
            Purpose::NodeLabels => self.set_labels(key, None),
            Purpose::Pod | Purpose::MetallbPod => self.forget_pod(key),
            Purpose::Setting | Purpose::Secret => self.config.remove(key),
            Purpose::Service | Purpose::NodeReport | Purpose::ControllerReport => {}
        }
    }

    fn take_problems(&mut self, problems: Arc<Problems>) {
        let before = std::mem::replace(&mut self.problems, problems);
        let effect = if self.synced {
            "; what was read before stays in force"
        } else {
            ""
        };
        for error in &self.problems.unreachable {
            if !before.unreachable.contains(error) {
                error!("{error}{effect}");
            }
        }
        if !before.unreachable.is_empty() && self.problems.unreachable.is_empty() {
            info!("{} can be read again", self.config.source());
        }
        let (known, now) = (before.texts(), self.problems.texts());
        for problem in now.difference(&known) {
            error!("{problem}");
        }
        for note in self.problems.notes().difference(&before.notes()) {
            warn!("{note}");
        }
        if self.problems.omitted > 0 {
            // What is not listed any more may still be wrong.
            if before.omitted == 0 {
                error!("there are more problems than the first {LISTED}, which are listed");
            }
            return;
        }
        let wrong: BTreeSet<&str> = self.problems.objects.iter().map(|p| &*p.file).collect();
        let mended: BTreeSet<&str> = before.objects.iter().map(|p| &*p.file).collect();
        for file in mended.difference(&wrong) {
            info!(file, "nothing is wrong any more");
        }
    }

    /// Decides, remembers, and tells the backends.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.configure();
        if self.has_read && !self.synced && self.source.allocation_mut().prepare(now) {
            self.begin(now);
        }
        if self.synced {
            let allocation = self.source.allocation_mut();
            allocation.decide(&mut self.speaker, now);
            if let Some(config) = self.config.decided(allocation.controller(), now) {
                if let Some(text) = self.config.text_of(&config)
                    && let Some(store) = allocation.config_store()
                {
                    store.keep(text, now);
                }
                self.name_peers();
                self.speaker.handle(speaker::Input::Config(config));
            }
        }
        self.pack(now);
        self.tell_peers();
        self.announce(now);
        let gossip = self.network.gossip.as_mut();
        self.network.again = gossip.and_then(|gossip| gossip.review(now));
        self.tell_isolation();
        self.report(now);
    }

    /// Takes no more memory than is needed, once the beginning is over.
    fn pack(&mut self, now: Instant) {
        if self.pack_at.take_if(|at| *at <= now).is_some() {
            self.source.allocation_mut().pack();
            self.speaker.pack();
            heap::trim();
        }
    }

    /// Tells the backends what has changed.
    fn announce(&mut self, now: Instant) {
        self.review_abilities(now);
        self.expire_local(now);
        let gate = self.assigner.as_mut().map(|assigner| &mut assigner.gate);
        for (name, set) in self.election.settle(&mut self.speaker, gate, now) {
            self.give(name, set);
        }
        self.carry_out();
        self.ask_proxy(now);
        self.assign(now);
    }

    fn give(&mut self, name: &'static str, set: Arc<AnnouncementSet>) {
        let (generation, vips) = (set.generation, set.by_vip.len());
        debug!(backend = name, generation, vips, "announcing");
        let mut backends = self.backends.iter_mut();
        if let Some(backend) = backends.find(|other| other.caps().name == name) {
            backend.set(set);
        }
    }

    /// When [`Self::settle`] has something to do even if nothing comes in.
    pub(crate) fn due(&self) -> Option<Instant> {
        let allocation = self.source.allocation().due().filter(|_| self.has_read);
        let assigner = self.assigner.as_ref().and_then(Assigner::due);
        let again = self.network.again;
        let times = [
            allocation,
            self.election.poll_timeout(),
            self.local.traffic.poll_timeout(),
            assigner,
            again,
            self.pack_at,
            self.reporter.is_busy().then_some(self.started),
        ];
        times.into_iter().flatten().min()
    }

    /// Ends all backends: they withdraw everything and tell their neighbours why. Then this node has
    /// none of the VIPs any more.
    pub(crate) async fn shutdown(self, reason: &str) {
        let reason = reason.to_owned();
        let ending = Ending { reason };
        let end = |backend: Box<dyn Backend>| backend.shutdown(ending.clone());
        let ended = join_all(self.backends.into_iter().map(end));
        if timeout(SHUTDOWN, ended).await.is_err() {
            warn!("not everything could be withdrawn in time");
        }
        if let Some(assigner) = self.assigner {
            assigner.shutdown().await;
        }
    }
}
