//! Services with external traffic policy `Local`: what time decides about them
//! ([`crate::node::local_traffic`]) is told, and heard here.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use super::{Entry, Speaker};
use crate::ownership::Holding;
use crate::policy::Announcers;
use crate::service::{Service, ServiceKey, TrafficPolicy};

/// What somebody who knows the time is to do about a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalEvent {
    /// Find out whether the service proxy of this node passes its traffic on, as it says at this port, and
    /// tell by [`super::Input::Passes`].
    Waits(ServiceKey, NonZeroU16),
    /// That is of no interest any more.
    Over(ServiceKey),
    /// An endpoint on this other node has become ready: tell by [`super::Input::Settled`] when it has had
    /// time to announce the Service.
    Ready(ServiceKey, Arc<str>),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Local {
    /// Services with a ready endpoint on this node.
    ready_here: BTreeSet<ServiceKey>,
    /// Those of them of which it is not known yet whether their traffic is passed on.
    waiting: BTreeSet<ServiceKey>,
    /// Services, and other nodes on which an endpoint has just become ready, with how often.
    new: BTreeMap<(ServiceKey, Arc<str>), u32>,
    events: Vec<LocalEvent>,
}

impl Local {
    /// Whether it is not known yet whether this node passes the traffic of a Service on.
    pub(crate) fn waits(&self, service: &ServiceKey) -> bool {
        self.waiting.contains(service)
    }

    /// Whether another node may not announce a Service yet, for its endpoint is ready only just now.
    pub(crate) fn is_new(&self, service: &ServiceKey, node: &Arc<str>) -> bool {
        !self.new.is_empty() && self.new.contains_key(&(service.clone(), node.clone()))
    }

    pub(super) fn passes(&mut self, service: &ServiceKey) {
        self.waiting.remove(service);
    }

    /// Of one that has become ready several times, the last time counts.
    pub(super) fn settled(&mut self, service: &ServiceKey, node: Arc<str>) {
        if let btree_map::Entry::Occupied(mut times) = self.new.entry((service.clone(), node)) {
            if *times.get() > 1 {
                *times.get_mut() -= 1;
            } else {
                times.remove();
            }
        }
    }

    pub(super) fn forget(&mut self, service: &ServiceKey) {
        self.ready_here.remove(service);
        if self.waiting.remove(service) {
            self.events.push(LocalEvent::Over(service.clone()));
        }
    }

    pub(super) fn take(&mut self) -> Vec<LocalEvent> {
        std::mem::take(&mut self.events)
    }
}

impl Speaker {
    /// Notes other nodes on which an endpoint of a Service has become ready. It matters where this one has
    /// to give way to them.
    pub(super) fn note_ready(&mut self, service: &ServiceKey, nodes: Vec<Arc<str>>) {
        let entry = self.services.get(service);
        let is_local = |entry: &Entry| is_local(&entry.service);
        let here = &self.node.name;
        let mut slices = self.endpoints.of(service).into_iter();
        if !entry.is_some_and(is_local) || !slices.any(|slice| slice.serves_on(here)) {
            return;
        }
        for node in nodes.into_iter().filter(|node| node != here) {
            let times = self.local.new.entry((service.clone(), node.clone()));
            *times.or_default() += 1;
            let event = LocalEvent::Ready(service.clone(), node);
            self.local.events.push(event);
        }
    }

    /// Finds out whether a Service has to wait for this node's proxy: from when a first endpoint here is
    /// ready. Whoever announces it already goes on.
    pub(super) fn review_local(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.get(key) else {
            return;
        };
        let service = &entry.service;
        let is_ours = is_local(service) && service.is_of_class(self.settings.class.as_deref());
        let here = &self.node.name;
        let is_ready = is_ours && {
            let mut slices = self.endpoints.of(key).into_iter();
            slices.any(|slice| slice.is_ready_on(here))
        };
        if !is_ready {
            self.local.forget(key);
            return;
        }
        if !self.local.ready_here.insert(key.clone()) {
            return;
        }
        let port = service.health_check_node_port;
        let announces = self.announces(entry);
        if let Some(port) = port.filter(|_| !announces) {
            self.local.waiting.insert(key.clone());
            let event = LocalEvent::Waits(key.clone(), port);
            self.local.events.push(event);
        }
    }

    /// Whether this node announces a Service.
    fn announces(&self, entry: &Entry) -> bool {
        let grant = entry.decision.as_ref().ok();
        let mut vips = grant.into_iter().flat_map(|grant| grant.vips.iter());
        vips.any(|granted| {
            let mut ways = granted.ways.iter();
            let is_shared = ways.any(|way| way.announcers == Ok(Announcers::Shared));
            is_shared || self.has(granted.vip)
        })
    }

    /// Whether this node has a candidate.
    fn has(&self, vip: IpAddr) -> bool {
        matches!(self.candidates.holding(vip), Some(Holding::Here { .. }))
    }

    /// Whether this node is not to take a candidate yet: it does not pass on the traffic of those
    /// services on it for which it could have it.
    pub(super) fn is_held_back(&self, vip: IpAddr) -> bool {
        if self.local.waiting.is_empty() {
            return false;
        }
        let here = &self.node.name;
        let could_have = |entry: &Entry| {
            let grant = entry.decision.as_ref().ok();
            let mut ways = grant.into_iter().flat_map(|grant| grant.ways(vip));
            ways.any(|way| match &way.announcers {
                Ok(Announcers::OneOf(scope)) => scope.contains(here),
                Ok(Announcers::Shared) | Err(_) => false,
            })
        };
        let services = self.services_on(vip).iter();
        let services = services.filter(|key| self.services.get(*key).is_some_and(could_have));
        let mut waits = services.map(|key| self.local.waits(key)).peekable();
        waits.peek().is_some() && waits.all(|waits| waits)
    }
}

fn is_local(service: &Service) -> bool {
    service.is_load_balancer && service.external_traffic_policy == TrafficPolicy::Local
}
