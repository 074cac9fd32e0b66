use super::*;
use crate::testing::{interface, ip};

fn names(interfaces: &Interfaces, vip: &str) -> Vec<String> {
    let interfaces = interfaces.of_vip(vip.parse().unwrap(), None, |_| true);
    let names = interfaces.into_iter().map(|one| one.name.to_string());
    names.collect()
}

#[test]
fn what_makes_an_interface_unusable() {
    let none = Exclusion::parse("").unwrap();
    let good = interface(1, "eth0", &[]);
    assert_eq!(good.usable(&none), Ok(MacAddress([2, 0, 0, 0, 0, 1])));
    let cases: [(fn(&mut Interface), Unusable); 6] = [
        (|one| one.is_running = false, Unusable::Down),
        (|one| one.is_loopback = true, Unusable::Loopback),
        (|one| one.has_arp = false, Unusable::NoArp),
        (|one| one.has_master = true, Unusable::HasMaster),
        (|one| one.mac = None, Unusable::NoMac),
        (
            |one| one.name = "veth1".into(),
            Unusable::Excluded("^veth.*".to_owned()),
        ),
    ];
    for (change, reason) in cases {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(bad.usable(&Exclusion::default()), Err(reason));
    }
}

#[test]
fn a_vip_is_announced_where_its_subnet_is_or_else_everywhere() {
    let all = [
        interface(3, "eth1", &["192.168.8.1/24"]),
        interface(2, "eth0", &["192.168.7.1/24", "fd00::1/64", "fe80::1/64"]),
        interface(4, "veth0", &["192.168.7.99/24"]),
    ];
    let interfaces = Interfaces::usable(&all, &Exclusion::default());
    assert_eq!(names(&interfaces, "192.168.7.50"), ["eth0"]);
    assert_eq!(names(&interfaces, "fd00::50"), ["eth0"]);
    assert_eq!(names(&interfaces, "198.51.100.1"), ["eth0", "eth1"]);
    assert_eq!(names(&interfaces, "2001:db8::1"), ["eth0", "eth1"]);
}

#[test]
fn stations_are_also_those_of_excluded_interfaces_that_have_addresses() {
    let with_mac = |last, name: &str, addresses: &[&str]| Interface {
        mac: Some(MacAddress([2, 0, 0, 0, 0, last])),
        ..interface(u32::from(last), name, addresses)
    };
    let all = [
        with_mac(2, "eth0", &["192.168.7.1/24"]),
        with_mac(3, "docker0", &["172.17.0.1/16"]),
        with_mac(4, "veth0", &["fe80::1/64"]),
    ];
    let interfaces = Interfaces::usable(&all, &Exclusion::default());
    let stations = (2..=5).map(|last| MacAddress([2, 0, 0, 0, 0, last]));
    let ours: Vec<bool> = stations.map(|one| interfaces.have_station(one)).collect();
    assert_eq!(ours, [true, true, false, false]);
}

#[test]
fn the_default_exclusion_is_that_of_metallb() {
    let default = Exclusion::default();
    for name in ["docker0", "veth12ab", "lo", "cali1", "cni0", "lxc_health"] {
        assert!(default.matching(name).is_some(), "{name}");
    }
    for name in ["eth0", "ens3", "bond0", "br0", "lo1"] {
        assert_eq!(default.matching(name), None, "{name}");
    }
}

#[test]
fn an_exclusion_is_read_or_refused_with_its_place() {
    let text = "announcedInterfacesToExclude: [\"^eth[12]$\", wlan]";
    let exclusion = Exclusion::parse(text).unwrap();
    assert_eq!(exclusion.matching("eth2"), Some("^eth[12]$"));
    assert_eq!(exclusion.matching("my-wlan0"), Some("wlan"));
    assert_eq!(exclusion.matching("eth0"), None);
    assert!(Exclusion::parse("").unwrap().matching("docker0").is_none());

    let error = Exclusion::parse("announcedInterfacesToExclude: [a, \"(\"]").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("announcedInterfacesToExclude[1]: \"(\""),
        "{error}"
    );
    assert!(Exclusion::parse("announcedInterfacesToExclude: {a: b}").is_err());
    let error = Exclusion::parse("announcedInterfaceToExclude:\n- a\n").unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("expected one of announcedInterfacesToExclude"),
        "{said}"
    );
    assert!(!said.contains('\n'), "one line, since more follows: {said}");
}

fn two_nics(routes: &[(&str, u32)]) -> Interfaces {
    let all = [
        interface(2, "eth0", &["192.0.2.1/24", "fe80::1/64"]),
        interface(
            3,
            "eth1",
            &["192.0.2.2/24", "198.51.100.2/24", "fe80::2/64"],
        ),
        interface(4, "eth2", &["203.0.113.1/24", "fe80::3/64"]),
    ];
    let routes = routes.iter();
    let segments = Segments {
        routes: routes
            .map(|(net, index)| (net.parse().unwrap(), *index))
            .collect(),
        ..Segments::default()
    };
    Interfaces::usable(&all, &Exclusion::default()).on(Arc::new(segments))
}

