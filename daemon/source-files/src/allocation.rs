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
//! before we contradict, and give in if it insists. What it gave is announced meanwhile, and nobody
//! else's:
//!
//! ```text
//!  does not fit ──▶ waiting ──PATIENCE──▶ still not: replaced ──again within CONTEST──▶ give in
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use carillon_core::controller::{Controller, Input, ServiceStatus, Severity, StatusChange};
use carillon_core::service::{Ingress, Service, ServiceKey};
use carillon_core::sorted::pack;
use carillon_core::speaker::{self, Speaker};
use carillon_objects::source::{Allocation, ConfigStore, Listener, Problems, Turn};
use tracing::{debug, info, warn};

use crate::journal::{Answer, Given, Ledger, Request};

mod access;
mod contest;
mod unknown;

use access::Access;
use contest::{Contest, Verdict};
use unknown::Unknown;

/// How long entries of services that do not exist are kept at first: they may be about to appear.
const TIDY: Duration = Duration::from_secs(10);

/// What the files have to say to the allocation beside their objects.
#[derive(Debug)]
pub enum Word {
    /// This is wrong in them now: the services in it may exist.
    Unknown(Arc<Problems>),
    /// Somebody may have written to the journal.
    JournalChanged,
    /// The journal answers.
    Answered(Answer),
}

/// The services of files, and the addresses that they have by the journal.
pub struct JournalAllocation {
    controller: Controller,
    class: Option<String>,
    ledger: Ledger,
    access: Access,
    /// The services as the source has them.
    manifests: BTreeMap<ServiceKey, Service>,
    /// Services to hand to controller and speaker, as they are then.
    offers: BTreeSet<ServiceKey>,
    /// Services whose end has still to be written to the journal.
    ended: BTreeSet<ServiceKey>,
    contest: Contest,
    /// Others have just written something.
    has_news: bool,
    /// What could not be read: the services in it may exist.
    unknown: Unknown,
    /// There is a configuration among the files.
    is_configured: bool,
    tidy_at: Option<Instant>,
    /// What services had that were in none of the files, if they come back.
    tidied: BTreeMap<ServiceKey, Vec<IpAddr>>,
}

impl Allocation for JournalAllocation {
    fn controller(&self) -> &Controller {
        &self.controller
    }

    fn configure(&mut self, input: Input) {
        self.is_configured |= matches!(input, Input::Config(_) | Input::Renumber(_));
        let of = input.namespace().cloned();
        self.controller.handle(input);
        // It may fit now.
        let is_in = |key: &&ServiceKey| of.as_deref().is_none_or(|of| of == key.namespace());
        let is_here = |key: &&ServiceKey| self.manifests.contains_key(*key);
        (self.offers).extend(self.ledger.foreign().filter(is_in).filter(is_here).cloned());
    }

    fn set(&mut self, service: &Service) {
        self.offers.insert(service.key.clone());
        self.manifests.insert(service.key.clone(), service.clone());
    }

    fn remove(&mut self, key: &ServiceKey) -> bool {
        let known = self.manifests.remove(key).is_some();
        if known {
            self.offers.remove(key);
            self.contest.forget(key);
            self.controller.handle(Input::ServiceDeleted(key.clone()));
            self.ended.insert(key.clone());
        }
        known
    }

    fn synced(&mut self, now: Instant) {
        self.tidy_at = Some(now + TIDY);
        self.access.read();
        self.controller.handle(Input::NamespacesKnown);
        self.controller.handle(Input::Synced);
    }

    fn prepare(&mut self, now: Instant) -> bool {
        let commit = self.ledger.next(self.access.tries_again(now));
        self.access.ask(commit, now);
        self.ledger.is_read()
    }

