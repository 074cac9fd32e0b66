//! The driver: owns the controller, the speaker, the journal and the backends, and moves facts
//! between them. One task runs it; it never waits.
//!
//! ```text
//!  Batch ─▶ Controller ─StatusChange─▶ Journal ─┐
//!    │           ▲                              │ published
//!    │           └──────────────────────────────┤
//!    └────────────────────────▶ Speaker ◀───────┘
//!                                  └─AnnouncementSet─▶ backends
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use carillon_core::backend::{Backend, BackendEvent, BoxFuture, Caps};
use carillon_core::controller::{self, Controller, Severity, StatusChange};
use carillon_core::node::Node;
use carillon_core::service::{Ingress, Service, ServiceKey};
use carillon_core::speaker::{self, Speaker};
use tracing::{debug, error, info, warn};

use crate::files::{Batch, Change, Problems};
use crate::journal::{Busy, Journal};
use crate::objects::{Kind, Object, ObjectKey};

mod config;
mod snapshot;
#[cfg(test)]
mod tests;

use config::ConfigState;
pub(crate) use snapshot::Snapshot;

/// How long a daemon that has replaced another's word about a service keeps to the other's next one.
const CONTEST: Duration = Duration::from_secs(60);
/// How long after the start entries of services that do not exist are kept: they may be about to
/// appear.
const TIDY: Duration = Duration::from_secs(10);

/// What a driver is made of.
pub(crate) struct Parts {
    /// When the daemon began.
    pub(crate) started: Instant,
    /// This node's name.
    pub(crate) node: String,
    /// The class of services to serve.
    pub(crate) class: Option<String>,
    /// The ConfigMap with the configuration, and where it is looked for.
    pub(crate) config: ObjectKey,
    /// The directory, as users are told of it.
    pub(crate) source: String,
    /// The allocation journal.
    pub(crate) journal: Journal,
    /// The backends.
    pub(crate) backends: Vec<Box<dyn Backend>>,
}

/// See the module's documentation.
pub(crate) struct Driver {
    started: Instant,
    controller: Controller,
    speaker: Speaker,
    backends: Vec<Box<dyn Backend>>,
    journal: Journal,
    journal_problem: Option<String>,
    config: ConfigState,
    problems: Arc<Problems>,
    /// The services as the source has them.
    manifests: BTreeMap<ServiceKey, Arc<Object>>,
    /// Services to hand to controller and speaker, as they are then.
    offers: BTreeSet<ServiceKey>,
    /// Services whose end has still to be written to the journal.
    ended: BTreeSet<ServiceKey>,
    /// When this daemon last replaced another's word about a service.
    contested: HashMap<ServiceKey, Instant>,
    synced: bool,
    tidy_at: Option<Instant>,
}

