//! The speaker role: from what is known of services, endpoints and this node to one complete
//! [`AnnouncementSet`] per backend. Work is proportional to what changed.
//!
//! A VIP that only one node of a segment may announce is a *candidate* first. Who has it is decided
//! by [`crate::ownership`], and comes back as [`Input::Holding`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::Blocks;
use crate::announcement::{AnnouncementSet, Asked};
use crate::backend::Caps;
use crate::config::{Config, PoolName};
use crate::endpoint::{EndpointSlice, SliceKey};
use crate::interface::Interfaces;
use crate::mark::Mark;
use crate::node::Node;
use crate::ownership::{Holding, Scope};
use crate::policy::{Facts, Grant, WithdrawReason};
use crate::service::{Service, ServiceKey};
use crate::sorted::{SortedVec, interleaved, pack};

mod candidates;
mod outlet;
#[cfg(test)]
mod tests;

use candidates::Candidates;
use outlet::{Outlet, exclusive};

/// A change of what the speaker knows.
#[derive(Clone, Debug)]
pub enum Input {
    /// The configuration in force.
    Config(Arc<Config>),
    /// A Service as it is now.
    Service(Service),
    /// A Service is gone.
    ServiceDeleted(ServiceKey),
    /// An EndpointSlice as it is now.
    Endpoints(EndpointSlice),
    /// An EndpointSlice is gone.
    EndpointsDeleted(SliceKey),
    /// A Node as it is now; nodes other than the speaker's own are passed over.
    Node(Node),
    /// A Node is gone. The speaker's own keeps announcing with what was last known of it.
    NodeDeleted(Arc<str>),
    /// The interfaces of this node that VIPs can be announced on.
    Interfaces(Arc<Interfaces>),
    /// What other daemons recognise this one by.
    Mark(Mark),
    /// Whether what every eligible node announces is to be left to the others.
    Draining(bool),
    /// Who has a candidate. Until it comes, nobody does.
    Holding(IpAddr, Holding),
    /// The stations that are to be asked whether they have an address; `None`: not any more.
    Asked(IpAddr, Option<Arc<Asked>>),
    /// Everything that existed at the start has been seen. Before it, nothing is handed to the
    /// backends: partial knowledge must not withdraw.
    Synced,
}

/// The speaker role of one node.
#[derive(Debug)]
pub struct Speaker {
    class: Option<String>,
    node: Arc<Node>,
    config: Option<Arc<Config>>,
    /// Those of the configuration.
    blocks: Option<Blocks>,
    /// The pools whose addresses only one node at a time may announce.
    exclusive: BTreeSet<PoolName>,
    synced: bool,
    is_draining: bool,
    services: BTreeMap<ServiceKey, Entry>,
    slices: BTreeMap<SliceKey, EndpointSlice>,
    /// The slices of each service.
    slices_of: BTreeSet<(ServiceKey, SliceKey)>,
    announcers: BTreeMap<IpAddr, SortedVec<ServiceKey>>,
    /// What was read at the start takes no more memory than it needs.
    is_packed: bool,
    dirty: Dirty,
    generation: u64,
    outlets: Vec<Outlet>,
    candidates: Candidates,
    /// VIPs that have changed hands.
    moved: BTreeSet<IpAddr>,
    /// Services about which the decision changed, not yet told.
    decided: BTreeSet<ServiceKey>,
}

#[derive(Debug)]
struct Entry {
    service: Service,
    decision: Result<Grant, WithdrawReason>,
}

/// What must be decided anew.
#[derive(Debug)]
enum Dirty {
    All,
    Some(BTreeSet<ServiceKey>),
}

impl Speaker {
    /// A speaker on this node for services of this class (`None`: those without one), which
    /// hands its wishes to these backends.
    pub fn new(node: Node, class: Option<String>, backends: &[Caps]) -> Self {
        let node = Arc::new(node);
        let outlet = |caps: &Caps| Outlet::new(*caps, node.clone());
        Self {
            class,
            config: None,
            blocks: None,
            exclusive: BTreeSet::new(),
            synced: false,
            is_draining: false,
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            slices_of: BTreeSet::new(),
            announcers: BTreeMap::new(),
            is_packed: false,
            dirty: Dirty::All,
            generation: 0,
            outlets: backends.iter().map(outlet).collect(),
            candidates: Candidates::default(),
            moved: BTreeSet::new(),
            decided: BTreeSet::new(),
            node,
        }
    }

