use std::collections::BTreeMap;

use carillon_objects::Object;
use carillon_objects::source::Change;
use carillon_source_files::{Catalog, Contents};
use proptest::prelude::*;

use super::*;

const BACKENDS: [&str; 3] = ["arp", "bgp", "ndp"];

fn config_map() -> ObjectKey {
    ObjectKey::config_map("metallb-system", "config")
}

/// The objects of a text.
fn read(text: &str) -> Vec<(ObjectKey, Setting)> {
    let mut changes = Vec::new();
    let mut catalog = Catalog::new(config_map());
    catalog.set(&"f".into(), Contents::Text(text.to_owned()), &mut changes);
    let problems: Vec<String> = catalog.problems().map(|one| one.to_string()).collect();
    assert_eq!(problems, [""; 0]);
    let settings = changes.into_iter().filter_map(|change| match change {
        Change::Set(key, Object::Setting(setting)) => Some((key, setting)),
        Change::Set(..) | Change::Removed(_) => None,
    });
    settings.collect()
}

/// A resource, `spec` in YAML's flow style.
fn resource(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "BGPPeer" {
        "v1beta2"
    } else {
        "v1beta1"
    };
    format!(
        "---\napiVersion: metallb.io/{version}\nkind: {kind}\n\
         metadata: {{namespace: metallb-system, name: {name}}}\nspec: {{{spec}}}\n"
    )
}

fn pool(name: &str, addresses: &str) -> String {
    resource("IPAddressPool", name, &format!("addresses: [{addresses}]"))
}

fn config(pools: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\n\
         metadata: {{namespace: metallb-system, name: config}}\n\
         data: {{config: 'address-pools: [{pools}]'}}\n"
    )
}

fn configured(texts: &[String]) -> Option<Configured> {
    let mut settings = Settings::new(config_map(), true);
    for (key, setting) in texts.iter().flat_map(|text| read(text)) {
        settings.set(&key, &setting);
    }
    settings.assemble(&BACKENDS)
}

fn pools(configured: &Configured) -> Vec<&str> {
    configured.config.pools.keys().map(|name| &**name).collect()
}

#[test]
fn what_configures() {
    let old = config("{name: old, protocol: bgp, addresses: [10.9.0.0/24]}");
    let peer = resource(
        "BGPPeer",
        "p",
        "myASN: 1, peerASN: 2, peerAddress: 192.0.2.9",
    );
    let new = pool("new", "10.0.0.0/24");
    let of = |texts: &[&String]| {
        configured(&texts.iter().map(|text| (*text).clone()).collect::<Vec<_>>())
    };

    assert!(of(&[]).is_none());
    let resources = of(&[&new, &peer]).unwrap();
    assert_eq!(pools(&resources), ["new"]);
    assert_eq!(
        resources.config.addresses_in_use,
        AddressesInUse::Reallocate
    );
    assert_eq!(resources.config.bgp.peers.len(), 1);

    let both = of(&[&old, &new, &peer]).unwrap();
    assert_eq!(pools(&both), ["new"]);
    assert_eq!(both.config.addresses_in_use, AddressesInUse::Keep);
    assert!(both.notes[0].contains("ConfigMap metallb-system/config is not read"));

    let alone = of(&[&old, &peer]).unwrap();
    assert_eq!(
        (pools(&alone), alone.config.bgp.peers.len()),
        (vec!["old"], 0)
    );
    assert!(alone.notes[0].contains("BGPPeer metallb-system/p and other resources are not read"));

    let poolless = of(&[&peer]).unwrap();
    assert_eq!(poolless.config.addresses_in_use, AddressesInUse::Keep);
}

#[test]
fn what_is_in_another_namespace_does_not_configure() {
    let other = pool("p", "10.0.0.0/24").replace("metallb-system", "default");
    let both = configured(&[other, pool("q", "10.0.1.0/24")]).unwrap();
    assert_eq!(pools(&both), ["q"]);
    let note = "IPAddressPool default/p is not read: resources configure in the namespace \
                metallb-system only";
    assert!(
        both.notes.iter().any(|told| told.contains(note)),
        "{:?}",
        both.notes
    );
}

