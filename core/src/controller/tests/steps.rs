//! Rule by rule: what one service gets at the start, beside
//! `default/holder` on 192.0.2.0, and what is told about it.

use super::*;
use crate::service::{FamiliesError, RequestError};

/// What it is about; the service, as [`described`]; the addresses it publishes in the end; the
/// events, each with its reason, without what is the same in all messages of that reason.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const NOT_SHARED: &str = "192.0.2.0 is already in use by default/holder; to share it, both \
    services need the same annotation metallb.io/allow-shared-ip";

const WHO_GETS_ONE: &[Row] = &[
    (
        "an ordinary service",
        "",
        "192.0.2.1",
        &["IPAllocated [\"192.0.2.1\"]"],
    ),
    (
        "no load balancer any more",
        "cluster-ip has=192.0.2.1",
        "",
        &[],
    ),
    (
        "another class is not touched",
        "class=x has=10.0.0.1",
        "10.0.0.1",
        &[],
    ),
    (
        "an empty class is no class",
        "class= has=192.0.2.3",
        "192.0.2.3",
        &[],
    ),
    ("no cluster IP yet", "no-cluster-ip has=192.0.2.1", "", &[]),
    (
        "two families required, one cluster IP",
        "one-cluster-ip has=192.0.2.1",
        "",
        &["not enough clusterips [\"10.0.0.1\"]"],
    ),
    (
        "headless",
        "headless",
        "",
        &[
            "noclusterIPsIPFamily cluster IP \"None\" is not an IP address (a headless service \
           cannot have a load balancer address)",
        ],
    ),
];

const KEPT_OR_CLEARED: &[Row] = &[
    ("kept", "has=192.0.2.6", "192.0.2.6", &[]),
    (
        "kept in a pool that must be asked for",
        "has=198.51.100.2",
        "198.51.100.2",
        &[],
    ),
    (
        "kept in its order",
        "both has=2001:db8::2,192.0.2.2",
        "2001:db8::2,192.0.2.2",
        &[],
    ),
    (
        "a host name is no address",
        "has=host",
        "192.0.2.1",
        &["IPAllocated [\"192.0.2.1\"]"],
    ),
    (
        "no pool has it",
        "has=10.0.0.1",
        "192.0.2.1",
        &[
            "ClearAssignment 10.0.0.1 is not allowed in config: it belongs to no pool",
            "IPAllocated [\"192.0.2.1\"]",
        ],
    ),
    (
        "its pool avoids it",
        "has=203.0.113.255",
        "192.0.2.1",
        &[
            "ClearAssignment 203.0.113.255 is not allowed in config: pool \"careful\" avoids \
             addresses that end in .0 or .255 (avoidBuggyIPs; avoid-buggy-ips in a ConfigMap)",
            "IPAllocated [\"192.0.2.1\"]",
        ],
    ),
    (
        "somebody else has it",
        "has=192.0.2.0",
        "192.0.2.1",
        &[
            "ClearAssignment {not-shared}",
            "IPAllocated [\"192.0.2.1\"]",
        ],
    ),
    (
        "they are of two pools",
        "both has=192.0.2.1,2001:db8:2::",
        "192.0.2.1,2001:db8::",
        &[
            "ClearAssignment 192.0.2.1 belongs to pool \"dual\" and 2001:db8:2:: to pool \
             \"dual-2\", but both addresses of a service must come from one pool",
            "IPAllocated [\"192.0.2.1\" \"2001:db8::\"]",
        ],
    ),
];

const FAMILIES: &[Row] = &[
    (
        "to the other",
        "v6 has=192.0.2.1",
        "2001:db8::",
        &["IPAllocated [\"2001:db8::\"]"],
    ),
    (
        "from two to one",
        "has=2001:db8::2,192.0.2.2",
        "192.0.2.2",
        &[],
    ),
    (
        "of three addresses",
        "has=192.0.2.2,192.0.2.1,2001:db8::",
        "192.0.2.2",
        &[],
    ),
    (
        "from one to two",
        "both has=192.0.2.7",
        "192.0.2.7,2001:db8:2::",
        &["IPAllocated additional \"2001:db8:2::\""],
    ),
    (
        "from one to two in another pool",
        "both has=198.51.100.0",
        "192.0.2.1,2001:db8::",
        &["IPAllocated [\"192.0.2.1\" \"2001:db8::\"]"],
    ),
    (
        "two are preferred and there",
        "prefer",
        "192.0.2.1,2001:db8::",
        &["IPAllocated [\"192.0.2.1\" \"2001:db8::\"]"],
    ),
    (
        "one cluster IP means one address",
        "has=192.0.2.2",
        "192.0.2.2",
        &[],
    ),
    (
        "two are preferred, and one is there",
        "prefer has=2001:db8:2::1",
        "2001:db8:2::1,192.0.2.4",
        &["IPAllocated additional \"192.0.2.4\""],
    ),
    (
        "two are preferred, but the pool has one family",
        "prefer pool=six",
        "2001:db8:6::",
        &[
            "IPAllocated [\"2001:db8:6::\"]",
            "AdditionalAssignFailed pool \"six\" has no IPv4 addresses",
        ],
    ),
    (
        "two are preferred, and one is kept",
        "prefer has=2001:db8:6::5",
        "2001:db8:6::5",
        &[],
    ),
];

