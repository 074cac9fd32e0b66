//! What is in force after a restart, and that addresses do not change by one.

use proptest::prelude::*;
use proptest::sample::select;

use super::properties::{NAMES, any_config, any_namespace, any_service};
use super::*;
use crate::config::AddressesInUse;

fn one_pool(name: &str, blocks: &[&str]) -> Arc<Config> {
    Arc::new(config([pool(name, blocks)]))
}

/// A controller after a restart.
fn restarted(
    before: Option<&Arc<Config>>,
    newest: &Arc<Config>,
    services: Vec<Service>,
) -> (Cluster, Vec<StatusChange>) {
    restarted_among(before, newest, services, Labels::new())
}

/// The same, where the namespace `default` has these labels.
fn restarted_among(
    before: Option<&Arc<Config>>,
    newest: &Arc<Config>,
    services: Vec<Service>,
    namespace: Labels,
) -> (Cluster, Vec<StatusChange>) {
    let mut cluster = Cluster::empty();
    cluster.label_namespace(namespace);
    cluster.controller.handle(Input::Config(newest.clone()));
    if let Some(before) = before {
        let before = Input::InForceBefore(before.clone());
        cluster.controller.handle(before);
    }
    for service in services {
        cluster.put(service);
    }
    cluster.controller.handle(Input::NamespacesKnown);
    cluster.controller.handle(Input::Synced);
    let changes = cluster.settle();
    (cluster, changes)
}

#[test]
fn what_was_refused_stays_refused() {
    let old = one_pool("p", &["192.0.2.0/30"]);
    let new = one_pool("q", &["198.51.100.0/30"]);
    let services = || vec![given(service("a"), "p", &["192.0.2.1"])];
    let (mut cluster, changes) = restarted(Some(&old), &new, services());
    assert_eq!(changes, []);
    assert_eq!(cluster.controller.config(), Some(&old));
    assert!(!cluster.controller.is_provisional());
    assert_eq!(cluster.controller.refused().unwrap().config, new);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    cluster.put(service("b"));
    cluster.settle();
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]), "as before");

    let (cluster, changes) = restarted(Some(&new), &old, services());
    assert_eq!(changes, [], "the newest fits, whatever was in force");
    assert_eq!(cluster.controller.config(), Some(&old));
}

#[test]
fn without_a_newer_one_what_was_in_force_is_so_again() {
    let old = one_pool("p", &["192.0.2.0/30"]);
    let mut controller = Controller::new(None);
    controller.handle(Input::InForceBefore(old.clone()));
    controller.handle(Input::Service(service("a")));
    controller.handle(Input::Synced);
    let change = controller.poll_change().unwrap();
    assert_eq!(change.addresses, ips(&["192.0.2.0"]));
    assert_eq!(controller.config(), Some(&old));
}

/// Nothing is known of what was in force: what is published stays so, and nothing is given.
#[test]
fn what_is_published_holds_a_configuration_back_at_the_start() {
    let new = one_pool("p", &["192.0.2.0/30"]);
    let services = vec![
        given(service("a"), "p", &["203.0.113.1"]),
        given(service("b"), "gone", &["198.51.100.7"]),
        given(service("c"), "p", &["192.0.2.1"]),
        service("d"),
    ];
    let (mut cluster, changes) = restarted(None, &new, services);
    assert_eq!(changes, []);
    assert!(cluster.controller.is_provisional());
    let holders = &cluster.controller.refused().unwrap().holders;
    assert_eq!(holders.keys().collect::<Vec<_>>(), [&key("a"), &key("b")]);
    let pool = &cluster.controller.config().unwrap().pools["p"];
    let blocks: Vec<_> = pool.blocks.iter().map(ToString::to_string).collect();
    assert_eq!(blocks, ["192.0.2.0/30", "203.0.113.1/32"]);
    assert_eq!(cluster.addresses("a"), ips(&["203.0.113.1"]));
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.1"]));
    let waits = "no address is given while the configuration waits";
    assert_eq!(
        [cluster.shortfall("b"), cluster.shortfall("d")],
        [waits, waits]
    );

    // A configuration that has pools for all of them ends that.
    let blocks = ["192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"];
    let changes = cluster.reconfigure(&one_pool("p", &blocks));
    assert_eq!(cluster.addresses("d"), ips(&["192.0.2.0"]));
    assert_eq!(told(&changes), ["IPAllocated: Assigned IP [\"192.0.2.0\"]"]);
    assert!(!cluster.controller.is_provisional());
    assert_eq!(cluster.addresses("b"), ips(&["198.51.100.7"]));
}

