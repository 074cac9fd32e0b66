use carillon_core::config::{AddressesInUse, Config};

use super::*;

/// Everything that a ConfigMap can say.
const ALL: &str = "\
peers:
- my-asn: 64512
  peer-asn: 64513
  peer-address: 192.0.2.1
  peer-port: 1179
  source-address: 192.0.2.9
  hold-time: 30s
  keepalive-time: 10s
  router-id: 10.0.0.1
  ebgp-multihop: true
  password: \"0123: secret\"
  node-selectors:
  - match-labels: {rack: a}
    match-expressions:
    - {key: role, operator: In, values: [edge, core]}
    - {key: old, operator: DoesNotExist}
  - {}
- {my-asn: 64512, peer-asn: 64512, peer-address: \"2001:db8::1\"}
bgp-communities: {local: \"64512:1\", \"far away\": \"64512:2\"}
address-pools:
- name: first
  protocol: bgp
  addresses: [198.51.100.0/24, \"2001:db8:1::/64\"]
  avoid-buggy-ips: true
  bgp-advertisements:
  - {aggregation-length: 32, localpref: 200, communities: [local, \"64512:9\"]}
  - {aggregation-length: 26, aggregation-length-v6: 64}
- {name: plain, protocol: bgp, addresses: [192.0.2.64/28, 203.0.113.10-203.0.113.20], auto-assign: false}
- {name: lan, protocol: layer2, addresses: [192.0.2.128/28]}
- {name: half, protocol: arp, addresses: [192.0.2.160/28]}
";

fn text(text: &str) -> ConfigText {
    ConfigText {
        text: text.to_owned(),
        origin: Origin::whole("config.yaml"),
        renumber: None,
    }
}

fn key() -> ServiceKey {
    ServiceKey::new("lb", "config")
}

fn migrated(config: &str) -> Migration {
    migrate(&key(), &text(config)).unwrap()
}

fn refusals(config: &str) -> Vec<String> {
    migrate(&key(), &text(config)).unwrap_err()
}

/// What a daemon makes of resources.
fn read_back(resources: &str) -> Config {
    let mut settings = Settings::new(ObjectKey::config_map("lb", "config"), true);
    for parsed in carillon_objects::parse("resources.yaml", resources).objects {
        let Ok(Object::Setting(setting)) = parsed.object else {
            panic!("{parsed:?}");
        };
        settings.set(&parsed.key.unwrap(), &setting);
    }
    let configured = settings.assemble(&backends::names()).unwrap();
    assert!(configured.refused.is_empty());
    configured.config
}

/// A configuration without what the two formats name, or have to have, differently.
fn comparable(mut config: Config) -> Config {
    config.addresses_in_use = AddressesInUse::default();
    for peer in &mut config.bgp.peers {
        Arc::make_mut(peer).name = "".into();
    }
    for advertisement in &mut config.bgp.advertisements {
        Arc::make_mut(advertisement).name = "".into();
    }
    for advertisement in &mut config.layer2 {
        Arc::make_mut(advertisement).name = "".into();
    }
    // Their order means nothing.
    config.bgp.peers.sort_by_key(|peer| format!("{peer:?}"));
    config
        .bgp
        .advertisements
        .sort_by_key(|one| format!("{one:?}"));
    config.layer2.sort_by_key(|one| format!("{one:?}"));
    config
}

#[test]
fn resources_say_what_the_configmap_says() {
    let origin = Origin::whole("config.yaml");
    let all = legacy::parse(ALL, &origin, &backends::names()).unwrap();
    let migration = migrated(ALL);
    assert_eq!(
        comparable(read_back(&migration.text)),
        comparable(all),
        "{}",
        migration.text
    );
    assert_eq!(migrated(ALL).text, migration.text);
    let kinds = migration
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "));
    let kinds: Vec<_> = kinds.collect();
    let expected = [
        "BGPPeer",
        "BGPPeer",
        "IPAddressPool",
        "IPAddressPool",
        "IPAddressPool",
        "IPAddressPool",
        "BGPAdvertisement",
        "BGPAdvertisement",
        "BGPAdvertisement",
        "L2Advertisement",
        "Community",
    ];
    assert_eq!(kinds, expected);
    assert!(
        migration.text.contains("localPref: 0\n"),
        "{}",
        migration.text
    );
    assert_eq!(migration.notes.len(), 1, "{:?}", migration.notes);
    assert!(
        migration.notes[0].contains("password"),
        "{:?}",
        migration.notes
    );
    assert!(!migration.notes[0].contains("0123"));
}

#[test]
fn names_become_those_of_resources_and_stay_different() {
    let migration = migrated(
        "address-pools:\n\
         - {name: My_Pool, protocol: bgp, addresses: [198.51.100.0/28]}\n\
         - {name: my-pool, protocol: bgp, addresses: [198.51.100.16/28]}\n\
         - {name: \"!!\", protocol: layer2, addresses: [198.51.100.32/28]}\n",
    );
    let pools: Vec<_> = read_back(&migration.text).pools.into_keys().collect();
    assert_eq!(pools, ["my-pool", "my-pool-2", "unnamed"]);
    assert_eq!(migration.notes.len(), 2);
    assert!(
        migration
            .notes
            .iter()
            .any(|note| note.contains("my-pool-2 was \"My_Pool\"")),
        "{:?}",
        migration.notes
    );
}

#[test]
fn bfd_profiles_are_kept() {
    let migration = migrated(
        "bfd-profiles:\n- {name: Fast, receive-interval: 0x32, echo-mode: yes, minimum-ttl: 254}\n\
         peers:\n- {my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, bfd-profile: Fast}\n",
    );
    for line in [
        "name: fast",
        "receiveInterval: 50",
        "echoMode: true",
        "minimumTtl: 254",
        "bfdProfile: fast",
    ] {
        assert!(
            migration.text.contains(line),
            "no {line} in\n{}",
            migration.text
        );
    }
    assert!(
        migration
            .notes
            .iter()
            .any(|note| note.contains("no BFD yet"))
    );
}

#[test]
fn what_is_wrong_or_cannot_be_said_is_told_with_its_place_and_nothing_is_printed() {
    for (config, expected) in [
        ("peers: [", "config.yaml:1"),
        ("peers:\n- {my-asn: 64512}\n", "config.yaml:2:3: peers[0]"),
        (
            "address-pools:\n- {name: a, protocol: bgp, addresses: [198.51.100.0/33]}\n",
            "config.yaml:2",
        ),
        (
            "address-pools:\n- {name: a, protocol: bgp, adresses: [198.51.100.0/24]}\n",
            "addresses",
        ),
        // The API server takes no higher port.
        (
            "peers:\n- {my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, peer-port: 20000}\n",
            "BGPPeer lb/peer1: spec.peerPort",
        ),
    ] {
        let refusals = refusals(config).join("\n");
        assert!(refusals.contains(expected), "{config}: {refusals}");
    }
}

#[test]
fn a_configmap_is_found_among_other_objects_and_what_is_none_is_said() {
    let map = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: lb}}\n\
             data:\n  config: |\n    address-pools:\n    - {{name: {name}, protocol: bgp, \
             addresses: [192.0.2.0/28]}}\n"
        )
    };
    let config = ObjectKey::config_map("lb", "config");
    let read = |text: &str| read(Path::new("-"), &config, &mut text.as_bytes());
    let (key, found) = read(&map("only")).unwrap();
    assert_eq!((key.name(), found.text.contains("only")), ("only", true));
    let two = map("other") + "---\n" + &map("config");
    assert_eq!(read(&two).unwrap().0.name(), "config");
    assert_eq!(read("address-pools: []\n").unwrap().0, config.name);
    for (text, expected) in [
        (
            two.clone() + "---\n" + &map("config"),
            "lb/config more than once",
        ),
        (map("a") + "---\n" + &map("b"), "say which of lb/a, lb/b by"),
        (map("config") + "---\nkind: [", "<stdin>:"),
    ] {
        let told = read(&text).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    let none = read("apiVersion: v1\nkind: Node\nmetadata: {name: n}\n").unwrap_err();
    assert!(
        none.to_string()
            .contains("kubectl get configmap -n lb config"),
        "{none}"
    );
    let torn = read("kind: [").unwrap_err();
    assert!(torn.to_string().contains("<stdin>:1"), "{torn}");
}

#[test]
fn what_means_nothing_twice_is_said_once_and_what_is_left_out_is_noted() {
    let config = "\
peers:
- my-asn: 1
  peer-asn: 2
  peer-address: 192.0.2.1
  node-selectors: [{match-labels: {a: b}}, {match-labels: {a: b}}]
address-pools:
- name: a
  protocol: bgp
  addresses: [198.51.100.0/28]
  bgp-advertisements: [{communities: [\"1:2\", \"1:2\"]}]
";
    let migration = migrated(config);
    let read = read_back(&migration.text);
    assert_eq!(read.bgp.peers[0].node_selectors.len(), 1);
    assert_eq!(read.bgp.advertisements[0].communities.len(), 1);
    assert_eq!(migration.notes, [""; 0]);
    let renumbers = ConfigText {
        renumber: Some("12345678".to_owned()),
        ..text(config)
    };
    let notes = migrate(&key(), &renumbers).unwrap().notes;
    assert!(notes[0].contains("carillon/renumber"), "{notes:?}");
}
