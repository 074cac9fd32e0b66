//! Words of other daemons that do not fit what this one has read; see [`super`].

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::controller::{Controller, StatusChange};
use carillon_core::service::ServiceKey;
use tracing::warn;

use crate::journal::Ledger;

/// How long our files may take to say what another daemon has read already.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a daemon that has replaced another's word about a service keeps to the other's next
/// one.
const CONTEST: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Contest {
    /// Services of which another daemon's word does not fit.
    waiting: BTreeMap<ServiceKey, Wait>,
    /// When this daemon last replaced another's word about a service.
    replaced: HashMap<ServiceKey, Instant>,
}

struct Wait {
    until: Instant,
    /// What the service had by our books, if the other has ended its entry.
    had: Vec<IpAddr>,
}

/// What is to be done about what our books say that a service has.
pub(super) enum Verdict {
    /// It is to be written.
    Say,
    /// Another daemon's word stands, at least for a while.
    Wait,
    /// It is what, by another daemon's word, another service has.
    Taken,
}

impl Contest {
    /// Waits for the files to say that a service is gone, which had these addresses.
    pub(super) fn wait(&mut self, service: &ServiceKey, had: Vec<IpAddr>, now: Instant) {
        let wait = Wait {
            until: now + PATIENCE,
            had,
        };
        self.waiting.insert(service.clone(), wait);
    }

    /// What a service had of which another daemon has ended the entry.
    pub(super) fn had(&self, service: &ServiceKey) -> Option<&[IpAddr]> {
        let had = self.waiting.get(service)?.had.as_slice();
        (!had.is_empty()).then_some(had)
    }

    /// The services for which the wait is over.
    pub(super) fn over(&self, now: Instant) -> Vec<ServiceKey> {
        let over = self.waiting.iter().filter(|(_, wait)| wait.until <= now);
        over.map(|(key, _)| key.clone()).collect()
    }

    /// Forgets the waits that are over.
    pub(super) fn end(&mut self, now: Instant) {
        self.waiting.retain(|_, wait| now < wait.until);
    }

    /// Forgets a service.
    pub(super) fn forget(&mut self, service: &ServiceKey) {
        self.waiting.remove(service);
        self.replaced.remove(service);
    }

    /// Whether it is for us to say what a service has, where the entries of these are other
    /// daemons' words.
    pub(super) fn judge(
        &mut self,
        change: &StatusChange,
        foreign: &[ServiceKey],
        ledger: &Ledger,
        books: &Controller,
        now: Instant,
    ) -> Verdict {
        let service = &change.service;
        let theirs = ledger.addresses(service).unwrap_or_default();
        let replaces = ledger.is_foreign(service) && *theirs != *change.addresses;
        if replaces && self.insists(service, now) {
            warn!(%service, addresses = ?theirs, "another daemon insists on addresses that do not \
                fit here: give all daemons of this journal the same files");
            return Verdict::Wait;
        }
        if replaces {
            let wait = self.waiting.entry(service.clone()).or_insert(Wait {
                until: now + PATIENCE,
                had: Vec::new(),
            });
            if now < wait.until {
                return Verdict::Wait;
            }
        }
        let mut others = foreign.iter().filter(|other| *other != service);
        let is_taken = others.any(|other| {
            has_new(change, other, ledger, books)
                && !ledger.is_under_way(other)
                && !self.may_replace(other, now)
        });
        if is_taken {
            return Verdict::Taken;
        }
        if replaces {
            self.replaced.insert(service.clone(), now);
        }
        Verdict::Say
    }

    /// Whether it is for us, by now, to say that a service has other addresses.
    fn may_replace(&self, service: &ServiceKey, now: Instant) -> bool {
        let wait = self.waiting.get(service);
        wait.is_some_and(|wait| wait.until <= now) && !self.insists(service, now)
    }

    /// Whether a word that we replaced a short while ago, and that is there again, stands.
    fn insists(&self, service: &ServiceKey, now: Instant) -> bool {
        let replaced = self.replaced.get(service);
        replaced.is_some_and(|at| now.duration_since(*at) < CONTEST)
    }

    /// When the next wait is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|wait| wait.until).min()
    }
}

/// Whether a change gives a service something that another one has by its entry and not by our
/// books.
fn has_new(change: &StatusChange, other: &ServiceKey, ledger: &Ledger, books: &Controller) -> bool {
    let own = ledger.addresses(&change.service).unwrap_or_default();
    let theirs = ledger.addresses(other).unwrap_or_default();
    let held = books.assigned(other);
    let held = held.map_or(&[][..], |held| &held.addresses);
    let mut new = change.addresses.iter().filter(|one| !own.contains(one));
    new.any(|one| theirs.contains(one) && !held.contains(one))
}
