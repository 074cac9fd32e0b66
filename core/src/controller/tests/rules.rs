//! Which pool a service gets an address of, by what pools say of the services that they are for.

use super::steps::described;
use super::*;
use crate::config::AddressesInUse;
use crate::labels::Labels;
use crate::testing::{labels, selector};

/// A configuration as lines, each a pool: its name, its blocks, and words that each set a field.
fn described_config(text: &str) -> Config {
    let pools = text.split(';').map(|line| {
        let mut words = line.split_whitespace();
        let mut pool = pool(words.next().unwrap(), &[]);
        for word in words {
            let (field, value) = word.split_once('=').unwrap_or((word, ""));
            let rules = || pool.allocation.clone().unwrap_or_default();
            let mut rules = rules();
            match field {
                "manual" => pool.auto_assign = false,
                "priority" => rules.priority.0 = value.parse().unwrap(),
                "in" => drop(rules.namespaces.insert(value.into())),
                "in-those" => rules.namespace_selectors.push(selector(value)),
                "for" => rules.service_selectors.push(selector(value)),
                _ => pool.blocks.push(word.parse().unwrap()),
            }
            if matches!(field, "priority" | "in" | "in-those" | "for") {
                pool.allocation = Some(rules);
            }
        }
        pool
    });
    Config {
        addresses_in_use: AddressesInUse::Reallocate,
        ..config(pools)
    }
}

/// The service `default/s`, as in [`described`], with labels.
fn labelled(words: &str, of_service: &str) -> Service {
    let mut service = described(words);
    service.set_labels(labels(of_service));
    service
}

/// What it is about; the pools; the labels of the namespace `default`; the service and its labels; the
/// addresses that it gets, or why none.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    (&'static str, &'static str),
    &'static str,
);

const WHO_IS_FIRST: &[Row] = &[
    (
        "by name where all else is equal",
        "q 192.0.2.2/32; p 192.0.2.1/32",
        "",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "a lower number first",
        "p 192.0.2.1/32 priority=20; q 192.0.2.2/32 priority=10",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "none last",
        "p 192.0.2.1/32 priority=0; q 192.0.2.2/32 priority=10",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "a negative number before others",
        "p 192.0.2.1/32 priority=1; q 192.0.2.2/32 priority=-1",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "those that say who they are for before those that do not",
        "p 192.0.2.1/32; q 192.0.2.2/32 in=default",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "the next where the first has none",
        "p 2001:db8::/64 priority=1; q 192.0.2.2/32 priority=2",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "those that are not for it are passed over",
        "p 192.0.2.1/32 priority=1 in=other; q 192.0.2.2/32 priority=2",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "one that must be asked for is passed over, too",
        "p 192.0.2.1/32 priority=1 manual; q 192.0.2.2/32",
        "",
        ("", ""),
        "192.0.2.2",
    ),
    (
        "one family of a pool for it comes before both of a pool for all",
        "p 192.0.2.1/32 in=default; q 192.0.2.2/32 2001:db8::/64",
        "",
        ("prefer", ""),
        "192.0.2.1",
    ),
    (
        "but not where both are required",
        "p 192.0.2.1/32 in=default; q 192.0.2.2/32 2001:db8::/64",
        "",
        ("both", ""),
        "192.0.2.2,2001:db8::",
    ),
    (
        "both in a later pool for it before one in an earlier",
        "p 192.0.2.1/32 priority=1; q 192.0.2.2/32 2001:db8::/64 priority=2",
        "",
        ("prefer", ""),
        "192.0.2.2,2001:db8::",
    ),
];

