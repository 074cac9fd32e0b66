//! The record of a cluster: the status of the Services themselves.
//!
//! ```text
//!  watch ──▶ Controller ──StatusChange──▶ Publisher ──Write──▶ API server
//!    ▲   └─▶ Speaker                                               │
//!    └──────────────────── what is stored ◀────────────────────────┘
//! ```
//!
//! Every daemon knows what is published and announces that. Only the one that holds the Lease gives
//! and writes; it compares what every Service is to publish with what it does, so that what it has
//! not done, or somebody undid, is done whatever happened in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::config::Config;
use carillon_core::controller::{Controller, Event, Input, ServiceStatus, Severity};
use carillon_core::service::{Service, ServiceKey};
use carillon_core::sorted::pack;
use carillon_core::speaker::{self, Speaker};
use carillon_objects::Stored;
use carillon_objects::source::{Allocation, ConfigStore, Listener, Reports, Turn};
use tracing::{debug, info, warn};

use super::ApiChange;
use super::jitter::Jitter;
use super::publish::{Action, Answer, Notice, Outbox, Outcome, StatusWrite};
use super::publisher::{Next, Publisher};
use super::report::ReportBook;

mod event;
mod reports;
#[cfg(test)]
mod tests;
mod wish;

use wish::{Wish, difference};

/// See the module's documentation.
pub(crate) struct StatusAllocation {
    controller: Controller,
    class: Option<String>,
    services: BTreeMap<ServiceKey, Service>,
    stored: HashMap<ServiceKey, Stored>,
    /// Services to hand to controller and speaker, as they are then.
    changed: BTreeSet<ServiceKey>,
    leads: bool,
    holder: Option<String>,
    /// Why this daemon cannot take its turn.
    trouble: Option<String>,
    /// Why Events are lost.
    event_trouble: Option<String>,
    /// Every Service has to be looked at: it was not for us to write before.
    is_new: bool,
    /// The configuration by which all Services were looked at.
    config: Option<Arc<Config>>,
    publisher: Publisher<ServiceKey, Wish>,
    /// What to tell of Services when their status is written.
    events: HashMap<ServiceKey, Vec<Event>>,
    outbox: Outbox,
    /// What this daemon tells of itself.
    reports: ReportBook,
    problem: Option<String>,
}

impl Allocation for StatusAllocation {
    fn controller(&self) -> &Controller {
        &self.controller
    }

    fn configure(&mut self, input: Input) {
        self.controller.handle(input);
    }

    fn set(&mut self, service: &Service) {
        self.changed.insert(service.key.clone());
        self.services.insert(service.key.clone(), service.clone());
    }

    fn remove(&mut self, key: &ServiceKey) -> bool {
        self.stored.remove(key);
        let is_known = self.services.remove(key).is_some();
        if is_known {
            self.changed.remove(key);
            self.events.remove(key);
            self.publisher.forget(key);
            self.reports.remove(key);
        }
        // Its addresses may have been reserved.
        self.controller.handle(Input::ServiceDeleted(key.clone()));
        is_known
    }

    fn synced(&mut self, _: Instant) {
        self.controller.handle(Input::Synced);
    }

    /// The Services themselves say what was given before.
    fn prepare(&mut self, _: Instant) -> bool {
        true
    }

    fn config_store(&mut self) -> Option<&mut dyn ConfigStore> {
        None
    }

    fn reports(&mut self) -> Option<&mut dyn Reports> {
        Some(self)
    }

    fn decide(&mut self, speaker: &mut Speaker, now: Instant) {
        for key in std::mem::take(&mut self.changed) {
            if let Some(service) = self.services.get(&key) {
                self.controller.handle(Input::Service(service.clone()));
                speaker.handle(speaker::Input::Service(service.clone()));
                self.publisher.touch(&key);
            }
        }
        while let Some(change) = self.controller.poll_change() {
            self.publisher.touch(&change.service);
            let events = self.events.entry(change.service).or_default();
            events.extend(change.events);
        }
        // Who cannot keep what is published must not take its turn.
        let is_able = self.controller.config().is_some() && self.controller.is_able();
        (self.outbox.able).send_if_modified(|able| std::mem::replace(able, is_able) != is_able);
        self.look_at_all();
        self.publish(now);
        self.report_pools(now);
        self.tell_problem();
    }

