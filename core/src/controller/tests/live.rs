//! Configurations that change while addresses are in use.

use super::*;

fn one_pool(blocks: &[&str]) -> Arc<Config> {
    Arc::new(config([pool("p", blocks)]))
}

#[test]
fn a_configuration_waits_for_the_addresses_it_has_no_pool_for() {
    let services = vec![
        published(service("a"), &["192.0.2.1"]),
        published(service("b"), &["192.0.2.2"]),
        published(service("c"), &["198.51.100.0"]),
    ];
    let old = one_pool(&["192.0.2.0/30", "198.51.100.0/30"]);
    let new = one_pool(&["198.51.100.0/30"]);
    let (mut cluster, changes) = Cluster::start(&old, services);
    assert_eq!(changes, []);

    assert_eq!(cluster.reconfigure(&new), []);
    assert_eq!(cluster.controller.config(), Some(&old));
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(refused.config, new);
    assert_eq!(
        refused.to_string(),
        "the new configuration waits: it has no pool for addresses in use (192.0.2.1 of default/a, \
         192.0.2.2 of default/b); keep a pool for them, or delete these services or move them to \
         other addresses"
    );

    cluster.delete("a");
    assert_eq!(cluster.settle(), []);
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(refused.holders.keys().collect::<Vec<_>>(), [&key("b")]);

    cluster.edit("b", |service| {
        service.requests.addresses = Ok(ips(&["198.51.100.3"]));
    });
    cluster.settle();
    assert_eq!(cluster.controller.config(), Some(&new));
    assert!(cluster.controller.refused().is_none());
    assert_eq!(cluster.addresses("c"), ips(&["198.51.100.0"]));
}

#[test]
fn a_service_that_comes_later_can_be_in_the_way_too() {
    let (mut cluster, _) = Cluster::start(
        &one_pool(&["192.0.2.0/30"]),
        vec![published(service("a"), &["192.0.2.0"])],
    );
    let new = one_pool(&["192.0.2.2/32"]);
    cluster.reconfigure(&new);
    cluster.put(service("b"));
    cluster.settle();
    cluster.delete("a");
    cluster.settle();
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(
        refused.holders,
        [(key("b"), ips(&["192.0.2.1"]))].into_iter().collect()
    );
    cluster.edit("b", |service| service.is_load_balancer = false);
    let changes = cluster.settle();
    assert!(changes[0].addresses.is_empty());
    assert_eq!(cluster.controller.config(), Some(&new));
}

#[test]
fn a_waiting_configuration_is_replaced_or_taken_back() {
    let old = one_pool(&["192.0.2.0/30"]);
    let (mut cluster, _) = Cluster::start(&old, vec![published(service("a"), &["192.0.2.0"])]);
    cluster.reconfigure(&one_pool(&["198.51.100.0/24"]));
    assert!(cluster.controller.refused().is_some());
    cluster.reconfigure(&old);
    assert!(cluster.controller.refused().is_none());
    cluster.reconfigure(&one_pool(&["198.51.100.0/24"]));
    let wider = one_pool(&["198.51.100.0/24", "192.0.2.0/24"]);
    assert_eq!(cluster.reconfigure(&wider), []);
    assert_eq!(cluster.controller.config(), Some(&wider));
}

#[test]
fn no_pools_take_nothing_away() {
    let none = Arc::default();
    let some = one_pool(&["192.0.2.0/30"]);
    let services = vec![published(service("a"), &["192.0.2.0"])];

    let (mut running, _) = Cluster::start(&some, services.clone());
    assert_eq!(running.reconfigure(&none), []);
    assert_eq!(running.controller.config(), Some(&some));
    assert!(running.controller.refused().is_some());

    let (mut starting, changes) = Cluster::start(&none, services.clone());
    assert_eq!(changes, []);
    assert!(starting.controller.is_provisional());
    let refused = starting.controller.refused().unwrap();
    assert_eq!(refused.holders[&key("a")], ips(&["192.0.2.0"]));
    assert_eq!(starting.reconfigure(&some), []);
    assert_eq!(starting.controller.config(), Some(&some));

    let (mut starting, _) = Cluster::start(&none, services);
    starting.delete("a");
    starting.settle();
    assert_eq!(starting.controller.config(), Some(&none));
}

#[test]
fn at_the_start_others_addresses_do_not_keep_a_configuration_waiting() {
    let services = vec![
        published(service("a"), &["203.0.113.1"]),
        published(service("b"), &["192.0.2.0"]),
    ];
    let (cluster, changes) = Cluster::start(&one_pool(&["192.0.2.0/30"]), services);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    assert_eq!(
        told(&changes),
        [
            "ClearAssignment: current IP for \"default/a\" not allowed by config, will attempt for \
             new IP assignment: 203.0.113.1 is not allowed in config: it belongs to no pool",
            "IPAllocated: Assigned IP [\"192.0.2.1\"]",
        ]
    );
}