const WHO_IS_IT_FOR: &[Row] = &[
    (
        "its namespace by name",
        "p 192.0.2.1/32 in=other in=default",
        "",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "its namespace by a label",
        "p 192.0.2.1/32 in-those=team=y in-those=team=x",
        "team=x",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "its namespace by the label with its name",
        "p 192.0.2.1/32 in-those=kubernetes.io/metadata.name=default",
        "team=x",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "any namespace",
        "p 192.0.2.1/32 in-those=",
        "",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "another namespace by name, its own by a label",
        "p 192.0.2.1/32 in=other in-those=team=x",
        "team=x",
        ("", ""),
        "192.0.2.1",
    ),
    (
        "its labels",
        "p 192.0.2.1/32 for=app=mail for=app=web",
        "",
        ("", "app=web"),
        "192.0.2.1",
    ),
    (
        "its labels and its namespace",
        "p 192.0.2.1/32 for=app=web in-those=team=x",
        "team=x",
        ("", "app=web"),
        "192.0.2.1",
    ),
    (
        "its labels, but another namespace",
        "p 192.0.2.1/32 for=app=web in=other",
        "",
        ("", "app=web"),
        "no available addresses: no pool is for this service: pool \"p\" not compatible for ip \
         assignment: its serviceAllocation is for the namespace \"other\", not \"default\"",
    ),
    (
        "its namespace, but other labels",
        "p 192.0.2.1/32 for=app=web in=default; q 192.0.2.2/32 for=app=mail",
        "",
        ("", "app=db"),
        "no available addresses: no pool is for this service: pool \"p\" not compatible for ip \
         assignment: the serviceSelectors of its serviceAllocation do not match the labels of the \
         service, nor is the other one",
    ),
    (
        "selectors that match no namespace restrict it to none",
        "p 192.0.2.1/32 in-those=team=nobody for=app=web",
        "team=x",
        ("", "app=web"),
        "no available addresses: no pool is for this service: pool \"p\" not compatible for ip \
         assignment: its serviceAllocation is for the namespaces that its namespaceSelectors match \
         by their labels, not \"default\"",
    ),
    (
        "a pool for others has addresses, that for all has none",
        "p 192.0.2.1/32 in=other; q 2001:db8::/64",
        "",
        ("", ""),
        "pool \"q\" has no IPv4 addresses",
    ),
];

const ASKED_FOR: &[Row] = &[
    (
        "a pool that must be asked for",
        "p 192.0.2.1/32 manual in=default; q 192.0.2.2/32",
        "",
        ("pool=p", ""),
        "192.0.2.1",
    ),
    (
        "a pool for other namespaces",
        "p 192.0.2.1/32 in=b in=a in-those=team=x; q 192.0.2.2/32",
        "",
        ("pool=p", ""),
        "pool \"p\" not compatible for ip assignment: its serviceAllocation is for the namespaces \
         \"a\", \"b\" and those that its namespaceSelectors match, not \"default\"",
    ),
    (
        "a pool for other services",
        "p 192.0.2.1/32 for=app=web",
        "",
        ("pool=p", "app=db"),
        "pool \"p\" not compatible for ip assignment: the serviceSelectors of its serviceAllocation \
         do not match the labels of the service",
    ),
    (
        "an address of a pool that is for it",
        "p 192.0.2.1/32 manual for=app=web; q 192.0.2.2/32",
        "",
        ("ask=192.0.2.1", "app=web"),
        "192.0.2.1",
    ),
    (
        "an address of a pool for other namespaces",
        "p 192.0.2.1/32 in=a in=b; q 192.0.2.2/32",
        "",
        ("ask=192.0.2.1", ""),
        "pool \"p\" not compatible for ip assignment: its serviceAllocation is for the namespaces \
         \"a\", \"b\", not \"default\"",
    ),
    (
        "an address of a pool for other services",
        "p 192.0.2.1/32 for=app=web; q 192.0.2.2/32",
        "",
        ("ask=192.0.2.1", ""),
        "pool \"p\" not compatible for ip assignment: the serviceSelectors of its serviceAllocation \
         do not match the labels of the service",
    ),
    (
        "priority does not matter",
        "p 192.0.2.1/32 priority=1; q 192.0.2.2/32 priority=2",
        "",
        ("pool=q", ""),
        "192.0.2.2",
    ),
    (
        "a second address must be of a pool that is for it, too",
        "p 192.0.2.1/32 2001:db8::/64 in=default",
        "",
        ("prefer has=192.0.2.1", ""),
        "192.0.2.1,2001:db8::",
    ),
];