    fn due(&self) -> Option<Instant> {
        let statuses = self.publisher.due().filter(|_| self.leads);
        [statuses, self.reports.due()].into_iter().flatten().min()
    }

    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)> {
        let services = self.controller.services();
        let services = services.map(|(key, mut status)| {
            // What others write may not fit our books yet; it counts.
            if let (false, Some(service)) = (self.leads, self.services.get(key)) {
                let stored = self.stored.get(key);
                let pool = stored.and_then(|stored| stored.pool.as_deref());
                status.addresses = service.published_addresses().collect();
                status.pool = pool.map(Into::into);
            }
            (key, status)
        });
        services.collect()
    }

    fn pack(&mut self) {
        pack(&mut self.services);
        self.stored.shrink_to_fit();
        self.events.shrink_to_fit();
        self.publisher.pack();
        self.reports.pack();
    }

    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn turn(&self) -> Option<Turn> {
        let unwritten = self.leads.then(|| self.publisher.pending());
        Some(Turn {
            holder: self.holder.clone(),
            leads: self.leads,
            unwritten: unwritten.unwrap_or_default(),
        })
    }
}

impl Listener for StatusAllocation {
    type Word = ApiChange;

    fn take(&mut self, change: ApiChange, now: Instant) {
        match change {
            // Of one that is gone again already, nothing is to be known.
            ApiChange::Stored(key, stored) => {
                if self.services.contains_key(&key) {
                    self.publisher.touch(&key);
                    self.stored.insert(key, stored);
                }
            }
            ApiChange::NamespacesKnown => {
                // What a Service is to have may have been unknown.
                self.is_new = true;
                self.controller.handle(Input::NamespacesKnown);
            }
            ApiChange::Reserved(key, addresses) => {
                if !self.services.contains_key(&key) {
                    self.controller.handle(Input::Reserved(key, addresses));
                }
            }
            ApiChange::Lead(leads) => self.lead(leads),
            ApiChange::Holder(holder) => self.holder = holder,
            ApiChange::LeaseTrouble(trouble) => self.trouble = trouble,
            ApiChange::EventTrouble(trouble) => self.event_trouble = trouble,
            ApiChange::Answered(answer) => self.answered(answer, now),
            ApiChange::Report(name, version, report) => self.reports.stored(name, version, &report),
            ApiChange::ReportGone(name) => self.reports.gone(&name, now),
            ApiChange::ReportsListed(kind, exists) => self.reports.listed(kind, exists),
            ApiChange::Reported(answer) => {
                if let Some((service, protocol)) = self.reports.answered(answer, now) {
                    self.tell_announced(&service, protocol);
                }
            }
        }
    }
}

impl StatusAllocation {
    /// The allocation for the Services of this class, which follows until it is told to lead.
    /// `jitter` is for the pauses after writes that fail.
    pub(crate) fn new(
        class: Option<String>,
        outbox: Outbox,
        reports: ReportBook,
        jitter: Jitter,
    ) -> Self {
        let mut controller = Controller::new(class.clone());
        controller.handle(Input::Lead(false));
        Self {
            controller,
            class,
            services: BTreeMap::new(),
            stored: HashMap::new(),
            changed: BTreeSet::new(),
            leads: false,
            holder: None,
            trouble: None,
            event_trouble: None,
            is_new: false,
            config: None,
            publisher: Publisher::new(jitter),
            events: HashMap::new(),
            outbox,
            reports,
            problem: None,
        }
    }

    fn lead(&mut self, leads: bool) {
        if leads {
            info!("this node gives addresses to services from now on");
        } else if self.leads {
            info!("this node gives no addresses to services any more");
        }
        self.leads = leads;
        self.is_new = leads;
        self.events.clear();
        self.publisher.stop();
        self.controller.handle(Input::Lead(leads));
        self.reports.lead(leads);
    }

