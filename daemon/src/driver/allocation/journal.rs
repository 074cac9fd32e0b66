//! The record of files: the journal that all daemons of one set of files share.
//!
//! ```text
//!  manifest ──▶ offers ──▶ Controller ──StatusChange──▶ Journal
//!                 ▲                                       │
//!                 └────────── what others wrote ◀─────────┘
//! ```
//!
//! What another daemon wrote counts more than our books: it was there first. Where that does not
//! fit what we have read, it may have read newer files. So we wait a moment for ours to catch up
//! before we contradict, and give in if it insists:
//!
//! ```text
//!  does not fit ──▶ waiting ──PATIENCE──▶ still not: replaced ──again within CONTEST──▶ give in
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::controller::{Controller, Input, ServiceStatus, Severity, StatusChange};
use carillon_core::service::{Ingress, Service, ServiceKey};
use carillon_core::sorted::pack;
use carillon_core::speaker::{self, Speaker};
use tracing::{debug, info, warn};

use super::Allocation;
use crate::journal::{Busy, Journal};
#[cfg(feature = "kubernetes")]
use crate::kubernetes::ApiChange;
use crate::source::Problems;

/// How long our files may take to say what another daemon has read already.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a daemon that has replaced another's word about a service keeps to the other's next
/// one.
const CONTEST: Duration = Duration::from_secs(60);
/// How long after the start entries of services that do not exist are kept: they may be about to
/// appear.
const TIDY: Duration = Duration::from_secs(10);
/// How soon to try again when the journal cannot be used.
const RETRY: Duration = Duration::from_secs(10);
/// How long another process may lock the journal before that is a problem.
const LOCKED: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(crate) struct JournalAllocation {
    controller: Controller,
    class: Option<String>,
    journal: Journal,
    /// The services as the source has them.
    manifests: BTreeMap<ServiceKey, Service>,
    /// Services to hand to controller and speaker, as they are then.
    offers: BTreeSet<ServiceKey>,
    /// Services whose end has still to be written to the journal.
    ended: BTreeSet<ServiceKey>,
    /// Services of which another daemon's word does not fit.
    waiting: BTreeMap<ServiceKey, Wait>,
    /// When this daemon last replaced another's word about a service.
    replaced: HashMap<ServiceKey, Instant>,
    /// What could not be read: the services in it may exist.
    unknown: Unknown,
    tidy_at: Option<Instant>,
    retry_at: Option<Instant>,
    /// Since when another process has had the journal.
    busy: Option<Instant>,
    problem: Option<String>,
}

struct Wait {
    until: Instant,
    /// What the service had by our books, if the other has ended its entry.
    had: Vec<IpAddr>,
}

/// What could not be read.
#[derive(Default)]
struct Unknown {
    /// These services may be other than they seem.
    services: BTreeSet<ServiceKey>,
    /// Any service may be in it.
    any: bool,
}

impl Allocation for JournalAllocation {
    fn controller(&self) -> &Controller {
        &self.controller
    }

    fn controller_mut(&mut self) -> &mut Controller {
        &mut self.controller
    }

    fn set(&mut self, service: &Service) {
        self.offers.insert(service.key.clone());
        self.manifests.insert(service.key.clone(), service.clone());
    }

    fn remove(&mut self, key: &ServiceKey) -> bool {
        let known = self.manifests.remove(key).is_some();
        if known {
            self.offers.remove(key);
            self.waiting.remove(key);
            self.replaced.remove(key);
            self.controller.handle(Input::ServiceDeleted(key.clone()));
            self.ended.insert(key.clone());
        }
        known
    }

    fn set_unknown(&mut self, problems: &Problems) {
        let objects = problems.objects.iter();
        let keys = objects.filter_map(|problem| problem.object.as_ref());
        let mut objects = problems.objects.iter();
        self.unknown = Unknown {
            services: keys.map(|key| key.name.clone()).collect(),
            any: !problems.unreachable.is_empty()
                || objects.any(|problem| problem.object.is_none()),
        };
    }

    fn synced(&mut self, now: Instant) {
        self.tidy_at = Some(now + TIDY);
        self.controller.handle(Input::Synced);
    }

