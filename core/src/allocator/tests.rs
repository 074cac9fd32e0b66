use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::config::Pool;
use crate::service::Protocol;
use crate::testing::{self, config, ip, key, pool};

fn allocator(blocks: &[&str], avoid_buggy_ips: bool) -> Allocator {
    let pool = Pool {
        avoid_buggy_ips,
        ..pool("p", blocks)
    };
    Allocator::new(&config([pool]))
}

/// A tenant with these TCP ports; an empty sharing key is none.
fn tenant(name: &str, sharing: &str, ports: &[u16]) -> Tenant {
    let sharing = || Sharing {
        keys: SharingKeys {
            sharing: sharing.into(),
            backend: BTreeMap::new(),
        },
        ports: testing::ports(ports).into_iter().collect(),
    };
    Tenant {
        service: key(name),
        sharing: (!sharing().keys.sharing.is_empty()).then(|| Arc::new(sharing())),
        labels: Labels::new(),
    }
}

fn give(allocator: &mut Allocator, tenant: &Tenant, address: &str) {
    allocator.assign(tenant.clone(), vec![ip(address)]).unwrap();
}

/// Gives the tenant the first address of the family, and returns it.
fn take(allocator: &mut Allocator, tenant: &Tenant, family: Family) -> String {
    let addresses = allocator.choose(tenant, Families::One(family), None);
    let addresses = addresses.unwrap();
    allocator.assign(tenant.clone(), addresses.clone()).unwrap();
    addresses[0].to_string()
}

