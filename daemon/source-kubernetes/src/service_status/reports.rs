//! What else the daemon writes: what it does itself.

use std::time::Instant;

use carillon_core::service::ServiceKey;
use carillon_objects::source::{Announced, LeftToMetallb, Reports, Verdict};

use super::{StatusAllocation, event};
use crate::publish::Action;

impl Reports for StatusAllocation {
    fn leave(&mut self, left: LeftToMetallb) {
        // The role ends the turn, and begins the next one with all Services as they are then.
        self.outbox.free.send_replace(!left.addresses);
        self.reports.leave(left);
    }

    fn announced(&mut self, service: &ServiceKey, announced: Announced) {
        for protocol in self.reports.announced(service, announced) {
            self.tell_announced(service, protocol);
        }
    }

    fn judged(&mut self, verdict: Verdict) {
        self.reports.judged(verdict);
    }

    fn failed(&mut self, service: &ServiceKey, why: &str) {
        self.notify(service, Action::Announce, event::failed(why));
    }

    fn report(&mut self, now: Instant) {
        self.reports.publish(now);
        self.tell_problem();
    }
}

impl StatusAllocation {
    /// Tells that a Service is announced from here since now.
    pub(super) fn tell_announced(&self, service: &ServiceKey, protocol: &str) {
        let event = event::announced(self.reports.node(), protocol);
        self.notify(service, Action::Announce, event);
    }

    /// Tells how full the pools are, of those of which that may have changed since this daemon told it.
    pub(super) fn report_pools(&mut self, now: Instant) {
        if !self.leads || self.config.is_none() || !self.controller.is_able() {
            return;
        }
        for pool in self.controller.take_changed_pools() {
            let usage = self.controller.pool(&pool);
            self.reports.pool(pool, usage.as_ref(), now);
        }
    }
}
