//! What the controller remembers of a service.

use std::net::IpAddr;
use std::sync::Arc;

use super::Controller;
use super::plan::Shortfall;
use super::report::Event;
use crate::service::{Ingress, Service};
use crate::sorted::pack;

impl Controller {
    /// Everything that was there at the start has been decided about.
    pub(super) fn end_start(&mut self) {
        if std::mem::take(&mut self.starting) {
            pack(&mut self.services);
            self.allocator.pack();
        }
    }
}

/// A service and what has been said about it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: Service,
    /// The addresses of the last [`super::StatusChange`], until the service comes back with another
    /// status.
    pub(super) told: Option<Vec<IpAddr>>,
    /// Somebody else has written the status.
    pub(super) foreign: bool,
    /// The pool of the last [`super::StatusChange`], or of the re-adopted addresses.
    pub(super) pool: Option<Arc<str>>,
    /// Why it has not all it wants, as the last event about that said.
    pub(super) shortfall: Option<Box<Shortfall>>,
    /// What the review found, to be reported with the outcome.
    pub(super) events: Vec<Event>,
}

impl Entry {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            told: None,
            foreign: false,
            pool: None,
            shortfall: None,
            events: Vec::new(),
        }
    }

    /// Takes in a new version of the service. Its status is foreign if no change of ours was on
    /// its way; if one was, then what comes back is that or something older.
    pub(super) fn update(&mut self, service: Service) {
        let mut before = std::mem::replace(&mut self.service, service);
        if before.published != self.service.published {
            self.foreign = self.told.take().is_none();
            before.published.clone_from(&self.service.published);
        }
        before.given_from.clone_from(&self.service.given_from);
        if before != self.service {
            self.shortfall = None;
        }
    }

    /// The addresses that it publishes, or will when the last change has been written.
    pub(super) fn published(&self) -> Vec<IpAddr> {
        (self.told.clone()).unwrap_or_else(|| self.service.published_addresses().collect())
    }

    /// Whether its status is, or will be, exactly these addresses.
    pub(super) fn publishes(&self, addresses: &[IpAddr]) -> bool {
        if let Some(told) = &self.told {
            return told == addresses;
        }
        let entries = addresses.iter().copied().map(Ingress::Address);
        entries.eq(self.service.published.iter().cloned())
    }
}