fn fails(result: Result<PoolName, Refusal>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_pool_that_avoids_all_that_it_has_says_so() {
    let allocator = allocator(&["198.51.100.0/32", "198.51.100.255/32"], true);
    let refused = |families| {
        let addresses = allocator.choose(&tenant("a", "", &[80]), families, None);
        addresses.unwrap_err().to_string()
    };
    let nothing = "only IPv4 addresses that end in .0 or .255, which it avoids (avoidBuggyIPs; \
                   avoid-buggy-ips in a ConfigMap): add others to it, or remove that key";
    assert_eq!(
        refused(Families::One(Family::V4)),
        format!("pool \"p\" has {nothing}")
    );
    assert_eq!(
        refused(Families::One(Family::V6)),
        "pool \"p\" has no IPv6 addresses"
    );
    assert_eq!(
        refused(Families::Both),
        format!(
            "no available IPv4 and IPv6 addresses in one pool: pool \"p\" ({nothing}; no IPv6 \
             addresses)"
        )
    );
}

#[test]
fn sharing_needs_equal_keys_and_disjoint_ports() {
    let local = |mut tenant: Tenant, app: &str| {
        let sharing = Arc::make_mut(tenant.sharing.as_mut().unwrap());
        sharing.keys.backend.insert("app".into(), app.into());
        tenant
    };
    let key = "to share it, both services need the same annotation metallb.io/allow-shared-ip";
    let value = "to share it, both services need the same value in the annotation \
                 metallb.io/allow-shared-ip";
    let backend = "to share it, both services need externalTrafficPolicy Cluster, or Local with \
                   the same selector";
    let rows = [
        (tenant("a", "x", &[80]), tenant("b", "x", &[443]), None),
        (tenant("a", "", &[80]), tenant("b", "x", &[443]), Some(key)),
        (tenant("a", "x", &[80]), tenant("b", "", &[443]), Some(key)),
        (tenant("a", "", &[80]), tenant("b", "", &[443]), Some(key)),
        (
            tenant("a", "x", &[80]),
            tenant("b", "y", &[443]),
            Some(value),
        ),
        (
            local(tenant("a", "x", &[80]), "one"),
            local(tenant("b", "x", &[443]), "one"),
            None,
        ),
        (
            local(tenant("a", "x", &[80]), "one"),
            local(tenant("b", "x", &[443]), "two"),
            Some(backend),
        ),
        (
            local(tenant("a", "x", &[80]), "one"),
            tenant("b", "x", &[443]),
            Some(backend),
        ),
    ];
    for (first, second, obstacle) in rows {
        let mut allocator = allocator(&["192.0.2.0/30"], false);
        give(&mut allocator, &first, "192.0.2.1");
        let result = allocator.check(&second, &[ip("192.0.2.1")]);
        match obstacle {
            None => assert_eq!(result.as_deref(), Ok("p"), "{first:?} {second:?}"),
            Some(obstacle) => assert_eq!(
                fails(result),
                format!("192.0.2.1 is already in use by default/a; {obstacle}")
            ),
        }
    }
}

#[test]
fn a_port_of_one_protocol_has_one_holder() {
    let mut allocator = allocator(&["192.0.2.0/30"], false);
    give(&mut allocator, &tenant("a", "x", &[53, 80]), "192.0.2.1");
    give(&mut allocator, &tenant("b", "x", &[443]), "192.0.2.1");
    assert_eq!(
        fails(allocator.check(&tenant("c", "x", &[443, 8080]), &[ip("192.0.2.1")])),
        "port TCP/443 is already in use on 192.0.2.1 by default/b"
    );
    let mut udp = tenant("c", "x", &[53]);
    let sharing = Arc::make_mut(udp.sharing.as_mut().unwrap());
    for port in &mut sharing.ports {
        port.protocol = Protocol::Udp;
    }
    give(&mut allocator, &udp, "192.0.2.1");
    give(&mut allocator, &tenant("b", "x", &[443, 8443]), "192.0.2.1");
    assert!(
        allocator
            .assign(tenant("b", "x", &[80]), vec![ip("192.0.2.1")])
            .is_err()
    );
    let kept = allocator.get(&key("b")).unwrap();
    assert_eq!(kept.sharing, tenant("b", "x", &[443, 8443]).sharing);
}

#[test]
fn a_sole_user_changes_its_keys_in_place() {
    let mut allocator = allocator(&["192.0.2.0/30"], false);
    give(&mut allocator, &tenant("a", "", &[80]), "192.0.2.1");
    give(&mut allocator, &tenant("a", "x", &[80]), "192.0.2.1");
    give(&mut allocator, &tenant("b", "x", &[443]), "192.0.2.1");
    assert!(
        allocator
            .check(&tenant("a", "y", &[80]), &[ip("192.0.2.1")])
            .is_err()
    );
    allocator.release(&key("b"));
    give(&mut allocator, &tenant("a", "y", &[80]), "192.0.2.1");
    assert_eq!(
        take(&mut allocator, &tenant("c", "y", &[443]), Family::V4),
        "192.0.2.0"
    );
}

#[test]
fn capacities() {
    let rows: [(&[&str], bool, u128); 11] = [
        (&["192.0.2.0/24"], false, 256),
        (&["192.0.2.0/24"], true, 254),
        (&["10.0.0.0/16"], true, 65_536 - 512),
        (&["0.0.0.0/0"], true, (1 << 32) - (2 << 24)),
        (&["192.0.2.0/25", "192.0.2.192/26"], true, 127 + 63),
        (&["192.0.2.64/26"], true, 64),
        (&["192.0.2.0/32", "192.0.2.255/32", "192.0.2.7/32"], true, 1),
        (&["192.0.2.0/31", "192.0.2.254/31"], true, 2),
        (&["2001:db8::/64"], true, 1 << 64),
        (&["2001:db8::/64", "2001:db9::/128"], false, (1 << 64) + 1),
        (&["::/1", "8000::/1"], false, u128::MAX),
    ];
    for (blocks, avoid, total) in rows {
        let usage = allocator(blocks, avoid).usage().next().unwrap();
        let of_both = usage.ipv4.total.saturating_add(usage.ipv6.total);
        assert_eq!(of_both, total, "{blocks:?} {avoid}");
        let available = usage
            .ipv4
            .available()
            .saturating_add(usage.ipv6.available());
        assert_eq!(available, total, "{blocks:?} {avoid}");
    }
}

#[test]
fn addresses_go_in_block_order() {
    let mut allocator = allocator(&["192.0.2.254/31", "192.0.2.0/31", "2001:db8::/127"], true);
    let mut takes = |name, family| take(&mut allocator, &tenant(name, "", &[80]), family);
    assert_eq!(takes("a", Family::V4), "192.0.2.254");
    assert_eq!(takes("b", Family::V4), "192.0.2.1");
    assert_eq!(takes("c", Family::V6), "2001:db8::");
    let full = allocator.choose(&tenant("d", "", &[80]), Families::One(Family::V4), None);
    assert_eq!(
        full.unwrap_err().to_string(),
        "no available IPv4 addresses in pool \"p\" (2 of 2 assigned)"
    );
    allocator.release(&key("a"));
    assert_eq!(
        take(&mut allocator, &tenant("d", "", &[80]), Family::V4),
        "192.0.2.254"
    );
}

#[test]
fn a_shared_address_comes_before_a_free_one_if_it_is_earlier() {
    let mut allocator = allocator(&["192.0.2.0/28"], false);
    let mut takes = |name, key, ports: &[u16]| {
        let address = take(&mut allocator, &tenant(name, key, ports), Family::V4);
        address
            .trim_start_matches("192.0.2.")
            .parse::<u8>()
            .unwrap()
    };
    assert_eq!(takes("none", "", &[80]), 0);
    assert_eq!(takes("a", "x", &[80]), 1);
    assert_eq!(takes("b", "y", &[80]), 2);
    assert_eq!(takes("c", "x", &[80]), 3);
    assert_eq!(takes("d", "x", &[443, 80]), 4);
    assert_eq!(takes("e", "x", &[443]), 1);
    assert_eq!(takes("f", "x", &[443, 8080]), 3);
    assert_eq!(takes("g", "x", &[8080]), 1);
    assert_eq!(takes("h", "y", &[443]), 2);
    assert_eq!(takes("i", "x", &[443, 8080]), 5);
    allocator.release(&key("none"));
    assert_eq!(
        take(&mut allocator, &tenant("j", "x", &[22]), Family::V4),
        "192.0.2.0"
    );
}

#[test]
fn the_whole_of_ipv6_is_a_pool() {
    let mut allocator = allocator(&["::/0"], false);
    let (last, before) = ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::");
    let free = format!("{allocator:?}");
    give(&mut allocator, &tenant("last", "", &[80]), last);
    give(&mut allocator, &tenant("middle", "", &[80]), before);
    assert_eq!(
        take(&mut allocator, &tenant("a", "", &[80]), Family::V6),
        "::"
    );
    assert_eq!(
        take(&mut allocator, &tenant("b", "", &[80]), Family::V6),
        "::1"
    );
    for name in ["last", "a", "middle", "b"] {
        allocator.release(&key(name));
    }
    assert_eq!(format!("{allocator:?}"), free);
}

/// What happens to a service: it gets the first address, asks for one, or leaves.
#[derive(Clone, Debug)]
enum Step {
    First,
    Ask(u32),
    Leave,
}

const RANGE: std::ops::Range<u32> = 0xc000_02f8..0xc000_0308;

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::First),
        1 => RANGE.prop_map(Step::Ask),
        2 => Just(Step::Leave),
    ]
}

