//! The controller role: gives services of type LoadBalancer their addresses.
//!
//! ```text
//!  Service, Config ─▶ review: who keeps what ─▶ grant: who gets what is free ─▶ StatusChange
//!                        ▲                         ▲
//!                        └─ all, for a new Config  └─ all who wait, when something is released
//! ```
//!
//! The controller stores nothing: what the services publish is the record of what was given. A
//! restart is an empty controller that reviews what is published.
//!
//! Of several controllers of one cluster only the *leading* one grants; the others follow: their
//! books are what the services publish, so that any of them can lead at once.
//!
//! Every service that has addresses is *reviewed* before anything is *granted*, so that no address
//! that a service publishes is given to another. Reviews go by number of addresses, then by key;
//! grants go first to services that ask for an address by name, then by key. So the result does not
//! depend on the order of the inputs between two drains of [`Controller::poll_change`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::{Allocator, Assignment, PoolUsage, Refusal, Tenant};
use crate::config::{AddressesInUse, Config, PoolName};
use crate::service::{Service, ServiceKey};

mod agenda;
mod books;
mod entry;
mod in_use;
mod input;
mod namespaces;
mod plan;
mod report;
mod reserved;
mod review;
#[cfg(test)]
mod tests;
mod waiting;

use agenda::Agenda;
use books::Books;
use entry::Entry;
pub use in_use::ConfigInUse;
use in_use::Configs;
pub use input::Input;
use plan::{Shortfall, plan};
pub use report::{Event, ServiceStatus, Severity, StatusChange};
use review::Kept;
use waiting::Waiting;

/// The machine. It owns all facts about services, and decides which has which addresses.
#[derive(Debug, Default)]
pub struct Controller {
    load_balancer_class: Option<String>,
    synced: bool,
    /// It is for this controller to grant.
    leads: bool,
    /// Until the first drain after the start: what is found then is not news.
    starting: bool,
    services: BTreeMap<ServiceKey, Entry>,
    /// What services have that are not among these.
    reserved: BTreeMap<ServiceKey, Vec<IpAddr>>,
    knows_namespaces: bool,
    configs: Configs,
    books: Books,
    agenda: Agenda,
    /// Services that have not all they want.
    waiting: Waiting,
}

impl Controller {
    /// A controller for the services of a load balancer class; `None`: for those without a class.
    /// It must see [`Input::Synced`] before it decides anything; it leads until it is told not to.
    pub fn new(load_balancer_class: Option<String>) -> Self {
        Self {
            load_balancer_class,
            leads: true,
            starting: true,
            ..Self::default()
        }
    }