const POOL_ASKED_FOR: &[Row] = &[
    (
        "there",
        "pool=reserved",
        "198.51.100.0",
        &["IPAllocated [\"198.51.100.0\"]"],
    ),
    (
        "in place of another",
        "pool=reserved has=192.0.2.2",
        "198.51.100.0",
        &["IPAllocated [\"198.51.100.0\"]"],
    ),
    (
        "unknown",
        "pool=gold has=192.0.2.2",
        "",
        &[
            "AllocationFailed unknown pool \"gold\"; the configuration has \"careful\", \"dual\", \
           \"dual-2\", \"reserved\", \"six\"",
        ],
    ),
    (
        "without the family",
        "pool=six",
        "",
        &["AllocationFailed pool \"six\" has no IPv4 addresses"],
    ),
    (
        "without one of two families",
        "both pool=six",
        "",
        &[
            "AllocationFailed no available IPv4 and IPv6 addresses in one pool: pool \"six\" (no \
           IPv4 addresses; IPv6: 0 of 18446744073709551616 assigned)",
        ],
    ),
];

const ADDRESSES_ASKED_FOR: &[Row] = &[
    (
        "free",
        "ask=198.51.100.3",
        "198.51.100.3",
        &["IPAllocated [\"198.51.100.3\"]"],
    ),
    (
        "in place of another",
        "ask=192.0.2.3 has=192.0.2.2",
        "192.0.2.3",
        &["IPAllocated [\"192.0.2.3\"]"],
    ),
    (
        "in their order",
        "both ask=2001:db8::3,192.0.2.3",
        "2001:db8::3,192.0.2.3",
        &["IPAllocated [\"2001:db8::3\" \"192.0.2.3\"]"],
    ),
    (
        "in another order than they are published",
        "prefer ask=2001:db8::3,192.0.2.3 has=192.0.2.3,2001:db8::3",
        "192.0.2.3,2001:db8::3",
        &[],
    ),
    (
        "one of which is there",
        "both ask=2001:db8::3,192.0.2.3 has=192.0.2.3",
        "2001:db8::3,192.0.2.3",
        &["IPAllocated additional \"2001:db8::3\""],
    ),
    (
        "from the pool asked for",
        "ask=198.51.100.3 pool=reserved",
        "198.51.100.3",
        &["IPAllocated [\"198.51.100.3\"]"],
    ),
    (
        "from another pool",
        "ask=192.0.2.3 pool=reserved",
        "",
        &[
            "AllocationFailed requested loadBalancer IP(s) [\"192.0.2.3\"] is not compatible with \
           requested address pool \"reserved\": it belongs to pool \"dual\"",
        ],
    ),
    (
        "of the wrong family",
        "ask=2001:db8::3",
        "",
        &[
            "AllocationFailed requested loadBalancer IP(s) [\"2001:db8::3\"] does not match the \
           ipFamily of the service, which is IPv4",
        ],
    ),
    (
        "one where two are wanted",
        "prefer ask=192.0.2.3",
        "",
        &[
            "AllocationFailed requested loadBalancer IP(s) [\"192.0.2.3\"] does not match the \
           ipFamily of the service, which is IPv4 and IPv6",
        ],
    ),
    (
        "in use",
        "ask=192.0.2.0 has=192.0.2.3",
        "",
        &["AllocationFailed {not-shared}"],
    ),
    (
        "in no pool",
        "ask=10.0.0.1",
        "",
        &["AllocationFailed 10.0.0.1 is not allowed in config: it belongs to no pool"],
    ),
    (
        "not understood",
        "ask=host",
        "",
        &[
            "AllocationFailed invalid requested loadbalancer IPs: invalid spec.loadBalancerIP \
           \"host\": not an IP address",
        ],
    ),
    (
        "not understood, but there is one: found so at the start, it is no news",
        "ask=host has=192.0.2.2",
        "192.0.2.2",
        &[],
    ),
];

/// Two dual-stack pools, an IPv6 pool, and two IPv4 pools that must be asked for.
fn pools() -> Arc<Config> {
    let mut reserved = pool("reserved", &["198.51.100.0/30"]);
    let mut careful = pool("careful", &["203.0.113.254/31"]);
    reserved.auto_assign = false;
    careful.auto_assign = false;
    careful.avoid_buggy_ips = true;
    Arc::new(config([
        pool("dual", &["192.0.2.0/30", "2001:db8::/126"]),
        pool("dual-2", &["192.0.2.4/30", "2001:db8:2::/126"]),
        pool("six", &["2001:db8:6::/64"]),
        reserved,
        careful,
    ]))
}