    /// Takes in one change, if there is a backend. Decided is in [`Self::take_changes`].
    pub fn handle(&mut self, input: Input) {
        if self.outlets.is_empty() {
            return;
        }
        match input {
            Input::Config(config) => self.set_config(config),
            Input::Service(service) => self.set_service(service),
            Input::ServiceDeleted(key) => self.remove_service(&key),
            Input::Endpoints(slice) => self.set_slice(slice),
            Input::EndpointsDeleted(key) => self.remove_slice(&key),
            Input::Node(node) => self.set_node(node),
            Input::NodeDeleted(_) => {}
            Input::Interfaces(interfaces) => {
                for outlet in &mut self.outlets {
                    outlet.set_interfaces(&interfaces);
                }
            }
            Input::Mark(mark) => self.outlets.iter_mut().for_each(|one| one.set_mark(mark)),
            Input::Draining(is_draining) => {
                if std::mem::replace(&mut self.is_draining, is_draining) != is_draining {
                    self.dirty = Dirty::All;
                }
            }
            Input::Holding(vip, holding) => self.set_holding(vip, holding),
            Input::Asked(address, asked) => {
                for outlet in &mut self.outlets {
                    outlet.ask(address, asked.clone());
                }
            }
            Input::Synced => self.synced = true,
        }
    }

    /// The sets that changed since the last call, by backend. Empty before `Synced`.
    pub fn take_changes(&mut self) -> Vec<(&'static str, Arc<AnnouncementSet>)> {
        if !self.synced {
            return Vec::new();
        }
        let keys = match std::mem::replace(&mut self.dirty, Dirty::Some(BTreeSet::new())) {
            Dirty::All => self.services.keys().cloned().collect(),
            Dirty::Some(keys) => keys,
        };
        let mut vips = std::mem::take(&mut self.moved);
        vips.extend(keys.iter().flat_map(|key| self.decide(key)));
        for vip in interleaved(vips) {
            self.update_announcement(vip);
        }
        if !std::mem::replace(&mut self.is_packed, true) {
            self.pack();
        }
        let generation = &mut self.generation;
        let take = |outlet: &mut Outlet| Some((outlet.caps.name, outlet.take(generation)?));
        self.outlets.iter_mut().filter_map(take).collect()
    }

    /// Takes no more memory than it needs.
    pub fn pack(&mut self) {
        pack(&mut self.services);
        pack(&mut self.slices);
        pack(&mut self.slices_of);
        pack(&mut self.announcers);
    }

    /// The candidates that are new, gone (`None`) or for other nodes than before, since the last
    /// call, as of the last [`Self::take_changes`].
    pub fn take_candidates(&mut self) -> Vec<(IpAddr, Option<Scope>)> {
        self.candidates.take()
    }

    /// Whether and why a Service is announced from here, as of the last [`Self::take_changes`]. A
    /// Service of whose addresses at least one is announced, is.
    pub fn explain(&self, key: &ServiceKey) -> Option<Result<&Grant, WithdrawReason>> {
        let grant = match &self.services.get(key)?.decision {
            Ok(grant) => grant,
            Err(reason) => return Some(Err(reason.clone())),
        };
        let elsewhere = |vip: &IpAddr| match self.candidates.holding(*vip) {
            Some(Holding::Here { .. }) => None,
            Some(Holding::Elsewhere { owner, .. }) => Some(owner.clone()),
            None => Some(None),
        };
        let elsewhere: Vec<_> = grant.vips.iter().filter_map(elsewhere).collect();
        if grant.scopes.is_empty() || elsewhere.len() < grant.vips.len() {
            return Some(Ok(grant));
        }
        let owner = elsewhere.into_iter().flatten().next();
        Some(Err(WithdrawReason::NotOwner(owner)))
    }

