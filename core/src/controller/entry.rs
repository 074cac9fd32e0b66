//! What the controller remembers of a service.

use std::net::IpAddr;

use super::Controller;
use super::plan::Shortfall;
use super::report::Event;
use crate::config::PoolName;
use crate::service::{Ingress, Service};
use crate::sorted::pack;

impl Controller {
    /// Everything that was there at the start has been decided about.
    pub(super) fn end_start(&mut self) {
        if std::mem::take(&mut self.starting) {
            pack(&mut self.services);
            self.books.pack();
        }
    }
}

/// A service and what has been said about it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: Service,
    /// Somebody else has written the status.
    pub(super) foreign: bool,
    /// The pool of the last [`super::StatusChange`]; before one, that which the service says it has its
    /// addresses from.
    pub(super) pool: Option<PoolName>,
    /// What few services have.
    passing: Option<Box<Passing>>,
}

/// What is remembered of a service that has not, or not yet, come to rest.
#[derive(Debug, Default, PartialEq)]
struct Passing {
    /// The addresses of the last [`super::StatusChange`], until the service comes back with another
    /// status.
    told: Option<Vec<IpAddr>>,
    /// Why it has not all it wants, as the last event about that said.
    shortfall: Option<Shortfall>,
    /// What the review found, to be reported with the outcome.
    events: Vec<Event>,
}

impl Entry {
    pub(super) fn new(service: Service) -> Self {
        let noted = service.given_from().filter(|pool| !pool.is_empty());
        Self {
            pool: noted.cloned(),
            service,
            foreign: false,
            passing: None,
        }
    }

    /// Changes what few services have; what has nothing of it takes no memory for it.
    fn pass<T>(&mut self, change: impl FnOnce(&mut Passing) -> T) -> T {
        let mut passing = self.passing.take().unwrap_or_default();
        let result = change(&mut passing);
        self.passing = (*passing != Passing::default()).then_some(passing);
        result
    }

    /// The addresses of the last [`super::StatusChange`], until the service comes back with another
    /// status.
    fn told(&self) -> Option<&[IpAddr]> {
        self.passing.as_ref()?.told.as_deref()
    }

    /// Why it has not all it wants, as the last event about that said.
    pub(super) fn shortfall(&self) -> Option<&Shortfall> {
        self.passing.as_ref()?.shortfall.as_ref()
    }

    /// Takes in a change of status that is told.
    pub(super) fn tell(&mut self, addresses: Vec<IpAddr>) {
        self.pass(|passing| passing.told = Some(addresses));
    }

    /// Takes in why it has not all it wants.
    pub(super) fn set_shortfall(&mut self, shortfall: Option<Shortfall>) {
        if self.shortfall() != shortfall.as_ref() {
            self.pass(|passing| passing.shortfall = shortfall);
        }
    }

    /// Takes in what the review found.
    pub(super) fn note(&mut self, event: Option<Event>) {
        if let Some(event) = event {
            self.pass(|passing| passing.events.push(event));
        }
    }

    /// What the review found, to be reported with the outcome.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        self.pass(|passing| std::mem::take(&mut passing.events))
    }

    /// Takes in a new version of the service. Its status is foreign if no change of ours was on
    /// its way; if one was, then what comes back is that or something older.
    pub(super) fn update(&mut self, service: Service) {
        let mut before = std::mem::replace(&mut self.service, service);
        if before.published() != self.service.published() {
            self.foreign = self.pass(|passing| passing.told.take()).is_none();
        }
        before.take_status_of(&self.service);
        if before != self.service {
            self.set_shortfall(None);
        }
    }

    /// The addresses that it publishes, or will when the last change has been written.
    pub(super) fn published(&self) -> Vec<IpAddr> {
        let published = || self.service.published_addresses().collect();
        self.told().map_or_else(published, <[IpAddr]>::to_vec)
    }

    /// Whether its status is, or will be, exactly these addresses.
    pub(super) fn publishes(&self, addresses: &[IpAddr]) -> bool {
        if let Some(told) = self.told() {
            return told == addresses;
        }
        let entries = addresses.iter().copied().map(Ingress::Address);
        entries.eq(self.service.published().iter().cloned())
    }
}
