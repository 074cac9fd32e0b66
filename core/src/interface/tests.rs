use super::*;

fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        index,
        name: name.into(),
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn names(interfaces: &Interfaces, vip: &str) -> Vec<String> {
    let interfaces = interfaces.of_vip(vip.parse().unwrap());
    interfaces.map(|one| one.name.to_string()).collect()
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