    fn config_store(&mut self) -> Option<&mut dyn ConfigStore> {
        Some(&mut self.access)
    }

    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)> {
        let manifests = self.manifests.iter();
        let here = manifests.filter(|(_, service)| service.is_load_balancer);
        let services = here.map(|(key, _)| {
            let mut status = self.controller.explain(key).unwrap_or_default();
            // Of a service that is not ours, or of which another daemon's word is being considered,
            // or about which nothing may be decided.
            if status.addresses.is_empty() {
                let written = self.ledger.addresses(key).unwrap_or_default();
                status.addresses = written.to_vec();
            }
            (key, status)
        });
        services.collect()
    }

    fn pack(&mut self) {
        pack(&mut self.manifests);
        self.ledger.pack();
    }

    fn problem(&self) -> Option<&str> {
        self.access.problem()
    }

    fn due(&self) -> Option<Instant> {
        let tidy = self.tidy_at.filter(|_| self.may_tidy());
        let decisions = [self.contest.due(), tidy].into_iter().flatten().min();
        let decisions = decisions.filter(|_| self.ledger.is_read());
        [decisions, self.access.due()].into_iter().flatten().min()
    }

    fn decide(&mut self, speaker: &mut Speaker, now: Instant) {
        for key in std::mem::take(&mut self.ended) {
            self.ledger.record(&key, Given::default());
        }
        // What others have just written may be what our files are about to say.
        let is_over = !std::mem::take(&mut self.has_news);
        if is_over {
            for key in self.contest.over(now) {
                self.decide_anew(key);
            }
        }
        let mut offered = self.hand_over(speaker);
        self.tidy(now);
        self.publish_all(speaker, now);
        // Again, those that were to get what turned out to be another's.
        offered.extend(self.hand_over(speaker));
        self.publish_all(speaker, now);
        self.write_kept(&offered);
        if is_over {
            self.contest.end(now);
        }
        let commit = self.ledger.next(self.access.tries_again(now));
        self.access.ask(commit, now);
    }

    /// All daemons of a journal give addresses at the same time.
    fn turn(&self) -> Option<Turn> {
        None
    }
}

impl Listener for JournalAllocation {
    type Word = Word;

    fn take(&mut self, word: Word, now: Instant) {
        match word {
            Word::Unknown(problems) => self.unknown = Unknown::of(&problems),
            Word::JournalChanged => self.access.read(),
            Word::Answered(answer) => self.answered(answer, now),
        }
    }
}

impl JournalAllocation {
    /// The allocation for the services of this class, with the journal that these requests are for.
    pub fn new(class: Option<String>, requests: Sender<Request>) -> Self {
        Self {
            controller: Controller::new(class.clone()),
            class,
            ledger: Ledger::default(),
            access: Access::new(requests),
            manifests: BTreeMap::new(),
            offers: BTreeSet::new(),
            ended: BTreeSet::new(),
            contest: Contest::default(),
            has_news: false,
            unknown: Unknown::default(),
            is_configured: false,
            tidy_at: None,
            tidied: BTreeMap::new(),
        }
    }

    fn answered(&mut self, mut answer: Answer, now: Instant) {
        for damaged in &answer.damaged {
            warn!("{damaged}");
        }
        let taken = self.ledger.take(&mut answer);
        self.access.answered(answer, self.ledger.has_unsaved(), now);
        self.has_news |= !taken.changed.is_empty();
        for key in taken.void {
            self.decide_anew(key);
        }
        for key in &taken.changed {
            self.take_word(key, now);
        }
        self.offers.extend(taken.entered);
    }

    fn has_manifest(&self, key: &ServiceKey) -> bool {
        self.manifests.contains_key(key)
    }

    /// Forgets what was decided about a service and has not got into the journal.
    fn decide_anew(&mut self, key: ServiceKey) {
        self.controller.handle(Input::ServiceDeleted(key.clone()));
        if self.has_manifest(&key) {
            self.offers.insert(key);
        } else {
            self.ended.insert(key);
        }
    }

    /// Takes in what another daemon wrote about a service.
    fn take_word(&mut self, key: &ServiceKey, now: Instant) {
        let books = self.controller.assigned(key);
        let had = books.map_or_else(Vec::new, |books| books.addresses.to_vec());
        self.controller.handle(Input::ServiceDeleted(key.clone()));
        if self.ledger.addresses(key).is_none() && self.has_manifest(key) {
            // Until it is certain whether the service is gone, nobody else gets them.
            if !self.ledger.has_any(&had) {
                let reserved = Input::Reserved(key.clone(), had.clone());
                self.controller.handle(reserved);
            }
            self.contest.wait(key, had, now);
        } else {
            self.offers.insert(key.clone());
        }
    }

    /// Hands over all services that changed. Of those that are not here, or not here yet, the
    /// journal says what must not be given to others. Returns those that are here.
    fn hand_over(&mut self, speaker: &mut Speaker) -> Vec<ServiceKey> {
        let mut offered = Vec::new();
        for key in std::mem::take(&mut self.offers) {
            if self.has_manifest(&key) {
                self.offer(&key, speaker);
                offered.push(key);
            } else {
                self.reserve_written(&key);
            }
        }
        offered
    }

