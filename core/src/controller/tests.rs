use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::address::Family;
use crate::config::Pool;
use crate::labels::Labels;
use crate::service::{Families, Ingress, TrafficPolicy};
use crate::testing::{config, ips, key, pool, ports, published, service};

mod changes;
mod lead;
mod live;
mod model;
mod properties;
mod reserved;
mod restarts;
mod rules;
mod steps;

/// A cluster: the services with their status, and a controller whose changes are written to it.
struct Cluster {
    controller: Controller,
    services: BTreeMap<ServiceKey, Service>,
    /// The labels of the namespace `default`.
    namespace: Labels,
}

impl Cluster {
    /// A controller that has seen nothing yet.
    fn empty() -> Self {
        Self {
            controller: Controller::new(None),
            services: BTreeMap::new(),
            namespace: Labels::new(),
        }
    }

    /// A controller that has seen this configuration and these services.
    fn start(config: &Arc<Config>, services: Vec<Service>) -> (Self, Vec<StatusChange>) {
        let mut cluster = Self::empty();
        cluster.controller.handle(Input::Config(Arc::clone(config)));
        for service in services {
            cluster.put(service);
        }
        cluster.controller.handle(Input::NamespacesKnown);
        cluster.controller.handle(Input::Synced);
        let changes = cluster.settle();
        (cluster, changes)
    }

    fn put(&mut self, service: Service) {
        self.services.insert(service.key.clone(), service.clone());
        self.controller.handle(Input::Service(service));
    }

    fn delete(&mut self, name: &str) {
        self.services.remove(&key(name));
        self.controller.handle(Input::ServiceDeleted(key(name)));
    }

    fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Service)) {
        let mut service = self.services[&key(name)].clone();
        edit(&mut service);
        self.put(service);
    }

    /// Gives the namespace `default` labels.
    fn label_namespace(&mut self, labels: Labels) {
        self.namespace = labels.clone();
        let namespace = Input::Namespace("default".into(), labels);
        self.controller.handle(namespace);
    }

    fn reconfigure(&mut self, config: &Arc<Config>) -> Vec<StatusChange> {
        self.controller.handle(Input::Config(Arc::clone(config)));
        self.settle()
    }

    /// Writes every change as the daemon does, until there is none.
    fn settle(&mut self) -> Vec<StatusChange> {
        let mut changes = Vec::new();
        while let Some(change) = self.controller.poll_change() {
            self.write(&change);
            changes.push(change);
            assert!(changes.len() < 1000, "does not settle: {changes:?}");
        }
        changes
    }

    fn write(&mut self, change: &StatusChange) {
        let service = self.services.get_mut(&change.service).unwrap();
        let addresses = change.addresses.iter().copied();
        service.publish(addresses.map(Ingress::Address));
        service.set_given_from(change.pool.clone());
        self.controller.handle(Input::Service(service.clone()));
    }

    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.controller.explain(&key(name)).unwrap().addresses
    }

    fn shortfall(&self, name: &str) -> String {
        let status = self.controller.explain(&key(name)).unwrap();
        status.shortfall.unwrap_or_default()
    }
}

/// The same, given by a daemon like this one from a pool.
fn given(service: Service, pool: &str, addresses: &[&str]) -> Service {
    let mut service = published(service, addresses);
    service.set_given_from(Some(pool.into()));
    service
}

/// The events of some changes, as `reason: message`.
fn told(changes: &[StatusChange]) -> Vec<String> {
    let events = changes.iter().flat_map(|change| &change.events);
    events
        .map(|event| format!("{}: {}", event.reason, event.message))
        .collect()
}

#[test]
fn nothing_is_decided_before_everything_is_known() {
    let mut controller = Controller::new(None);
    controller.handle(Input::Service(service("a")));
    controller.handle(Input::Config(Arc::new(config([pool(
        "p",
        &["192.0.2.0/30"],
    )]))));
    assert_eq!(controller.poll_change(), None);
    controller.handle(Input::Synced);
    let change = controller.poll_change().unwrap();
    assert_eq!(change.addresses, ips(&["192.0.2.0"]));
    assert_eq!(change.pool.as_deref(), Some("p"));

    let mut unconfigured = Controller::new(None);
    unconfigured.handle(Input::Service(published(service("a"), &["192.0.2.9"])));
    unconfigured.handle(Input::Synced);
    assert_eq!(unconfigured.poll_change(), None);
    let status = unconfigured.explain(&key("a")).unwrap();
    assert_eq!(
        status.shortfall.as_deref(),
        Some("no configuration is in force yet")
    );
}

#[test]
fn the_whole_way() {
    let config = Arc::new(config([pool("p", &["192.0.2.0/31"])]));
    let services = vec![
        service("b"),
        service("a"),
        published(service("z"), &["192.0.2.0"]),
    ];
    let (mut cluster, changes) = Cluster::start(&config, services);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.addresses("z"), ips(&["192.0.2.0"]));
    assert_eq!(
        told(&changes),
        [
            "IPAllocated: Assigned IP [\"192.0.2.1\"]",
            "AllocationFailed: Failed to allocate IP for \"default/b\": no available addresses in \
             pool \"p\" (2 of 2 assigned)"
        ]
    );
    cluster.delete("z");
    let changes = cluster.settle();
    assert_eq!(told(&changes), ["IPAllocated: Assigned IP [\"192.0.2.0\"]"]);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.shortfall("b"), "");
}