#[test]
fn addresses_move_with_their_blocks_to_other_pools() {
    let services = vec![service("a"), service("b")];
    let (mut cluster, _) = Cluster::start(&one_pool(&["192.0.2.0/30"]), services);
    let changes = cluster.reconfigure(&Arc::new(config([
        pool("q", &["192.0.2.0/32"]),
        pool("p", &["192.0.2.1/32"]),
    ])));
    let [change] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(change.service, key("a"));
    assert_eq!(change.addresses, ips(&["192.0.2.0"]));
    assert_eq!(change.pool.as_deref(), Some("q"));
    assert_eq!(change.events, []);
}

#[test]
fn a_pair_that_would_be_split_keeps_the_old_pools() {
    let mut dual = service("a");
    dual.families = Ok(Families::Both);
    let old = one_pool(&["192.0.2.0/30", "2001:db8::/64"]);
    let (mut cluster, _) = Cluster::start(&old, vec![dual]);
    cluster.reconfigure(&Arc::new(config([
        pool("p", &["192.0.2.0/30"]),
        pool("q", &["2001:db8::/64"]),
    ])));
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(
        refused.holders[&key("a")],
        ips(&["192.0.2.0", "2001:db8::"])
    );
}

#[test]
fn avoiding_buggy_addresses_waits_for_those_in_use() {
    let services = vec![service("a"), service("b")];
    let (mut cluster, _) = Cluster::start(&one_pool(&["192.0.2.0/30"]), services);
    let mut careful = pool("p", &["192.0.2.0/30"]);
    careful.avoid_buggy_ips = true;
    let careful = Arc::new(config([careful]));
    assert_eq!(cluster.reconfigure(&careful), []);
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(refused.holders.keys().collect::<Vec<_>>(), [&key("a")]);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));

    cluster.controller.handle(Input::Renumber(careful));
    let changes = cluster.settle();
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.2"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));
    assert_eq!(
        told(&changes),
        [
            "ClearAssignment: current IP for \"default/a\" not allowed by config, will attempt for \
             new IP assignment: 192.0.2.0 is not allowed in config: pool \"p\" avoids addresses \
             that end in .0 or .255 (avoidBuggyIPs; avoid-buggy-ips in a ConfigMap)",
            "IPAllocated: Assigned IP [\"192.0.2.2\"]",
        ]
    );
    let usage = &cluster.controller.pools()[0].ipv4;
    assert_eq!((usage.assigned, usage.total), (2, 3));
}

#[test]
fn a_pool_that_a_service_asks_for_keeps_its_name() {
    let mut asks = service("a");
    asks.requests.address_pool = Some("p".to_owned());
    let (mut cluster, _) = Cluster::start(&one_pool(&["192.0.2.0/30"]), vec![asks]);
    let renamed = Arc::new(config([pool("q", &["192.0.2.0/30"])]));
    assert_eq!(cluster.reconfigure(&renamed), []);
    assert!(cluster.controller.refused().is_some());
    cluster.edit("a", |a| a.requests.address_pool = None);
    cluster.settle();
    assert_eq!(cluster.controller.config(), Some(&renamed));
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
}

#[test]
fn more_room_serves_those_who_wait() {
    let services = vec![service("a"), service("b")];
    let (mut cluster, _) = Cluster::start(&one_pool(&["192.0.2.0/32"]), services);
    assert!(cluster.addresses("b").is_empty());
    let changes = cluster.reconfigure(&one_pool(&["192.0.2.0/31"]));
    assert_eq!(told(&changes), ["IPAllocated: Assigned IP [\"192.0.2.1\"]"]);
}

/// The ConfigMap keeps addresses in use, MetalLB's resources reallocate them.
#[test]
fn the_format_says_what_becomes_of_addresses_in_use() {
    use crate::config::AddressesInUse::{Keep, Reallocate};
    let moved = |addresses_in_use| {
        Arc::new(Config {
            addresses_in_use,
            ..Config::clone(&one_pool(&["203.0.113.0/31"]))
        })
    };
    for (addresses_in_use, address) in [(Keep, "192.0.2.0"), (Reallocate, "203.0.113.0")] {
        let new = moved(addresses_in_use);
        let (mut cluster, _) = Cluster::start(&one_pool(&["192.0.2.0/31"]), vec![service("a")]);
        let changes = cluster.reconfigure(&new);
        assert_eq!(cluster.addresses("a"), ips(&[address]));
        assert_eq!(changes.is_empty(), addresses_in_use == Keep);
        let refused = cluster.controller.refused().map(|refused| &refused.config);
        assert_eq!(refused, Some(&new).filter(|_| addresses_in_use == Keep));

        // At a start, when nobody knows what was in force before.
        let holder = given(service("a"), "p", &["192.0.2.0"]);
        let (started, _) = Cluster::start(&new, vec![holder]);
        assert_eq!(
            started.controller.is_provisional(),
            addresses_in_use == Keep
        );
        let addresses = started.controller.explain(&key("a")).unwrap().addresses;
        assert_eq!(addresses, ips(&[address]));
    }
}