#[test]
fn a_service_that_wants_something_else_holds_nothing_back() {
    let new = one_pool("p", &["192.0.2.0/30"]);
    let mut moved = given(service("a"), "gone", &["198.51.100.7"]);
    moved.requests.address_pool = Some("p".to_owned());
    let mut asks = given(service("b"), "gone", &["198.51.100.8"]);
    asks.requests.addresses = Ok(ips(&["192.0.2.3"]));
    let mut other = given(service("c"), "gone", &["198.51.100.9"]);
    other.load_balancer_class = Some("other".to_owned());
    let (cluster, _) = restarted(None, &new, vec![moved, asks, other]);
    assert_eq!(cluster.controller.config(), Some(&new));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.3"]));
}

#[test]
fn the_last_service_in_the_way_may_go_or_be_given_up() {
    let new = one_pool("p", &["192.0.2.0/30"]);
    let services = || {
        let in_the_way = given(service("a"), "gone", &["198.51.100.7"]);
        vec![in_the_way, service("b")]
    };
    let (mut cluster, _) = restarted(None, &new, services());
    cluster.delete("a");
    cluster.settle();
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));

    let (mut cluster, _) = restarted(None, &new, services());
    cluster.controller.handle(Input::Renumber(new.clone()));
    cluster.settle();
    assert_eq!(cluster.controller.config(), Some(&new));
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));
}