impl Driver {
    /// A driver that knows nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let caps: Vec<Caps> = parts
            .backends
            .iter()
            .map(|backend| backend.caps())
            .collect();
        let names = caps.iter().map(|caps| caps.name).collect();
        Self {
            started: parts.started,
            controller: Controller::new(parts.class.clone()),
            speaker: Speaker::new(Node::named(&parts.node), parts.class, &caps),
            backends: parts.backends,
            journal: parts.journal,
            journal_problem: None,
            config: ConfigState::new(parts.config, parts.source, names),
            problems: Arc::default(),
            manifests: BTreeMap::new(),
            offers: BTreeSet::new(),
            ended: BTreeSet::new(),
            contested: HashMap::new(),
            synced: false,
            tidy_at: None,
        }
    }

    /// Takes in what the source found. The consequences come with [`Self::settle`].
    pub(crate) fn take(&mut self, batch: Batch, now: Instant) {
        for change in batch.changes {
            match change {
                Change::Set(key, object) => self.set(&key, object),
                Change::Removed(key) => self.remove(&key),
            }
        }
        if let Some(problems) = batch.problems {
            self.take_problems(problems);
        }
        if batch.synced {
            self.synced = true;
            self.tidy_at = Some(now + TIDY);
            self.controller.handle(controller::Input::Synced);
            self.speaker.handle(speaker::Input::Synced);
            self.config.synced();
        }
    }

    fn set(&mut self, key: &ObjectKey, object: Arc<Object>) {
        match &*object {
            Object::Service(service) => {
                self.offers.insert(service.key.clone());
                self.manifests.insert(service.key.clone(), object);
            }
            Object::EndpointSlice(Some(slice)) => {
                self.speaker
                    .handle(speaker::Input::Endpoints(slice.clone()));
            }
            Object::EndpointSlice(None) => self.remove(key),
            Object::Node(node) => self.speaker.handle(speaker::Input::Node(node.clone())),
            Object::Config(text) => {
                if let Some(config) = self.config.offer(text) {
                    self.controller.handle(controller::Input::Config(config));
                }
            }
        }
    }

    fn remove(&mut self, key: &ObjectKey) {
        let name = ServiceKey {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        };
        match key.kind {
            Kind::Service => {
                if self.manifests.remove(&name).is_some() {
                    info!(service = %name, "service deleted");
                    self.offers.remove(&name);
                    self.controller
                        .handle(controller::Input::ServiceDeleted(name.clone()));
                    self.speaker
                        .handle(speaker::Input::ServiceDeleted(name.clone()));
                    self.ended.insert(name);
                }
            }
            Kind::EndpointSlice => self.speaker.handle(speaker::Input::EndpointsDeleted(name)),
            Kind::Node => self.speaker.handle(speaker::Input::NodeDeleted(name.name)),
            Kind::ConfigMap => self.config.removed(),
        }
    }

    fn take_problems(&mut self, problems: Arc<Problems>) {
        let before = std::mem::replace(&mut self.problems, problems);
        if let Some(error) = &self.problems.directory
            && before.directory.as_ref() != Some(error)
        {
            error!("{error}; what was read before stays in force");
        }
        if before.directory.is_some() && self.problems.directory.is_none() {
            info!("the directory can be read again");
        }
        let known: BTreeSet<String> = before.files.iter().map(ToString::to_string).collect();
        for problem in self.problems.files.iter().map(ToString::to_string) {
            if !known.contains(&problem) {
                error!("{problem}");
            }
        }
    }

    /// Decides, remembers, and tells the backends.
    ///
    /// # Errors
    /// Another daemon is writing to the journal; what depends on it waits for the next call.
    pub(crate) fn settle(&mut self, now: Instant) -> Result<(), Busy> {
        let begun = if self.synced {
            self.journal.begin()
        } else {
            Ok(BTreeSet::new())
        };
        let result = begun.map(|changed| self.allocate(&changed, now));
        self.tell_journal_problem();
        for (backend, set) in self.speaker.take_changes() {
            debug!(
                backend,
                generation = set.generation,
                vips = set.by_vip.len(),
                "announcing"
            );
            let named = self
                .backends
                .iter_mut()
                .find(|other| other.caps().name == backend);
            if let Some(named) = named {
                named.set(set);
            }
        }
        for key in self.speaker.take_decided() {
            self.tell_decision(&key);
        }
        result
    }

    /// Everything that needs the journal, under its lock.
    fn allocate(&mut self, changed: &BTreeSet<ServiceKey>, now: Instant) {
        for key in std::mem::take(&mut self.ended) {
            self.journal.set(&key, &[]);
        }
        // Another daemon's word counts more than our books: it was there first. Of a service that is
        // not here, or not here yet, it says what must not be given to others.
        for key in changed {
            self.controller
                .handle(controller::Input::ServiceDeleted(key.clone()));
            if self.manifests.contains_key(key) {
                self.offers.insert(key.clone());
            } else if let Some(addresses) = self.journal.addresses(key) {
                let reserved = controller::Input::Reserved(key.clone(), addresses.to_vec());
                self.controller.handle(reserved);
            }
        }
        for key in std::mem::take(&mut self.offers) {
            self.offer(&key);
        }
        self.tidy(now);
        while let Some(change) = self.controller.poll_change() {
            self.publish(&change, now);
        }
        self.journal.commit();
        if let Some(config) = self.config.decided(&self.controller) {
            self.speaker.handle(speaker::Input::Config(config));
        }
    }

    /// Hands over a service as it is now: as in its manifest, with the addresses of the journal.
    fn offer(&mut self, key: &ServiceKey) {
        let Some(Object::Service(service)) = self.manifests.get(key).map(|object| &**object) else {
            return;
        };
        let mut service: Service = service.clone();
        if let Some(addresses) = self.journal.addresses(key) {
            service.published = addresses.iter().copied().map(Ingress::Address).collect();
        }
        self.controller
            .handle(controller::Input::Service(service.clone()));
        self.speaker.handle(speaker::Input::Service(service));
    }

    /// Writes down what the controller has decided about a service, and hands it back.
    fn publish(&mut self, change: &StatusChange, now: Instant) {
        let service = &change.service;
        for event in &change.events {
            match event.severity {
                Severity::Normal => info!(%service, reason = event.reason, "{}", event.message),
                Severity::Warning => warn!(%service, reason = event.reason, "{}", event.message),
            }
        }
        let theirs = self.journal.addresses(service).unwrap_or_default();
        if self.journal.is_foreign(service) && theirs != change.addresses {
            let last = self.contested.insert(service.clone(), now);
            if last.is_some_and(|last| now.duration_since(last) < CONTEST) {
                warn!(%service, addresses = ?theirs, "another daemon insists on addresses that do \
                    not fit here: give all daemons of this journal the same files");
                return;
            }
        }
        self.journal.set(service, &change.addresses);
        self.offer(service);
    }

    /// Ends the entries of services that do not exist, once it is certain that they do not.
    fn tidy(&mut self, now: Instant) {
        if self.due().is_none_or(|at| now < at) {
            return;
        }
        self.tidy_at = None;
        let in_doubt = |service: &ServiceKey| {
            let named =
                |key: &ObjectKey| key.namespace == service.namespace && key.name == service.name;
            self.problems
                .files
                .iter()
                .filter_map(|problem| problem.object.as_ref())
                .any(named)
        };
        let services = self.journal.services();
        let gone = services.filter(|key| !self.manifests.contains_key(*key) && !in_doubt(key));
        for key in gone.cloned().collect::<Vec<_>>() {
            debug!(service = %key, "forgetting the addresses of a service that is no more");
            self.journal.set(&key, &[]);
            self.controller
                .handle(controller::Input::ServiceDeleted(key));
        }
    }

    /// When [`Self::settle`] has something to do even if nothing comes in. What cannot be read may
    /// hold any service: tidying then waits for the word that it can be.
    pub(crate) fn due(&self) -> Option<Instant> {
        let problems = &self.problems;
        let all_is_known =
            problems.directory.is_none() && problems.files.iter().all(|file| file.object.is_some());
        self.tidy_at.filter(|_| all_is_known)
    }

    fn tell_journal_problem(&mut self) {
        for damaged in self.journal.take_damaged() {
            warn!("{damaged}");
        }
        let problem = self.journal.problem().map(str::to_owned);
        match (&problem, &self.journal_problem) {
            (Some(now), before) if before.as_ref() != Some(now) => warn!("{now}"),
            (None, Some(_)) => info!("the journal can be written again"),
            _ => {}
        }
        self.journal_problem = problem;
    }

    fn tell_decision(&self, service: &ServiceKey) {
        match self.speaker.explain(service) {
            Some(Ok(grant)) => {
                let ips = join(&grant.vips);
                info!(%service, %ips, pool = %grant.pool, "service has IP, announcing");
            }
            Some(Err(reason)) => {
                info!(%service, reason = reason.token(), "not announcing service: {reason}");
            }
            None => {}
        }
    }

    /// The next thing that a backend has to say.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(&'static str, BackendEvent)> {
        for backend in &mut self.backends {
            if let Poll::Ready(event) = backend.poll_event(cx) {
                return Poll::Ready((backend.caps().name, event));
            }
        }
        Poll::Pending
    }

    /// Ends all backends: they withdraw everything and tell their neighbours why.
    pub(crate) fn shutdown(self, reason: &str) -> Vec<BoxFuture<()>> {
        let end = |backend: Box<dyn Backend>| backend.shutdown(reason.to_owned());
        self.backends.into_iter().map(end).collect()
    }
}

/// Logs what a backend had to say; what matters to people it has told them itself, with all that
/// it knows.
pub(crate) fn tell(backend: &'static str, event: &BackendEvent) {
    match event {
        BackendEvent::Applied { generation } => debug!(backend, generation, "on the wire"),
        BackendEvent::NeighborUp { neighbor } => debug!(backend, neighbor, "neighbor is up"),
        BackendEvent::NeighborDown { neighbor, reason } => {
            debug!(backend, neighbor, reason, "neighbor is down");
        }
    }
}

/// Items separated by spaces.
fn join<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(" ")
}
