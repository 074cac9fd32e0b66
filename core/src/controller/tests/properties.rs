//! Random histories against the model.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::model::{World, may_share, pool_of};
use super::*;
use crate::config::{AddressesInUse, Priority, ServiceAllocation, is_buggy};
use crate::service::{FamiliesError, RequestError};
use crate::testing::{labels, selector};

const BLOCKS: [&str; 8] = [
    "192.0.2.0/30",
    "192.0.2.254/31",
    "192.0.3.0/31",
    "198.51.100.7/32",
    "203.0.113.128/31",
    "2001:db8::/64",
    "2001:db8:1::/127",
    "2001:db8:2::5/128",
];
const REQUESTS: [&[&str]; 9] = [
    &["192.0.2.0"],
    &["192.0.2.2"],
    &["192.0.2.255"],
    &["2001:db8::"],
    &["2001:db8::7777"],
    &["10.9.8.7"],
    &["192.0.2.1", "2001:db8::1"],
    &["2001:db8:1::", "192.0.2.254"],
    &["203.0.113.128", "2001:db8:2::5"],
];
pub(super) const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Put(Service),
    Delete(&'static str),
    Configure(Arc<Config>),
    /// Somebody else writes a status.
    Publish(&'static str, Vec<IpAddr>),
    /// A new controller sees the services in this order.
    Restart(Vec<&'static str>),
    /// The namespace has these labels.
    Label(Labels),
}

pub(super) fn any_namespace() -> impl Strategy<Value = Labels> {
    select(vec!["", "team=x", "team=y,tier=1"]).prop_map(labels)
}

fn any_allocation() -> impl Strategy<Value = Option<ServiceAllocation>> {
    let namespaces = subsequence(vec!["default", "other"], 0..=2);
    let of_namespaces = subsequence(vec!["team=x", "tier=1", "team=z"], 0..=2);
    let of_services = subsequence(vec!["app=web", "app=db", "app=web,tier=1"], 0..=2);
    let rules = (
        select(vec![-1, 0, 1, 2]),
        prop_oneof![2 => Just(Vec::new()), 1 => namespaces],
        prop_oneof![2 => Just(Vec::new()), 1 => of_namespaces],
        prop_oneof![2 => Just(Vec::new()), 1 => of_services],
    );
    let rules = rules.prop_map(|(priority, namespaces, of_namespaces, of_services)| {
        let selectors = |texts: Vec<&str>| texts.into_iter().map(selector).collect();
        ServiceAllocation {
            priority: Priority(priority),
            namespaces: namespaces.into_iter().map(Into::into).collect(),
            namespace_selectors: selectors(of_namespaces),
            service_selectors: selectors(of_services),
        }
    });
    prop::option::weighted(0.5, rules)
}

pub(super) fn any_config(
    addresses_in_use: impl Strategy<Value = AddressesInUse>,
) -> impl Strategy<Value = Arc<Config>> {
    let owners = prop::collection::vec(prop::option::weighted(0.8, 0..3usize), BLOCKS.len());
    let order = Just(BLOCKS.to_vec()).prop_shuffle();
    let avoids = prop::bool::weighted(0.3);
    let flags = (avoids, prop::bool::weighted(0.8), any_allocation());
    let flags = prop::collection::vec(flags, 3);
    let parts = (owners, order, flags, addresses_in_use);
    parts.prop_map(|(owners, order, flags, addresses_in_use)| {
        let pools = ["p", "q", "r"].iter().zip(flags).enumerate();
        let pools = pools.map(
            |(index, (name, (avoid_buggy_ips, auto_assign, allocation)))| {
                let blocks = order
                    .iter()
                    .zip(&owners)
                    .filter(|(_, owner)| **owner == Some(index));
                let blocks: Vec<_> = blocks.map(|(block, _)| *block).collect();
                Pool {
                    avoid_buggy_ips,
                    auto_assign,
                    allocation,
                    ..pool(name, &blocks)
                }
            },
        );
        let config = config(pools.filter(|pool| !pool.blocks.is_empty()));
        Arc::new(Config {
            addresses_in_use,
            ..config
        })
    })
}

fn any_use() -> impl Strategy<Value = AddressesInUse> {
    select(vec![AddressesInUse::Keep, AddressesInUse::Reallocate])
}

pub(super) fn any_service() -> impl Strategy<Value = Service> {
    let families = prop_oneof![
        4 => Just(Ok(Families::One(Family::V4))),
        2 => Just(Ok(Families::One(Family::V6))),
        3 => Just(Ok(Families::Both)),
        2 => Just(Ok(Families::PreferBoth { primary: Family::V4 })),
        2 => Just(Ok(Families::PreferBoth { primary: Family::V6 })),
        1 => Just(Err(FamiliesError::NoClusterIp)),
    ];
    let requested = prop_oneof![
        12 => Just(Ok(Vec::new())),
        6 => select(REQUESTS.to_vec()).prop_map(|request| Ok(ips(request))),
        1 => Just(Err(RequestError::Both)),
    ];
    let asked = (
        requested,
        prop::option::weighted(0.2, select(vec!["p", "q", "r", "none"])),
    );
    let sharing = prop::option::weighted(0.6, select(vec!["x", "y"]));
    let backend = (prop::bool::weighted(0.3), select(vec!["", "one", "two"]));
    let ports = subsequence(vec![53, 80, 443], 1..=2);
    let ours = (prop::bool::weighted(0.95), prop::bool::weighted(0.95));
    let named = (
        select(NAMES.to_vec()),
        select(vec!["", "app=web", "app=web,tier=1", "app=db"]),
    );
    (named, families, asked, sharing, backend, ports, ours).prop_map(
        |(named, families, (requested, pool), sharing, (local, app), numbers, ours)| {
            let mut service = service(named.0);
            service.set_labels(labels(named.1));
            service.is_load_balancer = ours.0;
            service.load_balancer_class = (!ours.1).then(|| "other".to_owned());
            service.families = families;
            service.requests.addresses = requested;
            service.requests.address_pool = pool.map(str::to_owned);
            service.requests.sharing_key = sharing.map(str::to_owned);
            service.ports = super::ports(&numbers);
            if local {
                service.external_traffic_policy = TrafficPolicy::Local;
            }
            if !app.is_empty() {
                service.selector.insert("app".to_owned(), app.to_owned());
            }
            service
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_service().prop_map(Step::Put),
        4 => select(NAMES.to_vec()).prop_map(Step::Delete),
        3 => any_config(any_use()).prop_map(Step::Configure),
        2 => any_namespace().prop_map(Step::Label),
        1 => (select(NAMES.to_vec()), select(REQUESTS.to_vec()))
            .prop_map(|(name, request)| Step::Publish(name, ips(request))),
        2 => Just(NAMES.to_vec()).prop_shuffle().prop_map(Step::Restart),
    ]
}

impl Cluster {
    fn holdings(&self) -> BTreeMap<ServiceKey, Vec<IpAddr>> {
        let services = self.controller.services();
        services
            .map(|(key, status)| (key.clone(), status.addresses))
            .collect()
    }

    /// The model's world as a service sees it.
    fn world(&self, key: &ServiceKey) -> World<'_> {
        let others = self
            .controller
            .services()
            .filter(|(other, _)| *other != key);
        World {
            config: self.controller.config().unwrap(),
            namespace: &self.namespace,
            others: others
                .map(|(other, status)| (&self.services[other], status.addresses))
                .collect(),
        }
    }

    fn is_ours(&self, key: &ServiceKey) -> bool {
        self.services
            .get(key)
            .is_some_and(|service| service.is_of_class(None))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Put(mut service) => {
                if let Some(before) = self.services.get(&service.key) {
                    service.publish(before.published().iter().cloned());
                }
                self.put(service);
            }
            Step::Delete(name) => self.delete(name),
            Step::Configure(config) => self.controller.handle(Input::Config(config)),
            Step::Publish(name, addresses) => {
                if let Some(mut service) = self.services.get(&key(name)).cloned() {
                    service.publish(addresses.into_iter().map(Ingress::Address));
                    self.put(service);
                }
            }
            Step::Restart(order) => self.restart(&order),
            Step::Label(labels) => self.label_namespace(labels),
        }
    }

    /// A restart changes nothing and tells nothing, except again who has no address; also if the
    /// last services in this order are not known at first (those that share with nobody).
    fn restart(&mut self, order: &[&str]) {
        self.settle();
        let before = self.holdings();
        let config = self.controller.config().cloned();
        let waiting = self.controller.refused();
        let waiting = waiting.map(|waiting| waiting.config.clone());
        self.controller = Controller::new(None);
        self.label_namespace(self.namespace.clone());
        self.controller.handle(Input::NamespacesKnown);
        let services = order
            .iter()
            .filter_map(|name| self.services.get(&key(name)));
        let services: Vec<Service> = services.cloned().collect();
        let (late, early): (Vec<_>, Vec<_>) =
            (services.iter().enumerate()).partition(|(n, service)| {
                *n > order.len() / 2 && service.requests.sharing_key.is_none()
            });
        for (_, service) in &late {
            let addresses = service.published_addresses().collect();
            let reserved = Input::Reserved(service.key.clone(), addresses);
            self.controller.handle(reserved);
        }
        for (_, service) in early {
            self.controller.handle(Input::Service(service.clone()));
        }
        if let Some(config) = config {
            let newest = waiting.unwrap_or_else(|| config.clone());
            self.controller.handle(Input::InForceBefore(config));
            self.controller.handle(Input::Config(newest));
        }
        self.controller.handle(Input::Synced);
        for change in self.settle() {
            assert!(change.addresses.is_empty(), "after a restart: {change:?}");
            assert!(
                before[&change.service].is_empty(),
                "after a restart: {change:?}"
            );
        }
        for (_, service) in late {
            self.controller.handle(Input::Service(service.clone()));
        }
        for change in self.settle() {
            assert_eq!(change.addresses, before[&change.service]);
        }
        assert_eq!(self.holdings(), before);
    }

    /// Writes the changes; each must be the model's choice.
    fn settle_by_the_model(&mut self) {
        let mut before = self.holdings();
        while let Some(change) = self.controller.poll_change() {
            let key = &change.service;
            let service = &self.services[key];
            let had = (before.get(key).cloned())
                .filter(|held| !held.is_empty())
                .unwrap_or_else(|| service.published_addresses().collect());
            let expected = self.world(key).expected(service, &had);
            assert_eq!(change.addresses, expected, "{key} had {had:?}");
            before.insert(key.clone(), change.addresses.clone());
            self.write(&change);
        }
    }

    fn check(&self) {
        self.check_refused();
        let holdings = self.holdings();
        for (key, held) in &holdings {
            let service = &self.services[key];
            if !self.is_ours(key) {
                assert!(held.is_empty());
                continue;
            }
            let published: Vec<_> = service.published_addresses().collect();
            assert_eq!(*held, published);
            if self.controller.config().is_some() {
                assert_eq!(*held, self.world(key).expected(service, held), "{key}");
            }
            for (other, theirs) in holdings.iter().filter(|(other, _)| *other != key) {
                let common = held.iter().any(|address| theirs.contains(address));
                assert!(
                    !common || may_share(service, &self.services[other]),
                    "{key} {other}"
                );
            }
        }
        let in_use: BTreeSet<_> = holdings.values().flatten().collect();
        let pools = self.controller.pools();
        let assigned = pools
            .iter()
            .map(|pool| pool.ipv4.assigned + pool.ipv6.assigned);
        assert_eq!(assigned.sum::<u128>(), in_use.len() as u128);
    }

    /// A configuration waits exactly as long as services are in its way.
    fn check_refused(&self) {
        let Some(refused) = self.controller.refused() else {
            return;
        };
        let mut in_the_way = self.holdings();
        if self.controller.config().is_some() {
            in_the_way
                .retain(|key, held| !held.is_empty() && !self.fits(&refused.config, key, held));
            assert_eq!(refused.holders, in_the_way);
        }
        assert!(!refused.holders.is_empty());
    }

    /// Whether a configuration lets a service keep what it has.
    fn fits(&self, config: &Config, key: &ServiceKey, held: &[IpAddr]) -> bool {
        let asked = self.services[key].requests.address_pool.as_deref();
        pool_of(config, held).is_some_and(|pool| {
            let avoids = pool.avoid_buggy_ips && held.iter().any(|ip| is_buggy(*ip));
            !avoids && asked.is_none_or(|asked| *asked == *pool.name)
        })
    }

    /// A service that nobody touched keeps what it had, as far as the configuration allows it.
    fn check_stability(&self, before: &BTreeMap<ServiceKey, Vec<IpAddr>>, touched: &[ServiceKey]) {
        for (key, had) in before {
            if touched.contains(key) || had.is_empty() {
                continue;
            }
            let may_keep = self.world(key).expected(&self.services[key], had);
            let has = self.controller.explain(key).unwrap().addresses;
            assert!(
                has.starts_with(had) || !may_keep.starts_with(had),
                "{key} had {had:?} and has {has:?}"
            );
        }
    }
}

fn touched(steps: &[Step]) -> Vec<ServiceKey> {
    let touched = steps.iter().filter_map(|step| match step {
        Step::Put(service) => Some(service.key.clone()),
        Step::Delete(name) | Step::Publish(name, _) => Some(key(name)),
        Step::Configure(_) | Step::Restart(_) | Step::Label(_) => None,
    });
    touched.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn histories_agree_with_the_model(
        first in any_config(any_use()),
        batches in prop::collection::vec(prop::collection::vec(any_step(), 1..4), 1..25),
    ) {
        let (mut cluster, _) = Cluster::start(&first, Vec::new());
        cluster.label_namespace(Labels::new());
        for steps in batches {
            let (before, touched) = (cluster.holdings(), touched(&steps));
            let is = |kind: fn(&Step) -> bool| steps.iter().any(kind);
            let by_the_model = steps.len() == 1 && !is(|step| matches!(step, Step::Publish(..)));
            let one_config = !is(|step| matches!(step, Step::Restart(_)));
            for step in steps {
                cluster.take(step);
            }
            if by_the_model {
                cluster.settle_by_the_model();
            }
            cluster.settle();
            cluster.check();
            if one_config && cluster.controller.config().is_some() {
                cluster.check_stability(&before, &touched);
            }
        }
        for name in NAMES {
            cluster.delete(name);
        }
        cluster.settle();
        if let Some(config) = cluster.controller.config() {
            let mut empty = Allocator::new(config);
            empty.set_namespace(&"default".into(), Some(&cluster.namespace));
            prop_assert_eq!(format!("{:?}", *cluster.controller.books), format!("{empty:?}"));
        }
        prop_assert!(cluster.controller.refused().is_none());
    }

    #[test]
    fn the_order_of_inputs_does_not_matter(
        config in any_config(any_use()),
        services in prop::collection::vec(any_service(), 1..9),
        requests in prop::collection::vec(select(REQUESTS.to_vec()), 9),
    ) {
        let named: BTreeMap<_, _> = (services.into_iter())
            .map(|service| (service.key.clone(), service))
            .collect();
        let mut services: Vec<_> = (named.into_values().zip(requests))
            .map(|(service, request)| published(service, request))
            .collect();
        let (forth, changes) = Cluster::start(&config, services.clone());
        services.reverse();
        let (back, same_changes) = Cluster::start(&config, services);
        prop_assert_eq!(forth.holdings(), back.holdings());
        prop_assert_eq!(changes, same_changes);
        forth.check();
    }
}