    /// Nobody else gets what the journal says that a service has; nothing is decided about it.
    fn reserve_written(&mut self, key: &ServiceKey) {
        self.controller.handle(Input::ServiceDeleted(key.clone()));
        if let Some(addresses) = self.ledger.addresses(key) {
            let reserved = Input::Reserved(key.clone(), addresses.to_vec());
            self.controller.handle(reserved);
        }
    }

    /// Writes down the addresses that services without an entry had, and keep: that is no change.
    /// An entry that the books agree with is as good as our own.
    fn write_kept(&mut self, offered: &[ServiceKey]) {
        for key in offered {
            let is_decided = !self.controller.is_reserved(key);
            let Some(held) = self.controller.assigned(key).filter(|_| is_decided) else {
                continue;
            };
            match self.ledger.addresses(key) {
                Some(written) if *written == *held.addresses => self.ledger.adopt(key),
                None if !self.ledger.is_under_way(key) => {
                    let given = Given {
                        addresses: held.addresses.clone(),
                        pool: Some(held.pool.clone()),
                    };
                    self.ledger.record(key, given);
                }
                Some(_) | None => {}
            }
        }
    }

    /// Hands over a service as it is now: as in its manifest, with the addresses of the journal.
    fn offer(&mut self, key: &ServiceKey, speaker: &mut Speaker) {
        let Some(mut service) = self.manifests.get(key).cloned() else {
            return;
        };
        let written = self.ledger.addresses(key);
        let had = self.contest.had(key);
        let tidied = (self.tidied.get(key)).filter(|had| !self.ledger.has_any(had));
        if let Some(addresses) = written.or(had).or(tidied.map(Vec::as_slice)) {
            service.publish(addresses.iter().copied().map(Ingress::Address));
            let pool = self.ledger.pool(key).cloned();
            service.set_given_from(Some(pool.unwrap_or_else(|| "".into())));
        }
        let is_written = written.is_some();
        let is_tidied = !is_written && tidied.is_some();
        if is_written && !service.is_of_class(self.class.as_deref()) {
            self.reserve_written(key);
        } else {
            self.controller.handle(Input::Service(service.clone()));
        }
        // It is announced when it is in the journal.
        if is_tidied {
            service.publish([]);
        }
        speaker.handle(speaker::Input::Service(service));
    }

    /// Has written down what the controller has decided.
    fn publish_all(&mut self, speaker: &mut Speaker, now: Instant) {
        let foreign = self.ledger.foreign().filter(|key| self.has_manifest(key));
        let foreign: Vec<ServiceKey> = foreign.cloned().collect();
        while let Some(change) = self.controller.poll_change() {
            if !self.has_manifest(&change.service) {
                continue;
            }
            let (ledger, books) = (&self.ledger, &self.controller);
            match self.contest.judge(&change, &foreign, ledger, books, now) {
                Verdict::Say => self.publish(change, speaker),
                Verdict::Wait => self.reserve_written(&change.service),
                Verdict::Taken => self.decide_anew(change.service),
            }
        }
    }

    /// Has written down what a service is to have; it is handed back when that is done.
    fn publish(&mut self, change: StatusChange, speaker: &mut Speaker) {
        let service = change.service;
        for event in &change.events {
            match event.severity {
                Severity::Normal => info!(%service, reason = event.reason, "{}", event.message),
                Severity::Warning => warn!(%service, reason = event.reason, "{}", event.message),
            }
        }
        self.tidied.remove(&service);
        let given = Given {
            addresses: change.addresses.into(),
            pool: change.pool,
        };
        if self.ledger.record(&service, given) {
            self.offer(&service, speaker);
        }
    }

    /// Whether it can be certain which services exist: a directory may be mounted late.
    fn may_tidy(&self) -> bool {
        !self.unknown.any && self.is_configured && !self.manifests.is_empty()
    }

    /// Ends the entries of services that do not exist, once it is certain that they do not.
    fn tidy(&mut self, now: Instant) {
        if !self.may_tidy() || self.tidy_at.is_none_or(|at| now < at) {
            return;
        }
        self.tidy_at = None;
        let is_gone =
            |key: &&ServiceKey| !self.has_manifest(key) && !self.unknown.services.contains(*key);
        let gone: Vec<_> = self.ledger.services().filter(is_gone).cloned().collect();
        for key in gone {
            debug!(service = %key, "forgetting the addresses of a service that is no more");
            let had = self.ledger.addresses(&key).unwrap_or_default();
            self.tidied.insert(key.clone(), had.to_vec());
            self.ledger.record(&key, Given::default());
            self.controller.handle(Input::ServiceDeleted(key));
        }
    }
}