#[test]
fn of_several_interfaces_on_a_segment_the_one_speaks_that_the_kernel_sends_by() {
    let interfaces = two_nics(&[("192.0.2.0/24", 3)]);
    assert_eq!(names(&interfaces, "192.0.2.50"), ["eth1"]);
    assert_eq!(names(&interfaces, "198.51.100.50"), ["eth1"]);
    assert_eq!(names(&interfaces, "10.0.0.1"), ["eth1", "eth2"]);
    assert_eq!(names(&interfaces, "2001:db8::1"), ["eth1", "eth2"]);
    let unknown = two_nics(&[]);
    assert_eq!(names(&unknown, "192.0.2.50"), ["eth0"]);
    assert_eq!(
        names(&unknown, "198.51.100.50"),
        ["eth1"],
        "only it has that subnet"
    );

    // The other speaks when that one cannot.
    let others = interfaces.of_vip(ip("192.0.2.50"), None, |one| one.index != 3);
    assert_eq!(others.iter().map(|one| one.index).collect::<Vec<_>>(), [2]);
    let nobody = interfaces.of_vip(ip("192.0.2.50"), None, |one| one.index == 4);
    assert_eq!(nobody, [] as [&Interface; 0], "that is another segment");

    let eth0 = interfaces.iter().next().unwrap();
    let instead = interfaces.in_place_of(eth0, |_| true).unwrap();
    assert_eq!(&*instead.name, "eth1");
    assert!(interfaces.in_place_of(instead, |_| true).is_none());
    assert!(interfaces.in_place_of(eth0, |one| one.index != 3).is_none());
}

#[test]
fn a_macvlan_is_on_the_segment_of_its_parent() {
    let all = [
        interface(2, "mac0", &["198.51.100.1/24"]),
        interface(3, "eth0", &["192.0.2.1/24"]),
        interface(4, "mac1", &["203.0.113.1/24"]),
    ];
    let segments = Segments {
        lower: [(2, 3), (4, 3)].into(),
        ..Segments::default()
    };
    let interfaces = Interfaces::usable(&all, &Exclusion::default()).on(Arc::new(segments));
    assert_eq!(names(&interfaces, "10.0.0.1"), ["eth0"]);
    assert_eq!(
        names(&interfaces, "203.0.113.9"),
        ["mac1"],
        "its own subnet"
    );
    let without = interfaces.of_vip(ip("10.0.0.1"), None, |one| one.index != 3);
    assert_eq!(without.iter().map(|one| one.index).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_smallest_subnet_is_where_a_vip_belongs() {
    let all = [
        interface(2, "eth0", &["10.0.0.1/8"]),
        interface(3, "eth1", &["10.1.0.1/16"]),
    ];
    let interfaces = Interfaces::usable(&all, &Exclusion::default());
    assert_eq!(names(&interfaces, "10.1.2.3"), ["eth1"]);
    assert_eq!(names(&interfaces, "10.2.2.3"), ["eth0"]);
}

#[test]
fn an_interface_speaks_of_a_family_of_which_it_has_an_address_and_an_open_port() {
    let all = [
        interface(2, "eth0", &["192.0.2.1/24", "fe80::1/64"]),
        interface(3, "eth1", &["169.254.3.4/16", "fe80::2/64"]),
    ];
    let interfaces = Interfaces::usable(&all, &Exclusion::default());
    let open = |interfaces: &Interfaces, family| {
        let open = interfaces
            .iter()
            .filter(|one| interfaces.is_open(one, family));
        open.map(|one| one.index).collect::<Vec<_>>()
    };
    assert_eq!(
        open(&interfaces, Family::V4),
        [2],
        "nobody gave eth1 an address"
    );
    assert_eq!(open(&interfaces, Family::V6), [2, 3]);
    let subnets = |interfaces: &Interfaces, index: usize, open| -> Vec<String> {
        let one = interfaces.iter().nth(index).unwrap();
        let subnets = interfaces.subnets(one, open).into_iter();
        subnets.map(|subnet| subnet.to_string()).collect()
    };
    assert_eq!(subnets(&interfaces, 0, true), ["192.0.2.0/24", "fe80::/64"]);

    let closed = interfaces.with_open(Family::V4, &[3].into());
    assert_eq!(open(&closed, Family::V4), [] as [u32; 0]);
    assert!(!closed.have_open(Family::V4) && closed.have_open(Family::V6));
    assert_eq!(subnets(&closed, 0, true), ["fe80::/64"]);
    assert_eq!(subnets(&closed, 0, false), ["192.0.2.0/24"]);
    assert!(
        closed
            .with_open(Family::V4, &[2].into())
            .have_open(Family::V4)
    );
}