#[test]
fn one_that_is_wrong_stops_no_other() {
    let wrong = [
        pool("overlapping", "10.0.0.128/25"),
        resource(
            "BGPPeer",
            "fast",
            "myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, bfdProfile: no",
        ),
        resource(
            "BGPPeer",
            "secret",
            "myASN: 1, peerASN: 2, peerAddress: 192.0.2.2, passwordSecret: {name: no}",
        ),
        resource("BGPAdvertisement", "unknown", "communities: [no]"),
        resource("BGPAdvertisement", "wide", "aggregationLength: 8"),
    ];
    let right = [
        pool("a-pool", "10.0.0.0/24"),
        resource(
            "BGPPeer",
            "p",
            "myASN: 1, peerASN: 2, peerAddress: 192.0.2.9",
        ),
        resource("BGPAdvertisement", "all", ""),
        resource("L2Advertisement", "l2", ""),
    ];
    let alone = configured(&right).unwrap();
    assert!(alone.refused.is_empty(), "{:?}", alone.refused);
    let mut all = configured(&[&wrong[..], &right[..]].concat()).unwrap();
    // It is there, and has nothing to give.
    let hollow = all.config.pools.remove("overlapping").unwrap();
    assert!(hollow.blocks.is_empty() && !hollow.auto_assign);
    assert_eq!(all.config.pools, alone.config.pools);
    assert_eq!(all.config.bgp.peers, alone.config.bgp.peers);
    let refused: BTreeMap<_, _> = all.refused.iter().map(|one| (&*one.object, one)).collect();
    assert_eq!(refused.len(), wrong.len(), "{refused:?}");
    let said = |object: &str, text: &str| {
        let refusal = refused[object];
        assert!(refusal.text.contains(text), "{}", refusal.text);
        assert!(
            refusal.text.starts_with("f:"),
            "file and line: {}",
            refusal.text
        );
    };
    said(
        "IPAddressPool metallb-system/overlapping",
        "\"10.0.0.128/25\" overlaps \"10.0.0.0/24\"",
    );
    said(
        "BGPPeer metallb-system/fast",
        "there is no BFD profile \"no\"",
    );
    said("BGPPeer metallb-system/secret", "there is no Secret \"no\"");
    said(
        "BGPAdvertisement metallb-system/unknown",
        "\"no\" is neither a community",
    );
    said(
        "BGPAdvertisement metallb-system/wide",
        "8 is shorter than the prefix of 10.0.0.0/24",
    );
}

#[test]
fn the_texts_that_programs_look_for() {
    let secret = "apiVersion: v1\nkind: Secret\n\
                  metadata: {namespace: metallb-system, name: bgp-password}\ntype: Opaque\n";
    let peer = |name: &str, more: &str| {
        let spec = format!("myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, {more}");
        resource("BGPPeer", name, &spec)
    };
    let all = configured(&[
        secret.to_owned(),
        peer("peer1", "passwordSecret: {name: bgp-password}"),
        peer("peer2", "passwordSecret: {name: missing}"),
        peer("peer3", "bfdProfile: b"),
        resource("BGPAdvertisement", "a", "communities: [nocommunity]"),
    ])
    .unwrap();
    let said: Vec<_> = all
        .refused
        .iter()
        .map(|refusal| &*refusal.known_as)
        .collect();
    let expected = [
        "invalid community format: nocommunity\ninvalid community \"nocommunity\" in BGP \
         advertisement",
        "parsing peer peer1 secret type mismatch on \"metallb-system\"/\"bgp-password\", type \
         \"kubernetes.io/basic-auth\" is expected \nfailed to parse peer peer1 password secret",
        "parsing peer peer2 secret ref not found for peer config \
         \"metallb-system\"/\"peer2\"\nfailed to parse peer peer2 password secret",
        "peer peer3 referencing non existing bfd profile b",
    ];
    assert_eq!(said, expected);
}