/// The service `default/s`, from words that each set one field.
pub(super) fn described(words: &str) -> Service {
    let mut service = service("s");
    for word in words.split_whitespace() {
        let (field, value) = word.split_once('=').unwrap_or((word, ""));
        let addresses = || {
            value
                .split(',')
                .map(str::parse)
                .collect::<Result<Vec<IpAddr>, _>>()
        };
        match field {
            "cluster-ip" => service.is_load_balancer = false,
            "class" => service.load_balancer_class = Some(value.into()),
            "no-cluster-ip" => service.families = Err(FamiliesError::NoClusterIp),
            "one-cluster-ip" => {
                let ips = vec!["10.0.0.1".into()];
                service.families = Err(FamiliesError::NotEnoughClusterIps(ips));
            }
            "headless" => service.families = Err(FamiliesError::InvalidClusterIp("None".into())),
            "v6" => service.families = Ok(Families::One(Family::V6)),
            "both" => service.families = Ok(Families::Both),
            "prefer" => {
                let primary = Family::V4;
                service.families = Ok(Families::PreferBoth { primary });
            }
            "pool" => service.requests.address_pool = Some(value.into()),
            "ask" => {
                let error = |_| RequestError::InvalidField(value.into());
                service.requests.addresses = addresses().map_err(error);
            }
            "has" => {
                let host = |_| vec![Ingress::Other(value.into())];
                let entries = addresses().map(|ips| ips.into_iter().map(Ingress::Address));
                service.publish(entries.map_or_else(host, Iterator::collect));
            }
            _ => panic!("{word}"),
        }
    }
    service
}

/// Events as the rows write them.
fn brief(event: &str) -> String {
    const REPETITIONS: [(&str, &str); 8] = [
        ("IPAllocated: Assigned IP ", "IPAllocated "),
        (
            "IPAllocated: Assigned additional IP ",
            "IPAllocated additional ",
        ),
        ("Failed to allocate IP for \"default/s\": ", ""),
        ("current IP for \"default/s\" not allowed by config, ", ""),
        ("will attempt for new IP assignment: ", ""),
        ("Failed to retrieve ClusterIPs IPFamily: ", ""),
        ("cannot assign additional IP in PreferDualStack: ", ""),
        ("Service requires dual stack but not enough clusterips ", ""),
    ];
    let event = REPETITIONS
        .iter()
        .fold(event.to_owned(), |event, (long, short)| {
            event.replace(long, short)
        });
    event
        .replacen(": ", " ", 1)
        .replace(NOT_SHARED, "{not-shared}")
}

fn check(rows: &[Row]) {
    for (what, words, gets, events) in rows {
        let holder = published(service("holder"), &["192.0.2.0"]);
        let (mut cluster, changes) = Cluster::start(&pools(), vec![holder, described(words)]);
        let published = cluster.services[&key("s")].published_addresses();
        let published: Vec<_> = published.map(|address| address.to_string()).collect();
        assert_eq!(published.join(","), *gets, "{what}: {changes:?}");
        assert_eq!(cluster.addresses("holder"), ips(&["192.0.2.0"]), "{what}");
        let told: Vec<_> = told(&changes).iter().map(|event| brief(event)).collect();
        assert_eq!(told, *events, "{what}");
        let again = cluster.services[&key("s")].clone();
        cluster.put(again);
        assert_eq!(cluster.settle(), [], "{what}: must be at rest");
    }
}

#[test]
fn who_gets_an_address() {
    check(WHO_GETS_ONE);
}

#[test]
fn what_is_published_is_kept_or_cleared() {
    check(KEPT_OR_CLEARED);
}

#[test]
fn families_change_and_are_preferred() {
    check(FAMILIES);
}

#[test]
fn a_pool_is_asked_for() {
    check(POOL_ASKED_FOR);
}

#[test]
fn addresses_are_asked_for() {
    check(ADDRESSES_ASKED_FOR);
}

#[test]
fn the_primary_family_comes_first() {
    for (primary, gets) in [(Family::V4, "192.0.2.1"), (Family::V6, "2001:db8::")] {
        let config = Arc::new(config([
            pool("six", &["2001:db8::/64"]),
            pool("two", &["192.0.2.1/32"]),
        ]));
        let mut prefers = service("s");
        prefers.families = Ok(Families::PreferBoth { primary });
        let (cluster, _) = Cluster::start(&config, vec![prefers]);
        assert_eq!(cluster.addresses("s"), ips(&[gets]));
    }
}

#[test]
fn a_bad_request_takes_nothing_away() {
    let (mut cluster, _) = Cluster::start(&pools(), vec![described("has=192.0.2.2")]);
    cluster.put(described("ask=host has=192.0.2.2"));
    assert_eq!(
        told(&cluster.settle()),
        [
            "LoadBalancerFailed: invalid requested loadbalancer IPs: invalid spec.loadBalancerIP \
             \"host\": not an IP address"
        ]
    );
    assert_eq!(cluster.addresses("s"), ips(&["192.0.2.2"]));
    assert_eq!(cluster.settle(), []);
}
