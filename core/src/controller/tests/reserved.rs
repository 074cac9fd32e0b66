//! Addresses of services that are not known, and of those that are known again.

use super::*;

fn reserved(cluster: &mut Cluster, name: &str, addresses: &[&str]) -> Vec<StatusChange> {
    (cluster.controller).handle(Input::Reserved(key(name), ips(addresses)));
    cluster.settle()
}

fn sharing(name: &str, port: u16) -> Service {
    let mut service = service(name);
    service.requests.sharing_key = Some("web".to_owned());
    service.ports = ports(&[port]);
    service
}

/// A controller that knows of `a` only what it has, 192.0.2.0.
fn cluster(services: Vec<Service>) -> Cluster {
    let mut cluster = Cluster::empty();
    let config = Arc::new(config([pool("p", &["192.0.2.0/31"])]));
    cluster.controller.handle(Input::Config(config));
    let reserved = Input::Reserved(key("a"), ips(&["192.0.2.0"]));
    cluster.controller.handle(reserved);
    for service in services {
        cluster.put(service);
    }
    cluster.controller.handle(Input::Synced);
    cluster.settle();
    cluster
}

#[test]
fn what_an_unknown_service_has_is_given_to_nobody() {
    let mut cluster = cluster(vec![service("b"), service("c")]);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));
    assert!(cluster.addresses("c").is_empty());
    cluster.edit("c", |c| c.requests.addresses = Ok(ips(&["192.0.2.0"])));
    cluster.settle();
    let shortfall = cluster.shortfall("c");
    assert!(
        shortfall.contains("already in use by default/a"),
        "{shortfall}"
    );

    cluster.put(published(service("a"), &["192.0.2.0"]));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert!(cluster.addresses("c").is_empty());
}

#[test]
fn it_is_free_when_the_service_does_not_exist() {
    let mut cluster = cluster(vec![service("b"), service("c")]);
    assert!(cluster.addresses("c").is_empty());
    cluster.delete("a");
    cluster.settle();
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.0"]));
}

#[test]
fn those_who_share_with_an_unknown_service_keep_what_they_have() {
    let shared = |name, port| published(sharing(name, port), &["192.0.2.0"]);
    let mut cluster = cluster(vec![shared("b", 80)]);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    cluster.put(shared("c", 443));
    assert_eq!(cluster.settle(), []);
    cluster.put(shared("a", 8080));
    assert_eq!(cluster.settle(), []);
    for name in ["a", "b", "c"] {
        assert_eq!(cluster.addresses(name), ips(&["192.0.2.0"]));
    }
}

#[test]
fn a_reservation_outlives_configurations() {
    let mut cluster = cluster(Vec::new());
    let narrow = Arc::new(config([pool("p", &["192.0.2.1/32"])]));
    cluster.reconfigure(&narrow);
    let refused = cluster.controller.refused().unwrap();
    assert_eq!(refused.holders[&key("a")], ips(&["192.0.2.0"]));
    // The service may ask for the pool by its name.
    cluster.reconfigure(&Arc::new(config([pool("q", &["192.0.2.0/32"])])));
    assert!(cluster.controller.refused().is_some());
    cluster.reconfigure(&Arc::new(config([pool("p", &["192.0.2.0/32"])])));
    cluster.put(service("b"));
    cluster.settle();
    assert!(cluster.addresses("b").is_empty());
}

/// Another daemon's word about a service is told as its end and a new beginning.
#[test]
fn a_configuration_waits_for_a_service_that_begins_anew() {
    let mut cluster = cluster(vec![service("b")]);
    cluster.delete("a");
    let narrow = Arc::new(config([pool("p", &["198.51.100.0/24"])]));
    cluster.reconfigure(&narrow);
    assert!(cluster.controller.refused().is_some());
    cluster.delete("b");
    cluster.put(published(service("b"), &["192.0.2.0"]));
    assert_eq!(cluster.settle(), []);
    assert!(cluster.controller.refused().is_some());

    cluster.delete("b");
    let again = reserved(&mut cluster, "b", &["192.0.2.1"]);
    assert_eq!(again, []);
    assert!(cluster.controller.refused().is_some());
    cluster.delete("b");
    cluster.settle();
    assert_eq!(cluster.controller.config(), Some(&narrow));
}

#[test]
fn a_service_that_changes_its_class_between_two_changes_gets_nothing() {
    let config = Arc::new(config([pool("p", &["192.0.2.0/31"])]));
    let mut controller = Controller::new(None);
    controller.handle(Input::Config(config));
    controller.handle(Input::Service(service("a")));
    controller.handle(Input::Service(service("b")));
    controller.handle(Input::Synced);
    assert_eq!(controller.poll_change().unwrap().service, key("a"));
    let mut other = service("b");
    other.load_balancer_class = Some("other".to_owned());
    controller.handle(Input::Service(other));
    assert_eq!(controller.poll_change(), None);
}