    #[cfg(feature = "kubernetes")]
    fn take(&mut self, change: ApiChange, _: Instant) {
        debug!(?change, "there is no API server to say this");
    }

    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)> {
        let manifests = self.manifests.iter();
        let here = manifests.filter(|(_, service)| service.is_load_balancer);
        let services = here.map(|(key, _)| {
            let status = self.controller.explain(key);
            // Of a service that is not ours, or of which another daemon's word is being considered.
            let written = || ServiceStatus {
                addresses: self.journal.addresses(key).unwrap_or_default().to_vec(),
                pool: None,
                shortfall: None,
            };
            (key, status.unwrap_or_else(written))
        });
        services.collect()
    }

    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn due(&self) -> Option<Instant> {
        let waiting = self.waiting.values().map(|wait| wait.until).min();
        let tidy = self.tidy_at.filter(|_| !self.unknown.any);
        [waiting, tidy, self.retry_at].into_iter().flatten().min()
    }

    fn decide(&mut self, speaker: &mut Speaker, now: Instant) -> Result<(), Busy> {
        let begun = self.journal.begin();
        let Ok(changed) = begun else {
            let since = *self.busy.get_or_insert(now);
            if now.duration_since(since) >= LOCKED {
                self.tell_problem(Some(self.journal.locked_too_long()));
            }
            return Err(Busy);
        };
        self.busy = None;
        for key in &changed {
            self.take_word(key, now);
        }
        for key in std::mem::take(&mut self.ended) {
            self.journal.set(&key, &[]);
        }
        // What others have just written may be what our files are about to say.
        if changed.is_empty() {
            self.end_patience(now);
        }
        let unwritten = self.hand_over(speaker);
        self.tidy(now);
        while let Some(change) = self.controller.poll_change() {
            self.publish(&change, speaker, now);
        }
        self.write_kept(unwritten);
        if changed.is_empty() {
            self.waiting.retain(|_, wait| now < wait.until);
        }
        self.journal.commit();
        for damaged in self.journal.take_damaged() {
            warn!("{damaged}");
        }
        let problem = self.journal.problem().map(str::to_owned);
        self.retry_at = problem.is_some().then(|| now + RETRY);
        self.tell_problem(problem);
        Ok(())
    }
}

impl JournalAllocation {
    /// The allocation for the services of this class.
    pub(crate) fn new(class: Option<String>, journal: Journal) -> Self {
        Self {
            controller: Controller::new(class.clone()),
            class,
            journal,
            manifests: BTreeMap::new(),
            offers: BTreeSet::new(),
            ended: BTreeSet::new(),
            waiting: BTreeMap::new(),
            replaced: HashMap::new(),
            unknown: Unknown::default(),
            tidy_at: None,
            retry_at: None,
            busy: None,
            problem: None,
        }
    }

    fn has_manifest(&self, key: &ServiceKey) -> bool {
        self.manifests.contains_key(key)
    }

    /// Takes in what another daemon wrote about a service.
    fn take_word(&mut self, key: &ServiceKey, now: Instant) {
        let books = self.controller.explain(key);
        self.controller.handle(Input::ServiceDeleted(key.clone()));
        if self.journal.addresses(key).is_none() && self.has_manifest(key) {
            let had = books.map(|books| books.addresses).unwrap_or_default();
            let until = now + PATIENCE;
            self.waiting.insert(key.clone(), Wait { until, had });
        } else {
            self.offers.insert(key.clone());
        }
    }

    /// Makes the controller decide anew about the services for which the wait is over.
    fn end_patience(&mut self, now: Instant) {
        let over = self.waiting.iter().filter(|(_, wait)| wait.until <= now);
        for (key, _) in over {
            self.controller.handle(Input::ServiceDeleted(key.clone()));
            self.offers.insert(key.clone());
        }
    }

    /// Hands over all services that changed. Of those that are not here, or not here yet, the
    /// journal says what must not be given to others. Returns those that are here and have no
    /// entry.
    fn hand_over(&mut self, speaker: &mut Speaker) -> Vec<ServiceKey> {
        let mut unwritten = Vec::new();
        for key in std::mem::take(&mut self.offers) {
            let written = self.journal.addresses(&key);
            if self.has_manifest(&key) {
                let is_unwritten = written.is_none();
                self.offer(&key, speaker);
                unwritten.extend(is_unwritten.then_some(key));
            } else if let Some(addresses) = written {
                let reserved = Input::Reserved(key, addresses.to_vec());
                self.controller.handle(reserved);
            }
        }
        unwritten
    }

