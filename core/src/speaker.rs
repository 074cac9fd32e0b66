//! The speaker role: from what is known of services, endpoints and this node to one complete
//! [`AnnouncementSet`] per backend. Work is proportional to what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::Blocks;
use crate::announcement::{Announcement, AnnouncementSet};
use crate::backend::Caps;
use crate::config::Config;
use crate::endpoint::{EndpointSlice, SliceKey};
use crate::node::Node;
use crate::policy::{Facts, Grant, WithdrawReason};
use crate::service::{Service, ServiceKey};
use crate::sorted::SortedVec;

#[cfg(test)]
mod tests;

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
    synced: bool,
    services: BTreeMap<ServiceKey, Entry>,
    slices: BTreeMap<SliceKey, EndpointSlice>,
    slices_of: BTreeMap<ServiceKey, SortedVec<SliceKey>>,
    announcers: BTreeMap<IpAddr, SortedVec<ServiceKey>>,
    dirty: Dirty,
    generation: u64,
    outlets: Vec<Outlet>,
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

/// One backend's side of the seam.
#[derive(Debug)]
struct Outlet {
    backend: &'static str,
    set: AnnouncementSet,
    changed: bool,
}

impl Speaker {
    /// A speaker on this node for services of this class (`None`: those without one), which
    /// hands its wishes to these backends.
    pub fn new(node: Node, class: Option<String>, backends: &[Caps]) -> Self {
        let node = Arc::new(node);
        let outlet = |caps: &Caps| Outlet {
            backend: caps.name,
            set: AnnouncementSet::empty(node.clone()),
            changed: true,
        };
        Self {
            class,
            config: None,
            blocks: None,
            synced: false,
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            slices_of: BTreeMap::new(),
            announcers: BTreeMap::new(),
            dirty: Dirty::All,
            generation: 0,
            outlets: backends.iter().map(outlet).collect(),
            decided: BTreeSet::new(),
            node,
        }
    }

    /// Takes in one change. Nothing is decided until [`Self::take_changes`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Config(config) => self.set_config(config),
            Input::Service(service) => self.set_service(service),
            Input::ServiceDeleted(key) => self.remove_service(&key),
            Input::Endpoints(slice) => self.set_slice(slice),
            Input::EndpointsDeleted(key) => self.remove_slice(&key),
            Input::Node(node) => self.set_node(node),
            Input::NodeDeleted(_) => {}
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
        let vips: BTreeSet<IpAddr> = keys.iter().flat_map(|key| self.decide(key)).collect();
        for vip in vips {
            self.update_announcement(vip);
        }
        self.emit()
    }

    /// Whether and why a Service is announced from here, as of the last [`Self::take_changes`].
    pub fn explain(&self, key: &ServiceKey) -> Option<&Result<Grant, WithdrawReason>> {
        self.services.get(key).map(|entry| &entry.decision)
    }

    /// The services about which [`Self::take_changes`] has decided otherwise than before, since the
    /// last call.
    pub fn take_decided(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.decided)
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
            outlet.set.config = config.clone();
            outlet.changed = true;
        }
        self.blocks = Some(Blocks::new(&config));
        self.config = Some(config);
        self.dirty = Dirty::All;
    }

    fn set_node(&mut self, node: Node) {
        if node.name != self.node.name || node == *self.node {
            return;
        }
        self.node = Arc::new(node);
        for outlet in &mut self.outlets {
            outlet.set.node = self.node.clone();
            outlet.changed = true;
        }
        self.dirty = Dirty::All;
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
        self.slices_of
            .entry(service.clone())
            .or_default()
            .insert(key.clone());
        self.slices.insert(key, slice);
        self.mark(service);
    }

    fn remove_slice(&mut self, key: &SliceKey) {
        let Some(slice) = self.slices.remove(key) else {
            return;
        };
        if let Some(keys) = self.slices_of.get_mut(&slice.service) {
            keys.remove(key);
            if keys.is_empty() {
                self.slices_of.remove(&slice.service);
            }
        }
        self.mark(slice.service);
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
        };
        let slices = self.slices_of.get(key).into_iter().flatten();
        let endpoints = slices
            .filter_map(|slice| self.slices.get(slice))
            .flat_map(|slice| slice.endpoints.iter());
        let decision = facts.decide(&entry.service, endpoints);
        let before = std::mem::replace(&mut entry.decision, decision.clone());
        if before != decision {
            self.decided.insert(key.clone());
        }
        let mut vips = self.retract(key, before);
        for vip in decision.into_iter().flat_map(|grant| grant.vips) {
            self.announcers.entry(vip).or_default().insert(key.clone());
            vips.push(vip);
        }
        vips
    }

    /// Takes a service out of the index of its former VIPs, and returns them.
    fn retract(&mut self, key: &ServiceKey, before: Result<Grant, WithdrawReason>) -> Vec<IpAddr> {
        let vips = before.map(|grant| grant.vips).unwrap_or_default();
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

    /// Brings the announcement of one VIP up to date in every backend's set.
    fn update_announcement(&mut self, vip: IpAddr) {
        let wanted = self.announcement(vip);
        for outlet in &mut self.outlets {
            let mine = wanted
                .as_ref()
                .filter(|(backend, _)| *backend == outlet.backend);
            let present = outlet.set.by_vip.get(&vip);
            match (mine, present) {
                (None, None) => continue,
                (Some((_, wanted)), Some(present)) if **present == *wanted => continue,
                (Some((_, wanted)), _) => {
                    outlet.set.by_vip.insert(vip, Arc::new(wanted.clone()));
                }
                (None, Some(_)) => {
                    outlet.set.by_vip.remove(&vip);
                }
            }
            outlet.changed = true;
        }
    }

    fn announcement(&self, vip: IpAddr) -> Option<(&'static str, Announcement)> {
        let services = self.announcers.get(&vip)?;
        let grant = self
            .services
            .get(services.first()?)?
            .decision
            .as_ref()
            .ok()?;
        let pool = self.config.as_ref()?.pools.get(&grant.pool)?;
        let services = services.iter().cloned().collect();
        Some((
            pool.backend,
            Announcement {
                vip,
                pool: grant.pool.clone(),
                services,
            },
        ))
    }

    fn emit(&mut self) -> Vec<(&'static str, Arc<AnnouncementSet>)> {
        let mut changes = Vec::new();
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.changed) {
            self.generation += 1;
            outlet.set.generation = self.generation;
            outlet.changed = false;
            changes.push((outlet.backend, Arc::new(outlet.set.clone())));
        }
        changes
    }
}