const KEPT: &[Row] = &[
    (
        "in a pool that is for it",
        "p 192.0.2.1/32 in=default; q 192.0.2.2/32 priority=1",
        "",
        ("has=192.0.2.1", ""),
        "192.0.2.1",
    ),
    (
        "in a pool that comes later",
        "p 192.0.2.1/32 priority=2; q 192.0.2.2/32 priority=1",
        "",
        ("has=192.0.2.1", ""),
        "192.0.2.1",
    ),
    (
        "not in a pool for other namespaces",
        "p 192.0.2.1/32 in=other; q 192.0.2.2/32",
        "",
        ("has=192.0.2.1", ""),
        "192.0.2.2",
    ),
    (
        "not in a pool for other services",
        "p 192.0.2.1/32 for=app=web; q 192.0.2.2/32",
        "",
        ("has=192.0.2.1", "app=db"),
        "192.0.2.2",
    ),
];

fn started(pools: &Arc<Config>, of_namespace: &str, service: Service) -> Cluster {
    let mut cluster = Cluster::empty();
    cluster.label_namespace(labels(of_namespace));
    cluster.controller.handle(Input::Config(Arc::clone(pools)));
    cluster.put(service);
    cluster.controller.handle(Input::NamespacesKnown);
    cluster.controller.handle(Input::Synced);
    cluster.settle();
    cluster
}

fn shown(cluster: &Cluster) -> String {
    let addresses = cluster.addresses("s");
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    match addresses.as_slice() {
        [] => cluster.shortfall("s"),
        addresses => addresses.join(","),
    }
}

fn check(rows: &[Row]) {
    for (what, pools, of_namespace, (words, of_service), expected) in rows {
        let pools = Arc::new(described_config(pools));
        let mut cluster = started(&pools, of_namespace, labelled(words, of_service));
        assert_eq!(shown(&cluster), *expected, "{what}");
        let again = cluster.services[&key("s")].clone();
        cluster.put(again.clone());
        assert_eq!(cluster.settle(), [], "{what}: must be at rest");
        let restarted = started(&pools, of_namespace, again);
        assert_eq!(shown(&restarted), *expected, "{what}: after a restart");
    }
}

#[test]
fn pools_are_asked_in_order() {
    check(WHO_IS_FIRST);
}

#[test]
fn pools_are_for_namespaces_and_services() {
    check(WHO_IS_IT_FOR);
}

#[test]
fn a_pool_that_is_asked_for_must_be_for_the_service() {
    check(ASKED_FOR);
}

#[test]
fn an_address_is_kept_where_its_pool_is_for_the_service() {
    check(KEPT);
}

/// What an address in use becomes when it or its namespace is labelled otherwise, or its pool is for
/// others: with resources another, with the ConfigMap it stays.
#[test]
fn who_a_pool_is_for_changes() {
    let pools = "p 192.0.2.1/32 in-those=team=x for=app=web; q 192.0.2.2/32";
    let changes: [fn(&mut Cluster, AddressesInUse); 3] = [
        |cluster, _| cluster.label_namespace(labels("team=y")),
        |cluster, _| cluster.edit("s", |s| s.set_labels(labels("app=db"))),
        |cluster, addresses_in_use| {
            let config = Config {
                addresses_in_use,
                ..described_config("p 192.0.2.1/32 in=other; q 192.0.2.2/32")
            };
            cluster.controller.handle(Input::Config(Arc::new(config)));
        },
    ];
    for change in changes {
        for (addresses_in_use, expected) in [
            (AddressesInUse::Reallocate, "192.0.2.2"),
            (AddressesInUse::Keep, "192.0.2.1"),
        ] {
            let pools = Arc::new(Config {
                addresses_in_use,
                ..described_config(pools)
            });
            let mut cluster = started(&pools, "team=x", labelled("", "app=web"));
            assert_eq!(shown(&cluster), "192.0.2.1");
            change(&mut cluster, addresses_in_use);
            let changes = cluster.settle();
            assert_eq!(shown(&cluster), expected);
            assert_eq!(changes.is_empty(), addresses_in_use == AddressesInUse::Keep);
            assert!(cluster.controller.refused().is_none());

            let config = cluster.controller.config().unwrap().clone();
            let service = cluster.services[&key("s")].clone();
            let restarted = started(&config, "team=y", service);
            assert_eq!(shown(&restarted), expected, "after a restart");
        }
    }
}