    /// Takes note. The consequences come from [`Self::poll_change`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Config(config) => self.offer(config, false),
            Input::Renumber(config) => self.offer(config, true),
            Input::InForceBefore(config) => self.configs.before = Some(config),
            Input::Service(service) => self.update(service),
            Input::ServiceDeleted(key) => self.forget(&key),
            Input::Reserved(key, addresses) => self.reserve(key, addresses),
            Input::Namespace(name, labels) => self.set_namespace(&name, Some(&labels)),
            Input::NamespaceDeleted(name) => self.set_namespace(&name, None),
            Input::NamespacesKnown => self.know_namespaces(),
            Input::Synced => self.synced = true,
            Input::Lead(leads) => self.lead(leads),
        }
    }

    /// Takes or gives up the lead. As after a restart, what is published counts and nothing else:
    /// what was told and is not written yet is void.
    fn lead(&mut self, leads: bool) {
        if std::mem::replace(&mut self.leads, leads) == leads {
            return;
        }
        self.starting = leads;
        self.books.touch_pools();
        for key in self.services.keys().cloned().collect::<Vec<_>>() {
            self.release(&key);
            if let Some(entry) = self.services.get_mut(&key) {
                *entry = Entry::new(entry.service.clone());
            }
            self.mark(key);
        }
    }

    fn update(&mut self, service: Service) {
        if !service.is_load_balancer && service.published().is_empty() {
            return self.forget(&service.key);
        }
        let key = service.key.clone();
        match self.services.get_mut(&key) {
            Some(entry) if entry.service == service => return,
            Some(entry) => {
                let has_moved = entry.service.published() != service.published();
                entry.update(service);
                // Another service may have what this one published until now.
                if has_moved && !self.grants() {
                    self.release(&key);
                }
            }
            None => {
                let mut entry = Entry::new(service);
                entry.foreign = self.reserved.remove(&key).is_some();
                self.services.insert(key.clone(), entry);
            }
        }
        self.mark(key);
        self.reconsider();
    }

    fn forget(&mut self, key: &ServiceKey) {
        let was_reserved = self.reserved.remove(key).is_some();
        if self.services.remove(key).is_some() || was_reserved {
            self.end_wait(key);
            self.release(key);
            self.reconsider();
        }
    }

    /// Marks a service for review, if it has anything to keep, or for a grant.
    pub(super) fn mark(&mut self, key: ServiceKey) {
        let is_reserved = self.reserved.contains_key(&key);
        let [published, held] = self.claims(&key);
        let addresses = published.len().max(held.len());
        let has_any = addresses > 0 || self.books.get(&key).is_some();
        if has_any || is_reserved {
            self.agenda.review(key, addresses, is_reserved);
        } else {
            self.queue_grant(key);
        }
    }

    /// What the allocator has given the service.
    fn held(&self, key: &ServiceKey) -> Vec<IpAddr> {
        let held = self.books.get(key);
        held.map_or_else(Vec::new, |held| held.addresses.to_vec())
    }

    /// The addresses to review: those that the service publishes, where that is newer than what the
    /// allocator has given it, then the latter.
    fn claims(&self, key: &ServiceKey) -> [Vec<IpAddr>; 2] {
        let held = self.held(key);
        let entry = self.services.get(key);
        if !self.grants() {
            return [entry.map_or_else(Vec::new, Entry::published), Vec::new()];
        }
        let published = entry.filter(|entry| entry.foreign || held.is_empty());
        [published.map_or_else(Vec::new, Entry::published), held]
    }

    /// The next change to a service's status, to be written and to come back as
    /// [`Service::published`]. Call it until it returns `None`; the work is proportional to what
    /// changed since.
    pub fn poll_change(&mut self) -> Option<StatusChange> {
        if !self.synced {
            return None;
        }
        loop {
            while self.consider_next() {}
            self.configs.in_force.as_ref()?;
            if let Some(key) = self.agenda.next_review() {
                self.review(&key);
            } else if !self.grants() {
                return None;
            } else if self.books.take_released() {
                let first: Vec<_> = self.waiting.first().cloned().collect();
                for key in first {
                    self.queue_grant(key);
                }
            } else if let Some(key) = self.agenda.next_grant() {
                if let Some(change) = self.grant(&key) {
                    return Some(change);
                }
            } else {
                self.end_start();
                return None;
            }
        }
    }

    /// Decides whether the service keeps what it has.
    fn review(&mut self, key: &ServiceKey) {
        if self.reserved.contains_key(key) {
            return self.review_reserved(key);
        }
        let claims = self.claims(key);
        self.make_way(claims.iter().flatten());
        let Some(Entry { service, .. }) = self.services.get(key) else {
            return;
        };
        if !self.serves(service) {
            self.end_wait(key);
            self.release(key);
            return;
        }
        let tenant = Tenant::of(service);
        let check = self.rule();
        let mut kept = Kept::default();
        for claim in claims {
            let next = review::keep(service, &claim, |claim| check(&self.books, &tenant, claim));
            if !next.addresses.is_empty() {
                kept = next;
                break;
            }
            kept.event = kept.event.or(next.event);
        }
        if kept.addresses.is_empty() {
            self.release(key);
        } else {
            self.assign(tenant, kept.addresses);
        }
        let grants = self.grants();
        if let Some(entry) = self.services.get_mut(key) {
            entry.foreign = false;
            entry.note(kept.event.filter(|_| grants));
        }
        self.queue_grant(key.clone());
    }

    /// What decides whether services keep what they have. It is taken away because their pool is for
    /// others only where a configuration may take addresses away.
    fn rule(&self) -> fn(&Allocator, &Tenant, &[IpAddr]) -> Result<PoolName, Refusal> {
        let config = self.config().map(|config| config.addresses_in_use);
        if self.grants() && config == Some(AddressesInUse::Reallocate) {
            Allocator::check
        } else {
            Allocator::check_held
        }
    }

    fn queue_grant(&mut self, key: ServiceKey) {
        let entry = self.services.get(&key);
        self.agenda.grant(key, entry.map(|entry| &entry.service));
    }

    fn end_wait(&mut self, key: &ServiceKey) {
        if let Some(next) = self.waiting.remove(key) {
            self.queue_grant(next);
        }
    }

    /// Gives the service what it lacks, if that is free, and returns what has changed.
    fn grant(&mut self, key: &ServiceKey) -> Option<StatusChange> {
        let service = &self.services.get(key)?.service;
        if !self.serves(service) {
            self.end_wait(key);
            return None;
        }
        let held = self.held(key);
        let plan = plan(&self.books, service, held.clone());
        let tenant = Tenant::of(service);
        let next = if plan.shortfall.is_some() && service.is_load_balancer {
            self.waiting.insert(&self.books, service, &plan.addresses)
        } else {
            self.waiting.remove(key)
        };
        if let Some(next) = next {
            self.queue_grant(next);
        }
        if plan.addresses.is_empty() {
            self.release(key);
        } else if plan.addresses != held {
            self.assign(tenant, plan.addresses);
        }
        self.tell(key, &held, plan.shortfall)
    }

    /// The change to report after a grant, if there is any.
    fn tell(
        &mut self,
        key: &ServiceKey,
        held: &[IpAddr],
        shortfall: Option<Shortfall>,
    ) -> Option<StatusChange> {
        let entry = self.services.get_mut(key)?;
        let assignment = self.books.get(key);
        let addresses = assignment.map_or_else(Vec::new, |now| now.addresses.to_vec());
        let pool = assignment.map(|now| now.pool.clone());
        let mut events = entry.take_events();
        events.extend(Event::assigned(held, &addresses));
        let is_news = match (&shortfall, entry.shortfall()) {
            (Some(now), Some(before)) => !now.is_like(before),
            (Some(_), None) => addresses.is_empty() || !self.starting || !events.is_empty(),
            (None, _) => false,
        };
        if let Some(shortfall) = shortfall.as_ref().filter(|_| is_news) {
            events.extend(shortfall.event(key, &addresses));
        }
        entry.set_shortfall(shortfall);
        let moved = entry.pool.is_some() && pool.is_some() && entry.pool != pool;
        entry.pool.clone_from(&pool);
        if entry.publishes(&addresses) && !moved && events.is_empty() {
            return None;
        }
        entry.tell(addresses.clone());
        Some(StatusChange {
            service: key.clone(),
            addresses,
            pool,
            events,
        })
    }

    /// Enters an assignment that the allocator has just approved.
    fn assign(&mut self, tenant: Tenant, addresses: Vec<IpAddr>) {
        let key = tenant.service.clone();
        self.books.assign(tenant, addresses);
        self.note_holding(&key);
    }

    fn release(&mut self, key: &ServiceKey) {
        self.books.release(key);
        self.note_holding(key);
    }

    /// What the service has.
    pub fn assigned(&self, service: &ServiceKey) -> Option<&Assignment> {
        self.books.get(service)
    }

    /// The configuration in force.
    pub fn config(&self) -> Option<&Arc<Config>> {
        self.configs.in_force.as_ref()
    }

    /// A newer configuration that cannot take effect, because of addresses in use.
    pub fn refused(&self) -> Option<&ConfigInUse> {
        self.configs.refused.as_ref()
    }

    /// The configuration in force is one that cannot take effect, since none was known from before
    /// the restart: this controller must not lead.
    pub fn is_provisional(&self) -> bool {
        self.configs.is_provisional
    }

    /// Whether it could give addresses, and take them, if it led: all is known that decides about them.
    pub fn is_able(&self) -> bool {
        !self.configs.is_provisional && !self.awaits_namespaces()
    }

    /// Whether it may give addresses, and take them.
    fn grants(&self) -> bool {
        self.leads && self.is_able()
    }

    fn serves(&self, service: &Service) -> bool {
        service.is_of_class(self.load_balancer_class.as_deref())
    }

    /// How full the pools of the configuration in force are, by name.
    pub fn pools(&self) -> Vec<PoolUsage> {
        self.books.usage().collect()
    }

    /// How full a pool is.
    pub fn pool(&self, name: &str) -> Option<PoolUsage> {
        self.books.usage_of(name)
    }

    /// The pools of which that may have changed, or which are new, since this was last asked.
    pub fn take_changed_pools(&mut self) -> BTreeSet<PoolName> {
        self.books.take_changed_pools()
    }
}
