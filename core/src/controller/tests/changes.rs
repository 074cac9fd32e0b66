//! Services that come, change and go, and what is told of it.

use super::*;

fn small() -> Arc<Config> {
    Arc::new(config([pool("p", &["192.0.2.0/31"])]))
}

fn waiting(name: &str) -> String {
    format!(
        "AllocationFailed: Failed to allocate IP for \"default/{name}\": no available addresses in \
         pool \"p\" (2 of 2 assigned)"
    )
}

#[test]
fn what_is_written_comes_back_as_a_no_op() {
    let mut controller = Controller::new(None);
    controller.handle(Input::Config(small()));
    controller.handle(Input::Synced);
    controller.handle(Input::Service(service("a")));
    let change = controller.poll_change().unwrap();
    assert_eq!(controller.poll_change(), None);

    let mut edited = service("a");
    edited.ports = ports(&[81]);
    controller.handle(Input::Service(edited.clone()));
    assert_eq!(controller.poll_change(), None, "the write is on its way");
    controller.handle(Input::Service(published(edited, &["192.0.2.0"])));
    assert_eq!(controller.poll_change(), None);
    assert_eq!(change.addresses, ips(&["192.0.2.0"]));
}

#[test]
fn an_older_status_that_comes_back_is_overwritten() {
    let mut controller = Controller::new(None);
    controller.handle(Input::Config(small()));
    controller.handle(Input::Synced);
    controller.handle(Input::Service(service("a")));
    controller.poll_change().unwrap();
    let mut moved = service("a");
    moved.requests.addresses = Ok(ips(&["192.0.2.1"]));
    controller.handle(Input::Service(moved));
    let change = controller.poll_change().unwrap();
    assert_eq!(change.addresses, ips(&["192.0.2.1"]));
    controller.handle(Input::Service(service("a")));
    assert_eq!(controller.poll_change(), None);

    controller.handle(Input::Service(published(service("a"), &["192.0.2.0"])));
    let change = controller.poll_change().unwrap();
    assert_eq!(change.addresses, ips(&["192.0.2.1"]));
    assert_eq!(change.events, []);
    controller.handle(Input::Service(published(service("a"), &["192.0.2.1"])));
    assert_eq!(controller.poll_change(), None);
}

#[test]
fn a_status_that_somebody_else_wrote_is_adopted_if_it_is_allowed() {
    let (mut cluster, _) = Cluster::start(&small(), vec![service("a")]);
    cluster.edit("a", |a| *a = published(a.clone(), &["192.0.2.1"]));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));

    for nonsense in [vec![], vec!["10.0.0.1"]] {
        cluster.edit("a", |a| *a = published(a.clone(), &nonsense));
        let changes = cluster.settle();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].addresses, ips(&["192.0.2.1"]));
        assert_eq!(changes[0].events, []);
    }
}

#[test]
fn of_two_that_publish_one_address_the_first_keeps_it() {
    let services = vec![
        published(service("b"), &["192.0.2.1"]),
        published(service("a"), &["192.0.2.1"]),
    ];
    let (cluster, changes) = Cluster::start(&small(), services);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    assert!(told(&changes)[0].contains("192.0.2.1 is already in use by default/a"));

    let config = Arc::new(config([pool("p", &["192.0.2.0/31", "2001:db8::/64"])]));
    let mut pair = published(service("b"), &["192.0.2.1", "2001:db8::"]);
    pair.families = Ok(Families::Both);
    let single = published(service("a"), &["192.0.2.1"]);
    let (cluster, _) = Cluster::start(&config, vec![single, pair]);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1", "2001:db8::"]));
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
}

#[test]
fn nobody_gets_what_somebody_publishes() {
    let services = vec![
        service("a"),
        published(service("b"), &["10.0.0.1"]),
        published(service("c"), &["192.0.2.0"]),
    ];
    let (cluster, _) = Cluster::start(&small(), services);
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert!(cluster.addresses("b").is_empty());
}

