//! Several controllers of one cluster, of which one leads.

use super::*;

fn small() -> Arc<Config> {
    Arc::new(config([pool("p", &["192.0.2.0/31"])]))
}

/// A cluster whose controller follows from the start.
fn follower(services: Vec<Service>) -> Cluster {
    let mut cluster = Cluster::empty();
    cluster.controller.handle(Input::Lead(false));
    cluster.controller.handle(Input::Config(small()));
    for service in services {
        cluster.put(service);
    }
    cluster.controller.handle(Input::Synced);
    assert_eq!(cluster.settle(), []);
    cluster
}

#[test]
fn a_follower_grants_nothing_and_knows_what_is_published() {
    let mut cluster = follower(vec![service("a"), published(service("b"), &["192.0.2.0"])]);
    assert_eq!(cluster.addresses("a"), ips(&[]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    assert!(cluster.controller.config().is_some());

    cluster.edit("b", |b| *b = published(b.clone(), &["192.0.2.1"]));
    cluster.edit("a", |a| *a = published(a.clone(), &["192.0.2.0"]));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));

    cluster.edit("a", |a| *a = published(a.clone(), &[]));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("a"), ips(&[]));
}

#[test]
fn a_new_leader_adopts_before_it_grants_and_says_nothing_of_what_is_right() {
    let mut cluster = follower(vec![service("a"), published(service("b"), &["192.0.2.0"])]);
    cluster.controller.handle(Input::Lead(true));
    let changes = cluster.settle();
    assert_eq!(told(&changes), ["IPAllocated: Assigned IP [\"192.0.2.1\"]"]);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
    cluster.controller.handle(Input::Lead(false));
    cluster.controller.handle(Input::Lead(true));
    assert_eq!(cluster.settle(), []);
}

#[test]
fn what_was_told_and_not_written_is_void_without_the_lead() {
    let mut cluster = follower(vec![service("a")]);
    cluster.controller.handle(Input::Lead(true));
    let unwritten = cluster.controller.poll_change().unwrap();
    assert_eq!(unwritten.addresses, ips(&["192.0.2.0"]));
    cluster.controller.handle(Input::Lead(false));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("a"), ips(&[]));
    cluster.put(published(service("b"), &["192.0.2.0"]));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));
}

#[test]
fn of_two_services_that_two_leaders_gave_one_address_one_keeps_it() {
    let mut cluster = follower(vec![
        published(service("a"), &["192.0.2.0"]),
        published(service("b"), &["192.0.2.0"]),
    ]);
    cluster.controller.handle(Input::Lead(true));
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.1"]));
}

#[test]
fn a_follower_takes_up_a_configuration_only_when_nothing_published_forbids_it() {
    let mut cluster = follower(vec![published(service("b"), &["192.0.2.0"])]);
    let other = Arc::new(config([pool("p", &["203.0.113.0/31"])]));
    assert_eq!(cluster.reconfigure(&other), []);
    assert!(cluster.controller.refused().is_some());
    cluster.delete("b");
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.controller.config(), Some(&other));
}