#[test]
fn a_reservation_holds_a_configuration_back_too() {
    let old = one_pool("p", &["198.51.100.0/24"]);
    let new = one_pool("p", &["192.0.2.0/30"]);
    let mut controller = Controller::new(None);
    controller.handle(Input::InForceBefore(old.clone()));
    controller.handle(Input::Config(new.clone()));
    controller.handle(Input::Reserved(key("a"), ips(&["198.51.100.7"])));
    controller.handle(Input::Synced);
    assert_eq!(controller.poll_change(), None);
    assert_eq!(controller.config(), Some(&old));
    controller.handle(Input::ServiceDeleted(key("a")));
    assert_eq!(controller.poll_change(), None);
    assert_eq!(controller.config(), Some(&new));
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Put(Service),
    Delete(&'static str),
    Configure(Arc<Config>),
    /// A new controller sees the services in this order; it knows or does not know what was in
    /// force.
    Restart(bool, Vec<&'static str>),
    /// Somebody says that the newest configuration may take addresses away.
    Renumber,
    /// The namespace has these labels.
    Label(Labels),
}

fn any_step() -> impl Strategy<Value = Step> {
    // Who may share with whom is another matter: after a restart the first by name keeps what two
    // have that may not share any more.
    let alone = any_service().prop_map(|mut service| {
        service.requests.sharing_key = None;
        service
    });
    prop_oneof![
        10 => alone.prop_map(Step::Put),
        3 => select(NAMES.to_vec()).prop_map(Step::Delete),
        6 => any_config(Just(AddressesInUse::Keep)).prop_map(Step::Configure),
        2 => any_namespace().prop_map(Step::Label),
        4 => (any::<bool>(), Just(NAMES.to_vec()).prop_shuffle())
            .prop_map(|(remembers, order)| Step::Restart(remembers, order)),
        1 => Just(Step::Renumber),
    ]
}

/// A cluster with what a daemon remembers of configurations.
struct World {
    cluster: Cluster,
    newest: Arc<Config>,
    before: Option<Arc<Config>>,
}

impl World {
    fn take(&mut self, step: Step) {
        let cluster = &mut self.cluster;
        match step {
            Step::Put(mut service) => {
                if let Some(before) = cluster.services.get(&service.key) {
                    service.take_status_of(before);
                }
                cluster.put(service);
            }
            Step::Delete(name) => cluster.delete(name),
            Step::Configure(config) => {
                self.newest = config.clone();
                cluster.controller.handle(Input::Config(config));
            }
            Step::Renumber => {
                let config = self.newest.clone();
                cluster.controller.handle(Input::Renumber(config));
            }
            Step::Restart(remembers, order) => {
                cluster.settle();
                let before = self.before.as_ref().filter(|_| remembers);
                let services = order.iter();
                let services = services.filter_map(|name| cluster.services.get(&key(name)));
                let services = services.cloned().collect();
                let namespace = cluster.namespace.clone();
                self.cluster = restarted_among(before, &self.newest, services, namespace).0;
            }
            Step::Label(labels) => cluster.label_namespace(labels),
        }
    }

    fn settle(&mut self) {
        self.cluster.settle();
        let controller = &self.cluster.controller;
        if !controller.is_provisional() {
            self.before = controller.config().cloned();
        }
    }

    fn published(&self) -> BTreeMap<ServiceKey, Vec<IpAddr>> {
        let services = self.cluster.services.iter();
        services
            .map(|(key, service)| (key.clone(), service.published_addresses().collect()))
            .collect()
    }

    /// No two services of ours publish the same address, unless one came to us with it and nothing
    /// has been decided about that.
    fn check(&self) {
        if self.cluster.controller.is_provisional() {
            return;
        }
        let published = self.published();
        let ours = |key: &ServiceKey| self.cluster.services[key].is_of_class(None);
        let given = published.iter().filter(|(key, _)| ours(key));
        let given: Vec<_> = given.flat_map(|(_, held)| held).collect();
        let different: BTreeSet<_> = given.iter().collect();
        assert_eq!(given.len(), different.len(), "{published:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// An address once given is never changed or given twice, whatever configurations come and
    /// whatever is forgotten in restarts, unless somebody says so.
    #[test]
    fn addresses_stay(
        first in any_config(Just(AddressesInUse::Keep)),
        batches in prop::collection::vec(prop::collection::vec(any_step(), 1..3), 1..20),
    ) {
        let (cluster, _) = Cluster::start(&first, Vec::new());
        let mut world = World { cluster, newest: first.clone(), before: Some(first) };
        // Services about whose last change nothing has been decided yet.
        let mut touched = BTreeSet::new();
        for steps in batches {
            let before = world.published();
            let mut renumbers = false;
            for step in steps {
                match &step {
                    Step::Put(service) => drop(touched.insert(service.key.clone())),
                    Step::Delete(name) => drop(touched.insert(key(name))),
                    Step::Renumber => renumbers = true,
                    Step::Configure(_) | Step::Restart(..) | Step::Label(_) => {}
                }
                world.take(step);
            }
            world.settle();
            world.check();
            let now = world.published();
            let others = before.iter().filter(|(key, _)| !touched.contains(*key));
            for (key, had) in others.filter(|_| !renumbers) {
                let has = &now[key];
                prop_assert!(has.starts_with(had), "{key} had {had:?} and has {has:?}");
            }
            if !world.cluster.controller.is_provisional() {
                touched.clear();
            }
        }
        world.take(Step::Renumber);
        world.settle();
        prop_assert_eq!(world.cluster.controller.config(), Some(&world.newest));
        prop_assert!(world.cluster.controller.refused().is_none());
    }
}