    /// The services about which [`Self::take_changes`] has decided otherwise than before, since the
    /// last call.
    pub fn take_decided(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.decided)
    }

    /// The services that may be announced from here under an address, ascending; more than one when
    /// they share it.
    pub fn services_on(&self, vip: IpAddr) -> &[ServiceKey] {
        self.announcers.get(&vip).map_or(&[], |services| services)
    }

    /// The node as it is known.
    pub fn node(&self) -> &Node {
        &self.node
    }

    fn set_config(&mut self, config: Arc<Config>) {
        if self.config.as_ref() == Some(&config) {
            return;
        }
        for outlet in &mut self.outlets {
            outlet.set_config(config.clone());
        }
        self.blocks = Some(Blocks::new(&config));
        self.exclusive = exclusive(&config, &self.outlets);
        self.config = Some(config);
        self.dirty = Dirty::All;
    }

    fn set_node(&mut self, node: Node) {
        if node.name != self.node.name || node == *self.node {
            return;
        }
        self.node = Arc::new(node);
        for outlet in &mut self.outlets {
            outlet.set_node(self.node.clone());
        }
        self.dirty = Dirty::All;
    }

    fn set_holding(&mut self, vip: IpAddr, holding: Holding) {
        if self.candidates.set_holding(vip, holding) {
            self.moved.insert(vip);
            let services = self.announcers.get(&vip).into_iter().flatten();
            self.decided.extend(services.cloned());
        }
    }

    fn set_service(&mut self, service: Service) {
        let key = service.key.clone();
        match self.services.get_mut(&key) {
            Some(entry) if entry.service == service => return,
            Some(entry) => entry.service = service,
            None => {
                let decision = Err(WithdrawReason::NoConfiguration);
                self.services
                    .insert(key.clone(), Entry { service, decision });
            }
        }
        self.mark(key);
    }

    fn remove_service(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.remove(key) else {
            return;
        };
        for vip in self.retract(key, entry.decision) {
            self.update_announcement(vip);
        }
    }

    fn set_slice(&mut self, slice: EndpointSlice) {
        if self.slices.get(&slice.key) == Some(&slice) {
            return;
        }
        self.remove_slice(&slice.key.clone());
        let (service, key) = (slice.service.clone(), slice.key.clone());
        self.slices_of.insert((service.clone(), key.clone()));
        self.slices.insert(key, slice);
        self.mark(service);
    }

    fn remove_slice(&mut self, key: &SliceKey) {
        let Some(slice) = self.slices.remove(key) else {
            return;
        };
        let EndpointSlice { service, key, .. } = slice;
        self.slices_of.remove(&(service.clone(), key));
        self.mark(service);
    }

    fn mark(&mut self, key: ServiceKey) {
        if let Dirty::Some(keys) = &mut self.dirty {
            keys.insert(key);
        }
    }

    /// Decides about one service; returns the VIPs it had or has.
    fn decide(&mut self, key: &ServiceKey) -> Vec<IpAddr> {
        let Some(entry) = self.services.get_mut(key) else {
            return Vec::new();
        };
        let facts = Facts {
            blocks: self.blocks.as_ref(),
            class: self.class.as_deref(),
            node: &self.node,
            is_draining: self.is_draining,
            exclusive: &self.exclusive,
        };
        let first = (key.clone(), SliceKey::default());
        let slices = self.slices_of.range(first..);
        let slices = slices.map_while(|(service, slice)| (service == key).then_some(slice));
        let slices: Vec<_> = slices.filter_map(|slice| self.slices.get(slice)).collect();
        let decision = facts.decide(&entry.service, &slices);
        let before = std::mem::replace(&mut entry.decision, decision.clone());
        if before != decision {
            self.decided.insert(key.clone());
        }
        let mut vips = self.retract(key, before);
        for vip in decision.iter().flat_map(|grant| &grant.vips) {
            self.announcers.entry(*vip).or_default().insert(key.clone());
            vips.push(*vip);
        }
        vips
    }

    /// Takes a service out of the index of its former VIPs, and returns them.
    fn retract(&mut self, key: &ServiceKey, before: Result<Grant, WithdrawReason>) -> Vec<IpAddr> {
        let vips = before.map_or_else(|_| Vec::new(), |grant| grant.vips.to_vec());
        for vip in &vips {
            if let Some(keys) = self.announcers.get_mut(vip) {
                keys.remove(key);
                if keys.is_empty() {
                    self.announcers.remove(vip);
                }
            }
        }
        vips
    }

    /// Brings one VIP up to date: whether it is a candidate, and what every backend has of it.
    fn update_announcement(&mut self, vip: IpAddr) {
        self.candidates.set(vip, self.scope(vip));
        let (is_here, is_watched) = match self.candidates.holding(vip) {
            Some(Holding::Here { .. }) => (true, false),
            Some(Holding::Elsewhere { watched, .. }) => (false, *watched),
            None => (!self.candidates.contains(vip), false),
        };
        let wanted = self.announcement(vip);
        for outlet in &mut self.outlets {
            let mine = wanted
                .as_ref()
                .filter(|(name, _)| *name == outlet.caps.name);
            let announced = mine.filter(|_| is_here).map(|(_, wanted)| wanted);
            outlet.update(vip, announced, is_watched && mine.is_some());
        }
    }

    /// The scope of a candidate; `None` if it is not one.
    fn scope(&self, vip: IpAddr) -> Option<Scope> {
        let services = self.services_on(vip).iter();
        let scope = |key| {
            let decision = self.services.get(key)?.decision.as_ref();
            decision.ok()?.scope(vip).cloned()
        };
        services.filter_map(scope).reduce(Scope::or)
    }
}