#[test]
fn an_address_that_is_asked_for_and_in_use_stays_with_the_config_map() {
    let pools = Arc::new(Config {
        addresses_in_use: AddressesInUse::Keep,
        ..described_config("p 192.0.2.0/31 for=app=web")
    });
    let mut cluster = started(&pools, "", labelled("ask=192.0.2.1", "app=web"));
    cluster.edit("s", |s| s.set_labels(Labels::new()));
    assert_eq!(cluster.settle(), []);
    assert_eq!(shown(&cluster), "192.0.2.1");
    cluster.edit("s", |s| s.requests.addresses = Ok(ips(&["192.0.2.0"])));
    cluster.settle();
    assert!(shown(&cluster).starts_with("pool \"p\" not compatible for ip assignment"));
}

/// It is an event that tells what became of it.
#[test]
fn a_service_is_told_why_it_loses_its_address() {
    let pools = Arc::new(described_config(
        "p 192.0.2.1/32 in-those=team=x; q 192.0.2.2/32",
    ));
    let mut cluster = started(&pools, "team=x", labelled("", ""));
    cluster.label_namespace(labels("team=y"));
    assert_eq!(
        told(&cluster.settle()),
        [
            "ClearAssignment: current IP for \"default/s\" not allowed by config, will attempt for \
             new IP assignment: pool \"p\" not compatible for ip assignment: its serviceAllocation \
             is for the namespaces that its namespaceSelectors match by their labels, not \
             \"default\"",
            "IPAllocated: Assigned IP [\"192.0.2.2\"]"
        ]
    );
    let namespace = Input::NamespaceDeleted("default".into());
    cluster.controller.handle(namespace);
    assert_eq!(cluster.settle(), [], "no pool selects it, or ceases to");
}

#[test]
fn whether_a_pool_gives_by_itself_takes_nothing_away() {
    let mut cluster = started(
        &Arc::new(described_config("p 192.0.2.1/32; q 192.0.2.2/32")),
        "",
        labelled("", ""),
    );
    let manual = described_config("p 192.0.2.1/32 manual; q 192.0.2.2/32");
    assert_eq!(cluster.reconfigure(&Arc::new(manual)), []);
    assert_eq!(shown(&cluster), "192.0.2.1");
}