    /// Writes down the addresses that services without an entry had, and keep: that is no change.
    fn write_kept(&mut self, unwritten: Vec<ServiceKey>) {
        for key in unwritten {
            if let (None, Some(kept)) =
                (self.journal.addresses(&key), self.controller.explain(&key))
            {
                self.journal.set(&key, &kept.addresses);
            }
        }
    }

    /// Hands over a service as it is now: as in its manifest, with the addresses of the journal.
    fn offer(&mut self, key: &ServiceKey, speaker: &mut Speaker) {
        let Some(mut service) = self.manifests.get(key).cloned() else {
            return;
        };
        let written = self.journal.addresses(key);
        let had = self.waiting.get(key).map(|wait| wait.had.as_slice());
        if let Some(addresses) = written.or(had.filter(|had| !had.is_empty())) {
            service.published = addresses.iter().copied().map(Ingress::Address).collect();
            service.given_from = Some("".into());
        }
        match written {
            Some(addresses) if !service.is_of_class(self.class.as_deref()) => {
                let reserved = Input::Reserved(key.clone(), addresses.to_vec());
                self.controller.handle(Input::ServiceDeleted(key.clone()));
                self.controller.handle(reserved);
            }
            _ => self.controller.handle(Input::Service(service.clone())),
        }
        speaker.handle(speaker::Input::Service(service));
    }

    /// Writes down what the controller has decided about a service, and hands it back.
    fn publish(&mut self, change: &StatusChange, speaker: &mut Speaker, now: Instant) {
        let service = &change.service;
        if !self.has_manifest(service) || !self.may_say(service, &change.addresses, now) {
            return;
        }
        for event in &change.events {
            match event.severity {
                Severity::Normal => info!(%service, reason = event.reason, "{}", event.message),
                Severity::Warning => warn!(%service, reason = event.reason, "{}", event.message),
            }
        }
        self.journal.set(service, &change.addresses);
        self.offer(service, speaker);
    }

    /// Whether it is for us to say that a service has these addresses.
    fn may_say(&mut self, service: &ServiceKey, addresses: &[IpAddr], now: Instant) -> bool {
        let theirs = self.journal.addresses(service).unwrap_or_default();
        if !self.journal.is_foreign(service) || theirs == addresses {
            return true;
        }
        let replaced = self.replaced.get(service);
        if replaced.is_some_and(|at| now.duration_since(*at) < CONTEST) {
            warn!(%service, addresses = ?theirs, "another daemon insists on addresses that do not \
                fit here: give all daemons of this journal the same files");
            return false;
        }
        let (until, had) = (now + PATIENCE, Vec::new());
        let wait = self.waiting.entry(service.clone());
        let is_over = wait.or_insert(Wait { until, had }).until <= now;
        if is_over {
            self.replaced.insert(service.clone(), now);
        }
        is_over
    }

    /// Ends the entries of services that do not exist, once it is certain that they do not.
    fn tidy(&mut self, now: Instant) {
        if self.unknown.any || self.tidy_at.is_none_or(|at| now < at) {
            return;
        }
        self.tidy_at = None;
        let services = self.journal.services();
        let gone =
            services.filter(|key| !self.has_manifest(key) && !self.unknown.services.contains(key));
        for key in gone.cloned().collect::<Vec<_>>() {
            debug!(service = %key, "forgetting the addresses of a service that is no more");
            self.journal.set(&key, &[]);
            self.controller.handle(Input::ServiceDeleted(key));
        }
        pack(&mut self.manifests);
        self.journal.pack();
    }

    fn tell_problem(&mut self, problem: Option<String>) {
        match (&problem, &self.problem) {
            (Some(now), before) if before.as_ref() != Some(now) => warn!("{now}"),
            (None, Some(_)) => info!("the journal can be used again"),
            _ => {}
        }
        self.problem = problem;
    }
}