proptest! {
    /// Two blocks around 192.0.3.0, against a search that asks about each address.
    #[test]
    fn the_first_address_is_the_one_a_search_finds(
        avoid: bool,
        steps in prop::collection::vec(
            (0..24usize, any_step(), 0..3usize, subsequence(vec![22, 53, 80, 443], 1..=3)),
            1..120,
        ),
    ) {
        let blocks = ["192.0.2.248/29", "192.0.3.0/29"];
        let mut allocator = allocator(&blocks, avoid);
        for (service, step, key, ports) in steps {
            let tenant = tenant(&format!("s{service}"), ["", "x", "y"][key], &ports);
            let freed = allocator.release(&tenant.service);
            let mut addresses = RANGE.map(|address| IpAddr::V4(address.into()));
            let found = addresses.find(|address| allocator.check(&tenant, &[*address]).is_ok());
            let chosen = allocator.choose(&tenant, Families::One(Family::V4), None);
            prop_assert_eq!(chosen.clone().ok(), found.map(|address| vec![address]));
            let addresses = match step {
                Step::First => chosen.ok(),
                Step::Ask(address) => Some(vec![IpAddr::V4(address.into())]),
                Step::Leave => None,
            };
            let name = tenant.service.clone();
            let gets = addresses.map(|addresses| allocator.assign(tenant, addresses));
            if let (None | Some(Err(_)), Some(before)) = (gets, freed)
                && service % 2 == 0
            {
                // What was just released can be had again.
                prop_assert!(allocator.assign(before.tenant(name), before.addresses.to_vec()).is_ok());
            }
        }
        let services: Vec<_> = allocator.assignments.keys().cloned().collect();
        for service in services {
            allocator.release(&service);
        }
        let empty = self::allocator(&blocks, avoid);
        prop_assert_eq!(format!("{allocator:?}"), format!("{empty:?}"));
    }
}
