//! Words of other daemons that do not fit what this one has read; see [`super`].

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::controller::StatusChange;
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
    /// What it is to have by our books, if the other's word does not fit.
    change: Option<StatusChange>,
}

/// What is to be done when a wait is over.
pub(super) enum Over {
    /// What the books say is to be written.
    Say(StatusChange),
    /// The service is here still: it has what it had.
    Keep(ServiceKey),
}

impl Contest {
    /// Waits for the files to say that a service is gone, which had these addresses.
    pub(super) fn wait(&mut self, service: &ServiceKey, had: Vec<IpAddr>, now: Instant) {
        let wait = Wait {
            until: now + PATIENCE,
            had,
            change: None,
        };
        self.waiting.insert(service.clone(), wait);
    }

    /// What a service had of which another daemon has ended the entry.
    pub(super) fn had(&self, service: &ServiceKey) -> Option<&[IpAddr]> {
        let had = self.waiting.get(service)?.had.as_slice();
        (!had.is_empty()).then_some(had)
    }

    /// The services for which the wait is over.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Over> {
        let waiting = self.waiting.iter_mut();
        let over = waiting.filter(|(_, wait)| wait.until <= now);
        let what = |(key, wait): (&ServiceKey, &mut Wait)| match wait.change.take() {
            Some(change) => Over::Say(change),
            None => Over::Keep(key.clone()),
        };
        over.map(what).collect()
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

    /// Whether it is for us to say what a service has.
    pub(super) fn may_say(&mut self, change: &StatusChange, ledger: &Ledger, now: Instant) -> bool {
        let service = &change.service;
        let theirs = ledger.addresses(service).unwrap_or_default();
        if !ledger.is_foreign(service) || *theirs == *change.addresses {
            return true;
        }
        let replaced = self.replaced.get(service);
        if replaced.is_some_and(|at| now.duration_since(*at) < CONTEST) {
            warn!(%service, addresses = ?theirs, "another daemon insists on addresses that do not \
                fit here: give all daemons of this journal the same files");
            return false;
        }
        let wait = self.waiting.entry(service.clone()).or_insert(Wait {
            until: now + PATIENCE,
            had: Vec::new(),
            change: None,
        });
        if wait.until <= now {
            self.replaced.insert(service.clone(), now);
            return true;
        }
        wait.change = Some(change.clone());
        false
    }

    /// When the next wait is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|wait| wait.until).min()
    }
}