#[test]
fn addresses_asked_for_by_name_are_given_first() {
    let mut asks = service("z");
    asks.requests.addresses = Ok(ips(&["192.0.2.0"]));
    let (cluster, _) = Cluster::start(&small(), vec![service("a"), asks]);
    assert_eq!(cluster.addresses("z"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
}

#[test]
fn what_is_released_goes_to_those_who_wait_in_order() {
    let names = ["a", "b", "c", "d"];
    let (mut cluster, changes) = Cluster::start(&small(), names.map(service).to_vec());
    assert_eq!(told(&changes)[2..], [waiting("c"), waiting("d")]);
    assert_eq!(
        cluster.shortfall("d"),
        "no available addresses in pool \"p\" (2 of 2 assigned)"
    );

    cluster.delete("a");
    assert_eq!(
        told(&cluster.settle()),
        ["IPAllocated: Assigned IP [\"192.0.2.0\"]"]
    );
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.0"]));
    cluster.edit("b", |b| b.is_load_balancer = false);
    let changes = cluster.settle();
    assert_eq!(changes[0].pool, None);
    assert_eq!(told(&changes), ["IPAllocated: Assigned IP [\"192.0.2.1\"]"]);
    assert_eq!(cluster.addresses("d"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.controller.explain(&key("b")), None);
}

#[test]
fn a_second_address_is_given_when_there_is_one() {
    let config = Arc::new(config([pool("p", &["192.0.2.0/31", "2001:db8::1/128"])]));
    let mut dual = service("a");
    dual.families = Ok(Families::Both);
    let mut prefers = service("b");
    prefers.families = Ok(Families::PreferBoth {
        primary: Family::V4,
    });
    let (mut cluster, changes) = Cluster::start(&config, vec![dual, prefers]);
    assert_eq!(
        told(&changes)[1..],
        [
            "IPAllocated: Assigned IP [\"192.0.2.1\"]",
            "AdditionalAssignFailed: cannot assign additional IP in PreferDualStack: no available \
             IPv6 addresses in pool \"p\" (1 of 1 assigned)"
        ]
    );
    cluster.delete("a");
    assert_eq!(
        told(&cluster.settle()),
        ["IPAllocated: Assigned additional IP \"2001:db8::1\""]
    );
}

#[test]
fn a_failure_is_told_once() {
    let names = ["a", "b", "c"];
    let (mut cluster, _) = Cluster::start(&small(), names.map(service).to_vec());
    let again = cluster.services[&key("c")].clone();
    cluster.put(again);
    cluster.put(service("d"));
    assert_eq!(told(&cluster.settle()), [waiting("d")]);
    let mut wider = pool("p", &["192.0.2.0/31"]);
    wider.avoid_buggy_ips = false;
    let other = Arc::new(config([wider, pool("six", &["2001:db8::/64"])]));
    assert_eq!(cluster.reconfigure(&other), []);
    cluster.edit("c", |c| c.requests.address_pool = Some("six".into()));
    assert_eq!(
        told(&cluster.settle()),
        [
            "AllocationFailed: Failed to allocate IP for \"default/c\": pool \"six\" has no IPv4 \
          addresses"
        ]
    );
}

#[test]
fn those_who_share() {
    let shares = |name: &str, port| {
        let mut service = service(name);
        service.requests.sharing_key = Some("x".into());
        service.ports = ports(&[port]);
        service
    };
    let services = vec![shares("a", 80), shares("b", 443), shares("c", 80)];
    let (mut cluster, _) = Cluster::start(&small(), services);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.controller.pools()[0].ipv4.assigned, 2);

    cluster.edit("b", |b| b.ports = ports(&[8443]));
    assert_eq!(
        cluster.settle(),
        [],
        "own ports may change where they are free"
    );
    cluster.edit("b", |b| b.ports = ports(&[80]));
    let changes = cluster.settle();
    assert!(told(&changes)[0].contains("port TCP/80 is already in use on 192.0.2.0 by default/a"));
    assert!(told(&changes)[1].ends_with("no available addresses in pool \"p\" (2 of 2 assigned)"));

    cluster.edit("c", |c| c.ports = ports(&[443]));
    assert_eq!(
        told(&cluster.settle()),
        ["IPAllocated: Assigned IP [\"192.0.2.1\"]"]
    );
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));

    cluster.edit("a", |a| a.requests.sharing_key = Some("y".into()));
    assert_eq!(cluster.settle(), [], "a sole user changes its key in place");
    cluster.put(shares("d", 8080));
    cluster.settle();
    assert_eq!(cluster.addresses("d"), ips(&["192.0.2.1"]));
}

#[test]
fn other_classes_are_explained_and_their_addresses_forgotten() {
    let (mut cluster, _) = Cluster::start(&small(), vec![service("a"), service("b")]);
    cluster.edit("a", |a| {
        a.load_balancer_class = Some("example.com/lb".into());
    });
    assert_eq!(cluster.settle(), []);
    assert_eq!(
        cluster.shortfall("a"),
        "the service has loadBalancerClass \"example.com/lb\", this daemon serves services with no \
         loadBalancerClass"
    );
    assert_eq!(cluster.controller.pools()[0].ipv4.assigned, 1);
    assert_eq!(cluster.controller.services().count(), 2);
}

#[test]
fn those_who_wait_for_the_same_are_served_in_turn() {
    let services = ["a", "b", "w1", "w2", "w3"].map(service).to_vec();
    let (mut cluster, _) = Cluster::start(&small(), services);
    cluster.delete("a");
    cluster.delete("b");
    cluster.settle();
    assert_eq!(cluster.addresses("w1"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("w2"), ips(&["192.0.2.1"]));

    // Whose turn it is may be gone when it comes.
    cluster.put(service("w4"));
    cluster.settle();
    cluster.delete("w1");
    cluster.delete("w3");
    cluster.settle();
    assert_eq!(cluster.addresses("w4"), ips(&["192.0.2.0"]));

    // Or it may want something else from then on.
    cluster.put(service("w5"));
    cluster.put(service("w6"));
    cluster.settle();
    cluster.delete("w4");
    cluster.edit("w5", |w5| w5.requests.addresses = Ok(ips(&["203.0.113.1"])));
    cluster.settle();
    assert_eq!(cluster.addresses("w6"), ips(&["192.0.2.0"]));
}