/// Objects in several versions each, which go with each other, but for the pools, of which some versions
/// overlap.
fn versions() -> Vec<Vec<(ObjectKey, Setting)>> {
    let of = |texts: &[String]| texts.iter().flat_map(|text| read(text)).collect();
    vec![
        of(&[
            pool("a", "10.0.0.0/24"),
            pool("a", "10.0.1.0/24"),
            pool("a", "10.0.2.0/24"),
        ]),
        of(&[pool("b", "10.0.1.0/25"), pool("b", "10.0.3.0/24")]),
        of(&[
            pool("c", "10.0.1.128/25, 10.0.4.0/24"),
            pool("c", "10.0.5.0/24"),
        ]),
        of(&[
            resource("BGPAdvertisement", "x", "ipAddressPools: [a], localPref: 7"),
            resource(
                "BGPAdvertisement",
                "x",
                "communities: [named], aggregationLength: 25",
            ),
        ]),
        of(&[
            resource(
                "BGPAdvertisement",
                "y",
                "ipAddressPools: [a, b], localPref: 8",
            ),
            resource("BGPAdvertisement", "y", "localPref: 8, peers: [p]"),
        ]),
        of(&[
            resource(
                "Community",
                "n",
                "communities: [{name: named, value: '1:2'}]",
            ),
            resource(
                "Community",
                "n",
                "communities: [{name: other, value: '1:2'}]",
            ),
        ]),
        of(&[
            resource(
                "BGPPeer",
                "p",
                "myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, bfdProfile: f",
            ),
            resource(
                "BGPPeer",
                "p",
                "myASN: 1, peerASN: 2, peerAddress: 192.0.2.1",
            ),
        ]),
        of(&[resource("BFDProfile", "f", "")]),
        of(&[
            resource("L2Advertisement", "l", ""),
            resource("L2Advertisement", "l", "interfaces: [eth0]"),
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever came before, objects that go with each other make up what a fresh start makes of them;
    /// what does not go with others is refused, and said.
    #[test]
    fn every_history_ends_as_a_fresh_start(
        steps in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any::<prop::sample::Index>())), 1..40),
    ) {
        let versions = versions();
        let mut settings = Settings::new(config_map(), true);
        let mut now: BTreeMap<ObjectKey, Setting> = BTreeMap::new();
        for (which, version) in steps {
            let of = &versions[which.index(versions.len())];
            if let Some(version) = version {
                let (key, setting) = &of[version.index(of.len())];
                settings.set(key, setting);
                now.insert(key.clone(), setting.clone());
            } else {
                settings.remove(&of[0].0);
                now.remove(&of[0].0);
            }
            let after = settings.assemble(&BACKENDS);
            let mut fresh = Settings::new(config_map(), true);
            for (key, setting) in &now {
                fresh.set(key, setting);
            }
            let fresh = fresh.assemble(&BACKENDS);
            prop_assert_eq!(after.is_some(), fresh.is_some());
            let (Some(after), Some(fresh)) = (after, fresh) else { continue };
            prop_assert_eq!(after.refused.is_empty(), fresh.refused.is_empty());
            if after.refused.is_empty() {
                prop_assert_eq!(after.config, fresh.config);
                prop_assert_eq!(after.notes, fresh.notes);
            }
        }
    }
}

#[test]
fn an_object_whose_status_alone_has_changed_is_no_news() {
    let mut settings = Settings::new(config_map(), true);
    let mut set = |addresses: &str, version: u32, assigned: u32| {
        let json = format!(
            r#"{{"metadata": {{"namespace": "metallb-system", "name": "a", "resourceVersion": "{version}"}},
            "spec": {{"addresses": ["{addresses}"]}}, "status": {{"assignedIPv4": {assigned}}}}}"#
        );
        let read = carillon_objects::read(Kind::IpAddressPool, json.as_bytes(), false).unwrap();
        let Object::Setting(setting) = read.object else {
            panic!("{read:?}");
        };
        settings.set(&read.key, &setting)
    };
    assert!(set("10.0.0.0/24", 1, 0));
    assert!(!set("10.0.0.0/24", 2, 1));
    assert!(set("10.0.1.0/24", 3, 1));
}

/// Whoever writes more into a file moves what is below; that makes none of it new.
#[test]
fn what_moves_within_a_file_is_not_blamed_for_what_is_added() {
    let mut settings = Settings::new(config_map(), true);
    let mut set = |text: &str| {
        for (key, setting) in read(text) {
            settings.set(&key, &setting);
        }
        let configured = settings.assemble(&BACKENDS).unwrap();
        let refused = configured
            .refused
            .into_iter()
            .map(|one| one.object.to_string());
        refused.collect::<Vec<_>>()
    };
    let (a, b) = (pool("a", "10.0.0.0/25"), pool("b", "10.0.0.0/24"));
    assert_eq!(set(&b), [""; 0]);
    let refused = vec!["IPAddressPool metallb-system/a".to_owned()];
    assert_eq!(set(&(a.clone() + &b)), refused);
    assert_eq!(set(&(a + &pool("b", "10.0.0.0/23"))), refused);
}