/// With resources: removed, shrunk, renamed, split, of another family.
#[test]
fn pools_in_use_change() {
    let rows = [
        ("", "p 192.0.2.0/30", "p 198.51.100.0/30", "198.51.100.0 p"),
        ("", "p 192.0.2.0/30", "p 192.0.2.1/32", "192.0.2.1 p"),
        ("", "p 192.0.2.0/30", "q 192.0.2.0/30", "192.0.2.0 q"),
        ("pool=p", "p 192.0.2.0/30", "q 192.0.2.0/30", "unknown"),
        (
            "both",
            "p 192.0.2.0/30 2001:db8::/64",
            "p 192.0.2.0/30; q 192.0.2.4/30 2001:db8::/64",
            "192.0.2.4,2001:db8:: q",
        ),
        (
            "prefer",
            "p 192.0.2.0/30 2001:db8::/64",
            "p 192.0.2.0/30; q 192.0.2.4/30 2001:db8:1::/64",
            "192.0.2.4,2001:db8:1:: q",
        ),
        (
            "prefer",
            "p 192.0.2.0/30",
            "p 192.0.2.0/30; q 192.0.2.4/30 2001:db8:1::/64",
            "192.0.2.0 p",
        ),
        (
            "prefer",
            "p 192.0.2.0/30",
            "p 192.0.2.0/30 2001:db8:1::/64",
            "192.0.2.0,2001:db8:1:: p",
        ),
        (
            "prefer",
            "p 192.0.2.0/30 2001:db8::/64",
            "p 2001:db8::/64",
            "2001:db8:: p",
        ),
    ];
    for (words, before, after, expected) in rows {
        let before = Arc::new(described_config(before));
        let mut cluster = started(&before, "", labelled(words, ""));
        cluster.reconfigure(&Arc::new(described_config(after)));
        let status = cluster.controller.explain(&key("s")).unwrap();
        let has = match status.pool {
            Some(pool) => format!("{} {pool}", shown(&cluster)),
            None => shown(&cluster),
        };
        assert!(has.starts_with(expected), "{words} {after}: {has}");
        assert_eq!(cluster.settle(), []);
    }
}

/// They may have been removed by mistake, or not be readable any more.
#[test]
fn a_configuration_without_pools_takes_nothing_away() {
    let some = Arc::new(described_config("p 192.0.2.0/30"));
    let none = Arc::new(Config {
        addresses_in_use: AddressesInUse::Reallocate,
        ..Config::default()
    });
    let mut cluster = started(&some, "", labelled("", ""));
    assert_eq!(cluster.reconfigure(&none), []);
    assert_eq!(shown(&cluster), "192.0.2.0");
    let restarted = started(&none, "", cluster.services[&key("s")].clone());
    assert!(restarted.controller.is_provisional());
    let published = restarted.services[&key("s")].published_addresses();
    assert_eq!(published.collect::<Vec<_>>(), ips(&["192.0.2.0"]));
    cluster.delete("s");
    cluster.settle();
    assert_eq!(cluster.controller.config(), Some(&none));
}

/// Two that wait for the same kind of address, but of different pools, do not wait for each other.
#[test]
fn those_who_wait_for_different_pools_wait_apart() {
    let pools = "p 192.0.2.1/32 for=app=web; q 192.0.2.2/32 for=app=db";
    let mut cluster = started(
        &Arc::new(described_config(pools)),
        "",
        labelled("", "app=db"),
    );
    for (name, of_service) in [("a", "app=web"), ("b", "app=web"), ("c", "app=db")] {
        let mut service = service(name);
        service.set_labels(labels(of_service));
        cluster.put(service);
    }
    cluster.settle();
    cluster.delete("s");
    cluster.settle();
    assert_eq!(cluster.addresses("c"), ips(&["192.0.2.2"]));

    // The same of second addresses.
    let pools = "p 192.0.2.0/31 2001:db8::1/128; q 198.51.100.0/31 2001:db8::2/128";
    let mut cluster = started(&Arc::new(described_config(pools)), "", labelled("both", ""));
    for (name, words) in [
        ("a", "both"),
        ("b", "prefer pool=p"),
        ("c", "prefer pool=q"),
    ] {
        let mut prefers = described(words);
        prefers.key = key(name);
        cluster.put(prefers);
    }
    cluster.settle();
    for (gone, has) in [("s", ("b", "2001:db8::1")), ("a", ("c", "2001:db8::2"))] {
        cluster.delete(gone);
        let changes = cluster.settle();
        assert_eq!(
            told(&changes),
            [format!("IPAllocated: Assigned additional IP \"{}\"", has.1)]
        );
        assert_eq!(changes[0].service, key(has.0));
    }
}

