//! The speaker role: from what is known of services, endpoints and this node to one complete
//! [`AnnouncementSet`] per backend. Work is proportional to what changed.
//!
//! A VIP that only one node of a segment may announce is a *candidate* first. Who has it is decided
//! by [`crate::ownership`], and comes back as [`Input::Holding`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::Blocks;
use crate::announcement::AnnouncementSet;
use crate::backend::Caps;
use crate::config::Config;
use crate::endpoint::{EndpointSlice, SliceKey};
use crate::labels::Labels;
use crate::node::Node;
use crate::ownership::{Holding, Scope};
use crate::policy::{Facts, Grant, LeftToMetallb, Nodes, Plan, WithdrawReason};
use crate::service::{Service, ServiceKey};
use crate::sorted::{SortedVec, interleaved, pack};

mod candidates;
mod dirty;
mod endpoints;
mod input;
mod local;
mod outlet;
mod settings;
#[cfg(test)]
mod tests;
mod ways;

pub use input::Input;
pub(crate) use local::Local;
pub use local::LocalEvent;
pub use settings::Settings;
pub use ways::Verdict;

use candidates::Candidates;
use dirty::Dirty;
use endpoints::Endpoints;
use outlet::Outlet;

/// The speaker role of one node.
#[derive(Debug)]
pub struct Speaker {
    settings: Settings,
    node: Arc<Node>,
    config: Option<Arc<Config>>,
    /// Those of the configuration.
    blocks: Option<Blocks>,
    /// How its pools are announced.
    plan: Plan,
    /// The labels of all nodes that are known.
    nodes: Nodes,
    synced: bool,
    is_draining: bool,
    left: LeftToMetallb,
    services: BTreeMap<ServiceKey, Entry>,
    endpoints: Endpoints,
    local: Local,
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

impl Speaker {
    /// A speaker on this node, which hands its wishes to these backends.
    pub fn new(node: Node, settings: Settings, backends: &[Caps]) -> Self {
        let node = Arc::new(node);
        let outlet = |caps: &Caps| Outlet::new(*caps, node.clone());
        Self {
            settings,
            config: None,
            blocks: None,
            plan: Plan::default(),
            nodes: Nodes::from([(node.name.clone(), node.labels.clone())]),
            synced: false,
            is_draining: false,
            left: LeftToMetallb::default(),
            services: BTreeMap::new(),
            endpoints: Endpoints::default(),
            local: Local::default(),
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
            Input::NodeDeleted(name) => self.set_other_node(&name, None),
            Input::Labels(name, labels) => self.set_other_node(&name, labels),
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
            Input::LeftToMetallb(left) => self.leave(left),
            Input::Holding(vip, holding) => self.set_holding(vip, holding),
            Input::Passes(service) => {
                self.local.passes(&service);
                self.dirty.mark(service);
            }
            Input::Settled(service, node) => {
                self.local.settled(&service, node);
                self.dirty.mark(service);
            }
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
        let keys = self.dirty.take(|| self.services.keys().cloned().collect());
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
        self.endpoints.pack();
        pack(&mut self.announcers);
    }

    /// The candidates that are new, gone (`None`) or for other nodes than before, since the last
    /// call, as of the last [`Self::take_changes`].
    pub fn take_candidates(&mut self) -> Vec<(IpAddr, Option<Scope>)> {
        self.candidates.take()
    }

    /// The VIPs that this node is not to take, though it may have them, because it does not pass their
    /// traffic on yet; and those of which that is over. Since the last call, as the candidates.
    pub fn take_held_back(&mut self) -> Vec<(IpAddr, bool)> {
        self.candidates.take_held_back()
    }

    /// What has to do with time, of Services with external traffic policy `Local`, since the last call.
    pub fn take_local(&mut self) -> Vec<LocalEvent> {
        self.local.take()
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
        self.blocks = Some(Blocks::new(&config));
        self.config = Some(config);
        self.tell_config();
        self.make_plan();
        self.dirty = Dirty::All;
    }

    fn tell_config(&mut self) {
        let Some(config) = &self.config else {
            return;
        };
        for outlet in &mut self.outlets {
            outlet.set_config(config, self.left);
        }
    }

    fn leave(&mut self, left: LeftToMetallb) {
        if std::mem::replace(&mut self.left, left) != left {
            self.tell_config();
            self.dirty = Dirty::All;
        }
    }

    /// Brings the plan up to date; returns whether it is another one.
    fn make_plan(&mut self) -> bool {
        let Some(config) = &self.config else {
            return false;
        };
        let backends: Vec<_> = self.outlets.iter().map(|outlet| outlet.caps).collect();
        let plan = Plan::new(config, &backends, &self.nodes, &self.node.name);
        let is_other = plan != self.plan;
        self.plan = plan;
        is_other
    }

    /// Takes in the labels of a node; `None` if it is gone.
    fn set_labels(&mut self, name: &Arc<str>, labels: Option<Labels>) {
        if self.nodes.get(name) == labels.as_ref() {
            return;
        }
        let label = self.settings.exclude_label;
        let excludes = |labels: Option<&Labels>| labels.is_some_and(|one| label.excludes(one));
        let is_excluded = excludes(labels.as_ref());
        let before = match labels {
            Some(labels) => self.nodes.insert(name.clone(), labels),
            None => self.nodes.remove(name),
        };
        if excludes(before.as_ref()) != is_excluded {
            self.dirty = Dirty::All;
        }
        let config = self.config.as_ref();
        if config.is_some_and(|config| config.selects_nodes()) && self.make_plan() {
            self.dirty = Dirty::All;
        }
    }

    fn set_other_node(&mut self, name: &Arc<str>, labels: Option<Labels>) {
        if *name != self.node.name {
            self.set_labels(name, labels);
        }
    }

    fn set_node(&mut self, node: Node) {
        self.set_labels(&node.name, Some(node.labels.clone()));
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
        self.dirty.mark(key);
    }

    fn remove_service(&mut self, key: &ServiceKey) {
        let Some(entry) = self.services.remove(key) else {
            return;
        };
        self.local.forget(key);
        for vip in self.retract(key, entry.decision) {
            self.update_announcement(vip);
        }
    }

    fn set_slice(&mut self, slice: EndpointSlice) {
        let service = slice.service.clone();
        let Some(replaced) = self.endpoints.set(slice) else {
            return;
        };
        if self.synced {
            self.note_ready(&service, replaced.new);
        }
        if let Some(before) = replaced.before.filter(|before| before.service != service) {
            self.dirty.mark(before.service);
        }
        self.dirty.mark(service);
    }

    fn remove_slice(&mut self, key: &SliceKey) {
        if let Some(slice) = self.endpoints.remove(key) {
            self.dirty.mark(slice.service);
        }
    }

    /// Decides about one service; returns the VIPs it had or has.
    fn decide(&mut self, key: &ServiceKey) -> Vec<IpAddr> {
        self.review_local(key);
        let Some(entry) = self.services.get_mut(key) else {
            return Vec::new();
        };
        let facts = Facts {
            blocks: self.blocks.as_ref(),
            settings: &self.settings,
            node: &self.node,
            is_draining: self.is_draining,
            left: self.left,
            plan: &self.plan,
            nodes: &self.nodes,
            local: &self.local,
        };
        let decision = facts.decide(&entry.service, &self.endpoints.of(key));
        let before = std::mem::replace(&mut entry.decision, decision.clone());
        if before != decision {
            self.decided.insert(key.clone());
        }
        let mut vips = self.retract(key, before);
        for vip in decision.iter().flat_map(Grant::addresses) {
            self.announcers.entry(vip).or_default().insert(key.clone());
            vips.push(vip);
        }
        vips
    }

    /// Takes a service out of the index of its former VIPs, and returns them.
    fn retract(&mut self, key: &ServiceKey, before: Result<Grant, WithdrawReason>) -> Vec<IpAddr> {
        let vips = before.map_or_else(|_| Vec::new(), |grant| grant.addresses().collect());
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
        self.candidates
            .set(vip, self.scope(vip), self.is_held_back(vip));
        let wishes: Vec<_> = self.wishes(vip).collect();
        for (outlet, wish) in self.outlets.iter_mut().zip(wishes) {
            outlet.update(vip, wish);
        }
    }
}