    fn answered(&mut self, answer: Answer<ServiceKey>, now: Instant) {
        let service = &answer.object;
        match &answer.outcome {
            Outcome::Written => {
                let service = service.clone();
                self.tell(&service);
                self.tell_deprecated(&service);
            }
            Outcome::Conflict | Outcome::Gone | Outcome::Withheld => {
                debug!(%service, outcome = ?answer.outcome, "status not written");
            }
            Outcome::Failed(error) => debug!(%service, error, "status not written"),
            Outcome::Refused(error) => warn!(%service, error, "status refused"),
        }
        self.publisher.answered(answer, now);
    }

    /// Looks at every Service when what all may publish has changed.
    fn look_at_all(&mut self) {
        let config = self.controller.config();
        let is_same = match (config, &self.config) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_same || std::mem::take(&mut self.is_new) {
            self.config = config.cloned();
            for key in self.services.keys() {
                self.publisher.touch(key);
            }
        }
    }

    /// Has everything written that differs.
    fn publish(&mut self, now: Instant) {
        let leads = self.leads && *self.outbox.free.borrow();
        if !leads || self.config.is_none() || !self.controller.is_able() {
            return self.publisher.stop();
        }
        loop {
            let (controller, services) = (&self.controller, &self.services);
            let (stored, class) = (&self.stored, self.class.as_deref());
            let next = self.publisher.next(now, |key| {
                let service = services.get(key)?;
                difference(controller, service, stored.get(key)?, class)
            });
            match next {
                Some(Next::Write(service, version, wish)) => self.write(service, version, wish),
                Some(Next::UpToDate(service)) => self.tell(&service),
                Some(Next::Contested(service)) => {
                    self.notify(&service, Action::Allocate, event::contested());
                }
                None => return,
            }
        }
    }

    fn write(&mut self, service: ServiceKey, version: Box<str>, wish: Wish) {
        let modes = self.stored.get(&service).map(|stored| &stored.ip_modes);
        let mode = |address: &IpAddr| {
            let mut modes = modes.into_iter().flatten();
            let mode = modes.find(|(of, _)| of == address);
            mode.map(|(_, mode)| mode.clone())
        };
        let addresses = wish.addresses.iter();
        let write = StatusWrite {
            addresses: addresses.map(|address| (*address, mode(address))).collect(),
            service,
            version,
            pool: wish.pool,
        };
        // No more are under way than there is room for. Without its reader the daemon is about to end.
        let _ = self.outbox.writes.try_send(write);
    }

    /// Tells people what has happened to a Service.
    fn tell(&mut self, service: &ServiceKey) {
        for event in self.events.remove(service).unwrap_or_default() {
            self.notify(service, Action::Allocate, event);
        }
    }

    fn notify(&self, service: &ServiceKey, action: Action, event: Event) {
        match event.severity {
            Severity::Normal => info!(%service, reason = event.reason, "{}", event.message),
            Severity::Warning => warn!(%service, reason = event.reason, "{}", event.message),
        }
        if let Some(stored) = self.stored.get(service) {
            let notice = Notice {
                service: service.clone(),
                uid: stored.uid.clone(),
                version: stored.resource_version.clone(),
                action,
                event,
            };
            if self.outbox.notices.try_send(notice).is_err() {
                debug!(%service, "too many Events at once: one is lost");
            }
        }
    }

    /// Tells of annotations that should be written with today's prefix.
    fn tell_deprecated(&self, service: &ServiceKey) {
        let stored = self.stored.get(service);
        let Some(deprecated) = stored.map(|stored| stored.deprecated.join(", ")) else {
            return;
        };
        if !deprecated.is_empty() {
            let event = event::deprecated(&deprecated);
            self.notify(service, Action::Allocate, event);
        }
    }

    fn tell_problem(&mut self) {
        let (failing, contested) = (self.publisher.failing(), self.publisher.contested());
        self.problem = match (failing.first_key_value(), contested.first()) {
            (Some((service, error)), _) => Some(event::unwritten(service, failing.len(), error)),
            (None, Some(service)) => Some(event::replaced(service, contested.len())),
            (None, None) => self
                .trouble
                .clone()
                .or_else(|| self.event_trouble.clone())
                .or_else(|| self.reports.problem()),
        };
    }
}