/// Nothing is given or taken away until the namespaces are known, if a pool selects them.
#[test]
fn namespaces_are_awaited_where_they_matter() {
    let selecting = Arc::new(described_config(
        "p 192.0.2.0/31 in-those=team=x; q 192.0.2.2/31",
    ));
    let mut cluster = Cluster::empty();
    cluster.controller.handle(Input::Config(selecting.clone()));
    cluster.put(published(service("a"), &["192.0.2.1"]));
    cluster.put(service("b"));
    cluster.controller.handle(Input::Synced);
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.controller.config(), Some(&selecting));
    assert!(!cluster.controller.is_able());
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert_eq!(
        cluster.shortfall("b"),
        "no address is given until the namespaces are known, whose labels pools select"
    );
    cluster.label_namespace(labels("team=x"));
    assert_eq!(cluster.settle(), []);
    cluster.controller.handle(Input::NamespacesKnown);
    cluster.settle();
    assert!(cluster.controller.is_able());
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.1"]));
    assert_eq!(cluster.addresses("b"), ips(&["192.0.2.0"]));

    // Where they do not, nobody waits for them; and what was given stays when they begin to.
    let mut cluster = Cluster::empty();
    let any = Arc::new(described_config("p 192.0.2.0/31"));
    cluster.controller.handle(Input::Config(any));
    cluster.put(service("a"));
    cluster.controller.handle(Input::Synced);
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    assert_eq!(cluster.reconfigure(&selecting), []);
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.0"]));
    cluster.controller.handle(Input::NamespacesKnown);
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ips(&["192.0.2.2"]));
}

/// Only the services of a namespace are looked at again when its labels change, and only if these
/// decide.
#[test]
fn a_namespace_concerns_its_services_alone() {
    let pools = Arc::new(described_config(
        "p 192.0.2.0/28 in-those=team=x; q 192.0.2.16/28",
    ));
    let mut cluster = started(&pools, "team=x", labelled("", ""));
    for namespace in ["defaul", "default-2", "default.3", "default0"] {
        let mut other = service("s");
        other.key = ServiceKey::new(namespace, "s");
        cluster.put(other);
    }
    cluster.settle();
    cluster.label_namespace(labels("team=x,tier=1"));
    assert_eq!(cluster.controller.agenda.reviews().count(), 0);
    cluster.label_namespace(labels("team=y,tier=1"));
    let reviews: Vec<_> = cluster.controller.agenda.reviews().cloned().collect();
    assert_eq!(reviews, [key("s")]);
}

#[test]
fn pools_tell_when_their_figures_change() {
    let pools = Arc::new(described_config(
        "p 192.0.2.0/31 2001:db8::/64; q 198.51.100.0/31; r ::/0 manual",
    ));
    let mut cluster = started(&pools, "", labelled("both", ""));
    let changed = |cluster: &mut Cluster| {
        let changed = cluster.controller.take_changed_pools();
        let names: Vec<_> = changed.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    assert_eq!(changed(&mut cluster), "p q r", "they are new");
    assert_eq!(changed(&mut cluster), "");
    let figures = |cluster: &Cluster, name: &str| {
        let usage = cluster.controller.pool(name).unwrap();
        let figures = [usage.ipv4, usage.ipv6];
        figures.map(|usage| (usage.assigned, usage.available()))
    };
    assert_eq!(figures(&cluster, "p"), [(1, 1), (1, (1 << 64) - 1)]);
    assert_eq!(figures(&cluster, "q"), [(0, 2), (0, 0)]);
    assert_eq!(figures(&cluster, "r"), [(0, 0), (0, u128::MAX)]);
    assert_eq!(cluster.controller.pool("s"), None);

    let again = cluster.services[&key("s")].clone();
    cluster.put(again);
    cluster.settle();
    assert_eq!(changed(&mut cluster), "");
    cluster.edit("s", |s| *s = described("pool=q"));
    cluster.settle();
    assert_eq!(changed(&mut cluster), "p q");
    assert_eq!(figures(&cluster, "p"), [(0, 2), (0, 1 << 64)]);
    cluster.delete("s");
    cluster.settle();
    assert_eq!(changed(&mut cluster), "q");
}
