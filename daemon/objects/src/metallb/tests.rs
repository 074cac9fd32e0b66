use carillon_core::config::assemble::assemble;
use carillon_core::yaml;
use proptest::prelude::*;
use serde::Deserialize;

use super::super::tree::Value;
use super::super::{KINDS, Kind, document, json};
use super::*;

const BACKENDS: &[&str] = &["arp", "ndp", "bgp"];

fn api_version(kind: Kind) -> String {
    format!("metallb.io/{}", kind.info().version)
}

fn manifest(kind: Kind, spec: &str) -> String {
    let api_version = api_version(kind);
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: one, namespace: \
         metallb-system}}\nspec: {spec}\n"
    )
}

/// What is read of a file, or each thing that is wrong.
fn in_file(text: &str) -> Result<Setting, Vec<String>> {
    let mut objects = document::parse("f", text).objects;
    assert_eq!(objects.len(), 1, "{text}");
    match objects.remove(0).object {
        Ok(Object::Setting(setting)) => Ok(setting),
        Ok(other) => panic!("{other:?}"),
        Err(errors) => Err(errors.into_iter().map(|(_, message)| message).collect()),
    }
}

/// The same of what an API server sends.
fn in_api(kind: Kind, text: &str) -> Result<Setting, Vec<String>> {
    let root = yaml::parse(text).unwrap().unwrap();
    let object = serde_json::Value::deserialize(Value(&root)).unwrap();
    match json::read(kind, object.to_string().as_bytes(), false) {
        Ok(object) => match object.object {
            Object::Setting(setting) => Ok(setting),
            other => panic!("{other:?}"),
        },
        Err(unreadable) => Err(unreadable.errors),
    }
}

fn draft(kind: Kind, spec: &str) -> Draft {
    let text = manifest(kind, spec);
    let from_file = in_file(&text).unwrap_or_else(|errors| panic!("{spec}: {errors:?}"));
    let from_api = in_api(kind, &text).unwrap_or_else(|errors| panic!("{spec}: {errors:?}"));
    let draft = from_api.draft(BACKENDS).unwrap();
    assert!(draft.errors.is_empty(), "{:?}", draft.errors);
    let of_file = from_file.draft(BACKENDS).unwrap();
    assert_eq!(format!("{:?}", draft.pools), format!("{:?}", of_file.pools));
    assert_eq!(format!("{:?}", draft.peers), format!("{:?}", of_file.peers));
    draft
}

/// The lines of a table: a spec, and what is told of it; nothing of one that is right.
fn table(kind: Kind, rows: &[(&str, &[&str])]) {
    for (spec, told) in rows {
        let text = manifest(kind, spec);
        let of_file = in_file(&text).err().unwrap_or_default();
        let mut of_api = in_api(kind, &text).err().unwrap_or_default();
        for of in [&of_file, &of_api] {
            assert_eq!(of.len(), told.len(), "{spec}: {of:#?}");
        }
        let mut of_file = of_file;
        of_file.sort();
        of_api.sort();
        assert_eq!(of_file, of_api, "{spec}");
        let mut told = told.to_vec();
        told.sort_unstable();
        for (of, told) in of_api.iter().zip(told) {
            assert!(of.contains(told), "{spec}: {of}");
        }
    }
}

const PEER: &str = "myASN: 64500, peerASN: 64501, peerAddress: 192.0.2.1";

fn peers(rows: &[(&str, &[&str])]) {
    for (fields, told) in rows {
        table(Kind::BgpPeer, &[(&format!("{{{PEER}, {fields}}}"), told)]);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn pools_are_as_the_reference_has_them() {
    table(
        Kind::IpAddressPool,
        &[
            ("{addresses: [198.51.100.0/24]}", &[]),
            (
                "{addresses: [198.51.100.10-198.51.100.20, 2001:db8::/64]}",
                &[],
            ),
            ("{addresses: []}", &["spec.addresses: has no addresses"]),
            ("{}", &["spec.addresses: has no addresses"]),
            ("null", &["spec.addresses: has no addresses"]),
            (
                "{addresses: [198.51.100.1, a]}",
                &[
                    "spec.addresses[0]: \"198.51.100.1\" is one address",
                    "spec.addresses[1]: \"a\" is not a CIDR",
                ],
            ),
            (
                "{addresses: [198.51.100.20-198.51.100.10]}",
                &["spec.addresses[0]: \"198.51.100.20-198.51.100.10\" is a range that ends"],
            ),
            (
                "{addresses: [198.51.100.0/24], autoAssign: false, avoidBuggyIPs: true}",
                &[],
            ),
            (
                "{addresses: [198.51.100.0/24], autoAssign: null, serviceAllocation: {}}",
                &[],
            ),
            (
                "{addresses: [198.51.100.0/24], serviceAllocation: {priority: -3}}",
                &[],
            ),
            (
                "{addresses: [198.51.100.0/24], serviceAllocation: {namespaces: [a, b, a]}}",
                &["spec.serviceAllocation.namespaces[2]: \"a\" is in the list twice"],
            ),
            (
                "{addresses: [198.51.100.0/24], serviceAllocation: {namespaceSelectors: \
                 [{matchLabels: {a: b}}, {matchLabels: {a: b}}]}}",
                &["spec.serviceAllocation.namespaceSelectors[1]: this selector is in the list"],
            ),
            (
                "{addresses: [198.51.100.0/24], serviceAllocation: {serviceSelectors: \
                 [{matchLabels: {a: b}}, {matchExpressions: [{key: a, operator: In, values: \
                 [b]}]}]}}",
                &[],
            ),
            (
                "{addresses: [198.51.100.0/24], serviceAllocation: {serviceSelectors: \
                 [{matchExpressions: [{key: a, operator: In, values: [b, c]}]}, \
                 {matchExpressions: [{key: a, operator: In, values: [c, b]}]}]}}",
                &["spec.serviceAllocation.serviceSelectors[1]: this selector"],
            ),
            ("{addresses: [198.51.100.0/24], protocol: bgp}", &[]),
            (
                "{addresses: {a: b}}",
                &["spec.addresses: map where a list belongs"],
            ),
            (
                "{addresses: [198.51.100.0/24], autoAssign: 7}",
                &["spec.autoAssign: integer"],
            ),
        ],
    );
    // An API server does not send such fields.
    let misspelt = in_file(&manifest(
        Kind::IpAddressPool,
        "{adresses: [a], addresses: [a]}",
    ));
    assert_eq!(
        misspelt.unwrap_err()[0],
        "spec.adresses: unknown field, did you mean \"addresses\"?"
    );
}

#[test]
fn a_pool_says_what_it_says() {
    let spec = "{addresses: [198.51.100.0/31], autoAssign: false, avoidBuggyIPs: true, protocol: \
                layer2, serviceAllocation: {priority: 7, namespaces: [a], namespaceSelectors: \
                [{matchLabels: {b: c}}], serviceSelectors: [{}]}}";
    let draft = draft(Kind::IpAddressPool, spec);
    assert_eq!(draft.addresses_in_use, Some(AddressesInUse::Reallocate));
    let pool = &draft.pools[0];
    assert_eq!(&*pool.place.object, "IPAddressPool metallb-system/one");
    assert_eq!(pool.label(), "one");
    assert_eq!(pool.addresses[0].value.text, "198.51.100.0/31");
    assert_eq!(
        pool.addresses[0].place.path.to_string(),
        "spec.addresses[0]"
    );
    assert_eq!(
        (pool.protocol.unwrap().name(), pool.local_pref),
        ("layer2", 100)
    );
    assert!(pool.rest.avoid_buggy_ips && !pool.rest.auto_assign);
    let allocation = pool.rest.allocation.as_ref().unwrap();
    assert_eq!(allocation.priority.0, 7);
    assert_eq!(allocation.namespaces.first().unwrap(), "a");
    assert_eq!(allocation.namespace_selectors.len(), 1);
    assert_eq!(allocation.service_selectors.len(), 1);
}

#[test]
fn a_protocol_that_is_not_built_in_is_told() {
    let spec = "{addresses: [198.51.100.0/31], protocol: ospf}";
    let setting = in_file(&manifest(Kind::IpAddressPool, spec)).unwrap();
    let draft = setting.draft(BACKENDS).unwrap();
    let refused = assemble(draft, BACKENDS).refused.all().to_string();
    let told =
        "f:4:48: IPAddressPool metallb-system/one: spec.protocol: \"ospf\" is not a protocol";
    assert!(refused.starts_with(told), "{refused}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn l2_advertisements_are_as_the_reference_has_them() {
    table(
        Kind::L2Advertisement,
        &[
            ("{}", &[]),
            ("null", &[]),
            ("{ipAddressPools: [a, b], interfaces: [eth0, eth0]}", &[]),
            (
                "{ipAddressPools: [a, a], interfaces: null}",
                &["spec.ipAddressPools[1]: \"a\" is in the list twice"],
            ),
            (
                "{ipAddressPoolSelectors: [{}, {}], nodeSelectors: [{}, {}], serviceSelectors: \
                 [{}, {}]}",
                &[
                    "spec.ipAddressPoolSelectors[1]",
                    "spec.nodeSelectors[1]",
                    "spec.serviceSelectors[1]",
                ],
            ),
            (
                "{nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b, b]}]}]}",
                &["spec.nodeSelectors[0].matchExpressions[0].values[1]: \"b\" is in the list"],
            ),
            (
                "{nodeSelectors: [{matchExpressions: [{key: a, operator: Exists}, {key: a, \
                 operator: Exists}]}]}",
                &["spec.nodeSelectors[0].matchExpressions[1]: this expression is in the list"],
            ),
            (
                "{nodeSelectors: [{matchExpressions: [{key: a, operator: in, values: [b]}]}]}",
                &["spec.nodeSelectors[0].matchExpressions[0].operator: \"in\" is not an operator"],
            ),
            (
                "{nodeSelectors: [{matchExpressions: [{key: a, operator: In}]}]}",
                &["matchExpressions[0].values: the operator In needs at least one value"],
            ),
            (
                "{nodeSelectors: [{matchExpressions: [{key: a, operator: Exists, values: [b]}]}]}",
                &["matchExpressions[0].values: the operator Exists takes no values"],
            ),
            (
                "{nodeSelectors: [{matchLabels: {-a: b, c: '?'}}]}",
                &[
                    "matchLabels.-a: \"-a\" is not a label key",
                    "matchLabels.c: \"?\" is not a",
                ],
            ),
            (
                "{preferredNodeSelectors: [{weight: 1, preference: {}}, {weight: 100, \
                 preference: {}}]}",
                &[],
            ),
            (
                "{preferredNodeSelectors: [{weight: 0, preference: {}}, {weight: 101, \
                 preference: {}}, {weight: 5}]}",
                &[
                    "spec.preferredNodeSelectors[0].weight: 0 is out of range: write a number \
                     from 1 to 100",
                    "spec.preferredNodeSelectors[1].weight: 101 is out of range",
                    "spec.preferredNodeSelectors[2].preference: is missing",
                ],
            ),
        ],
    );
    let spec = "{ipAddressPools: [a], ipAddressPoolSelectors: [{matchLabels: {b: c}}], interfaces: \
                [eth0], nodeSelectors: [{}], serviceSelectors: [{}], preferredNodeSelectors: \
                [{weight: 7, preference: {matchLabels: {d: e}}}]}";
    let draft = draft(Kind::L2Advertisement, spec);
    let advertisement = &draft.l2_advertisements[0];
    assert_eq!(advertisement.pools.names[0].value, "a");
    let place = &advertisement.pools.selectors[0].place;
    assert_eq!(place.path.to_string(), "spec.ipAddressPoolSelectors[0]");
    assert_eq!(advertisement.rest.name, "one");
    assert_eq!(advertisement.rest.interfaces.len(), 1);
    assert_eq!(advertisement.rest.audience.nodes.len(), 1);
    assert_eq!(advertisement.rest.audience.services.len(), 1);
    assert_eq!(advertisement.rest.preferred_nodes[0].weight, 7);
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn bgp_advertisements_are_as_the_reference_has_them() {
    table(
        Kind::BgpAdvertisement,
        &[
            ("{}", &[]),
            (
                "{aggregationLength: 32, aggregationLengthV6: 128, localPref: 0}",
                &[],
            ),
            (
                "{aggregationLength: 1, aggregationLengthV6: 0, localPref: 4294967295}",
                &[],
            ),
            (
                "{aggregationLength: 33, aggregationLengthV6: 129, localPref: -1}",
                &[
                    "spec.aggregationLength: 33 is out of range: write a number from 1 to 32",
                    "spec.aggregationLengthV6: 129 is out of range",
                    "spec.localPref: -1 is out of range",
                ],
            ),
            (
                "{aggregationLength: 0, localPref: 4294967296}",
                &["spec.aggregationLength: 0", "spec.localPref: 4294967296"],
            ),
            (
                "{serviceSelectors: [{}], aggregationLength: 32, aggregationLengthV6: 128}",
                &[],
            ),
            (
                "{serviceSelectors: [{}], aggregationLength: 24, aggregationLengthV6: 64}",
                &[
                    "spec.aggregationLength: serviceSelectors and aggregationLength are mutually",
                    "spec.aggregationLengthV6: serviceSelectors and aggregationLengthV6 are",
                ],
            ),
            (
                "{communities: ['1:2', a, '1:2'], peers: [a, a], ipAddressPools: [a, a]}",
                &[
                    "spec.communities[2]: \"1:2\" is in the list twice",
                    "spec.ipAddressPools[1]",
                    "spec.peers[1]",
                ],
            ),
            (
                "{ipAddressPoolSelectors: [{}, {}], nodeSelectors: [{}, {}], serviceSelectors: \
                 [{}, {}]}",
                &[
                    "spec.ipAddressPoolSelectors[1]",
                    "spec.nodeSelectors[1]",
                    "spec.serviceSelectors[1]",
                ],
            ),
            (
                "{aggregationLength: 1.5}",
                &["spec.aggregationLength: floating point"],
            ),
        ],
    );
    let without = draft(Kind::BgpAdvertisement, "{}");
    assert_eq!(without.bgp_advertisements[0].rest.local_pref, 100);
    let with = draft(
        Kind::BgpAdvertisement,
        "{localPref: 0, communities: [a], peers: [p], aggregationLength: 24}",
    );
    let with = &with.bgp_advertisements[0];
    assert_eq!(with.rest.local_pref, 0);
    assert_eq!(with.communities[0].value, "a");
    assert_eq!(with.peers[0].value, "p");
    let length = with.aggregation_length_v4.as_ref().unwrap();
    assert_eq!(
        (length.value, length.place.path.to_string().as_str()),
        (24, "spec.aggregationLength")
    );
}

#[test]
fn peers_are_as_the_reference_has_them() {
    table(
        Kind::BgpPeer,
        &[
            (&format!("{{{PEER}}}"), &[]),
            (
                "{}",
                &[
                    "spec.myASN: 0 is not an AS number",
                    "spec.peerASN: is missing",
                    "spec.peerAddress: is missing",
                ],
            ),
            (
                "{myASN: 4294967296, peerASN: -1, peerAddress: a}",
                &[
                    "spec.myASN: 4294967296 is out of range",
                    "spec.peerASN: -1 is out of range",
                    "spec.peerAddress: \"a\" is not an IP address",
                ],
            ),
            (
                "{myASN: 1, peerASN: 1, peerAddress: 192.0.2.1, ebgpMultiHop: true}",
                &["spec.ebgpMultiHop: true makes no sense with equal AS numbers"],
            ),
            (
                "{myASN: 1, peerASN: 1, peerAddress: 192.0.2.1, ebgpMultiHop: false}",
                &[],
            ),
        ],
    );
    peers(&[
        ("peerPort: 16384", &[]),
        ("peerPort: 0", &[]),
        ("peerPort: 16385", &["spec.peerPort: 16385 is out of range"]),
        ("peerPort: -1", &["spec.peerPort: -1 is out of range"]),
        ("sourceAddress: 192.0.2.2, routerID: 192.0.2.3", &[]),
        (
            "sourceAddress: b, routerID: c",
            &["spec.routerID: \"c\"", "spec.sourceAddress: \"b\""],
        ),
        (
            "sourceAddress: '2001:db8::1'",
            &["spec.sourceAddress: 2001:db8::1 is IPv6"],
        ),
        (
            "nodeSelectors: [{}, {}]",
            &["spec.nodeSelectors[1]: this selector"],
        ),
        (
            "password: a, passwordSecret: {name: b}",
            &["spec.password: is given beside"],
        ),
        ("password: a, passwordSecret: {}", &[]),
        ("passwordSecret: {name: b, namespace: c}", &[]),
        (
            "password: 8305",
            &["spec.password: is not text: write it in quotes"],
        ),
    ]);
}

#[test]
fn what_a_session_cannot_be_without_refuses_its_peer() {
    peers(&[
        (
            "localASN: 7",
            &["spec.localASN: Carillon has no another AS"],
        ),
        ("localASN: 0", &["spec.localASN: 0 is out of range"]),
        (
            "dynamicASN: internal",
            &[
                "spec.peerASN: is given beside dynamicASN",
                "spec.dynamicASN",
            ],
        ),
        (
            "interface: eth0",
            &[
                "spec.peerAddress: is given beside interface",
                "spec.interface",
            ],
        ),
        (
            "vrf: red",
            &["spec.vrf: Carillon has no sessions in a VRF yet"],
        ),
        (
            "dualStackAddressFamily: true",
            &["spec.dualStackAddressFamily: Carillon has no"],
        ),
        (
            "dualStackAddressFamily: false, vrf: '', interface: '', dynamicASN: ''",
            &[],
        ),
    ]);
    table(
        Kind::BgpPeer,
        &[
            (
                "{myASN: 1, dynamicASN: external, interface: eth0}",
                &[
                    "spec.dynamicASN: Carillon has no",
                    "spec.interface: Carillon has no",
                ],
            ),
            (
                "{myASN: 1, dynamicASN: outside, peerAddress: 192.0.2.1}",
                &["spec.dynamicASN: \"outside\" is not known: write internal or external"],
            ),
        ],
    );
}

#[test]
fn what_a_session_goes_without_is_remarked() {
    let fields = "bfdProfile: b, enableGracefulRestart: true, disableMP: true";
    let text = manifest(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
    let notes = document::parse("f", &text).notes;
    let notes: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (note, field) in notes
        .iter()
        .zip(["bfdProfile", "enableGracefulRestart", "disableMP"])
    {
        assert!(
            note.starts_with(&format!("spec.{field}: has no effect")),
            "{note}"
        );
    }
    let draft = draft(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
    assert_eq!(draft.peers[0].bfd_profile.as_ref().unwrap().value, "b");
}

#[test]
fn a_connect_time_has_whole_seconds() {
    for (fields, expected) in [
        ("vrf: ''", None),
        ("connectTime: null", None),
        ("connectTime: ''", None),
        ("connectTime: 1s", Some(1)),
        ("connectTime: 1m30s", Some(90)),
        ("connectTime: 65535s", Some(65_535)),
    ] {
        let draft = draft(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
        let peer = draft.peers[0].peer.as_ref().unwrap();
        let seconds = peer.connect_time.map(|time| time.as_secs());
        assert_eq!(seconds, expected, "{fields}");
    }
    let wrong = |text| format!("connectTime: {text}");
    for text in ["0s", "1500ms", "65536s", "999ms"] {
        let told = format!("spec.connectTime: a connect time of \"{text}\" is no whole number");
        peers(&[(&wrong(text), &[&told])]);
    }
    peers(&[
        (
            "connectTime: 10",
            &["spec.connectTime: integer `10` where text"],
        ),
        (
            "connectTime: -1s",
            &["spec.connectTime: \"-1s\" is negative"],
        ),
    ]);
}

#[test]
fn timers_are_those_of_the_reference() {
    for (fields, hold, keepalive) in [
        ("vrf: ''", 90, None),
        ("holdTime: '', keepaliveTime: null", 90, None),
        ("holdTime: 1m30s", 90, None),
        ("holdTime: 3s", 3, None),
        ("holdTime: 0s", 0, None),
        ("holdTime: 0s, keepaliveTime: 0s", 0, Some(0)),
        ("keepaliveTime: 10s", 30, Some(10)),
        ("keepaliveTime: 0s", 0, Some(0)),
        ("holdTime: 30s, keepaliveTime: 30s", 30, Some(30)),
        ("holdTime: 30s, keepaliveTime: 0s", 30, None),
        ("holdTime: 30s, keepaliveTime: 500ms", 30, None),
    ] {
        let draft = draft(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
        let peer = draft.peers[0].peer.as_ref().unwrap();
        let keepalive_time = peer.keepalive_time.map(|time| time.as_secs());
        assert_eq!(
            (peer.hold_time.as_secs(), keepalive_time),
            (hold, keepalive),
            "{fields}"
        );
    }
    peers(&[
        (
            "holdTime: 2s",
            &["spec.holdTime: a hold time of \"2s\" is too short"],
        ),
        (
            "holdTime: 65536s",
            &["spec.holdTime: a hold time of \"65536s\" is too long"],
        ),
        ("holdTime: 90", &["spec.holdTime: integer `90` where text"]),
        ("holdTime: '90'", &["spec.holdTime: \"90\" lacks a unit"]),
        ("holdTime: -90s", &["spec.holdTime: \"-90s\" is negative"]),
        (
            "holdTime: NaN",
            &["spec.holdTime: \"NaN\" is not a duration"],
        ),
        (
            "keepaliveTime: 500ms",
            &["a hold time of \"3 × 500ms\" is too short"],
        ),
        (
            "keepaliveTime: 30000s",
            &["a hold time of \"3 × 30000s\" is too long"],
        ),
        (
            "holdTime: 30s, keepaliveTime: 31s",
            &["spec.keepaliveTime: \"31s\" is longer than"],
        ),
        (
            "holdTime: 0s, keepaliveTime: 1s",
            &["spec.keepaliveTime: \"1s\" is longer than"],
        ),
    ]);
}

#[test]
fn a_peer_says_what_it_says_in_both_versions() {
    let fields = "peerPort: 1179, sourceAddress: 192.0.2.9, routerID: 192.0.2.7, holdTime: 30s, \
                  ebgpMultiHop: true, password: secret, nodeSelectors: [{matchLabels: {a: b}}]";
    let text = manifest(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
    let peer = |text: &str| {
        let mut draft = in_file(text).unwrap().draft(BACKENDS).unwrap();
        draft.peers.remove(0).peer.unwrap()
    };
    let newer = peer(&text);
    assert_eq!(newer, peer(&text.replace("v1beta2", "v1beta1")));
    assert_eq!((newer.name.as_str(), newer.port), ("one", 1179));
    assert_eq!((newer.my_asn, newer.peer_asn), (64500, 64501));
    assert_eq!(newer.source_address.unwrap().to_string(), "192.0.2.9");
    assert_eq!(newer.router_id.unwrap().to_string(), "192.0.2.7");
    assert_eq!(newer.password.unwrap().0, "secret");
    assert_eq!(newer.ebgp_multihop, Some(true));
    assert_eq!(newer.node_selectors.len(), 1);
    // In MetalLB its session would never expire.
    let older = manifest(Kind::BgpPeer, &format!("{{{PEER}}}")).replace("v1beta2", "v1beta1");
    assert_eq!(peer(&older).hold_time.as_secs(), 90);
}

#[test]
fn no_password_is_told() {
    let fields = "password: hunter2";
    let text = manifest(Kind::BgpPeer, &format!("{{{PEER}, {fields}}}"));
    assert!(!format!("{:?}", in_file(&text)).contains("hunter2"));
    for wrong in ["[hunter2]", "{a: hunter2}", "0123456", "12345678", "1.5"] {
        let text = manifest(Kind::BgpPeer, &format!("{{{PEER}, password: {wrong}}}"));
        for told in [
            in_file(&text),
            in_api(Kind::BgpPeer, &text.replace("0123456", "123456")),
        ] {
            let told = format!("{told:?}");
            assert!(told.contains("is not text"), "{told}");
            assert!(!told.contains("hunter") && !told.contains("123") && !told.contains("1.5"));
        }
    }
}

#[test]
fn bfd_profiles_are_as_the_reference_has_them() {
    let least = "receiveInterval: 10, transmitInterval: 10, detectMultiplier: 2, echoInterval: 10, \
                 minimumTtl: 1";
    let most = "receiveInterval: 60000, transmitInterval: 60000, detectMultiplier: 255, \
                echoInterval: 60000, minimumTtl: 254, echoMode: true, passiveMode: true";
    table(
        Kind::BfdProfile,
        &[
            ("{}", &[]),
            (&format!("{{{least}}}"), &[]),
            (&format!("{{{most}}}"), &[]),
            (
                "{receiveInterval: 9, transmitInterval: 60001, detectMultiplier: 1, echoInterval: \
                 9, minimumTtl: 255}",
                &[
                    "spec.detectMultiplier: 1 is out of range: write a number from 2 to 255",
                    "spec.echoInterval: 9 is out of range: write a number from 10 to 60000",
                    "spec.minimumTtl: 255 is out of range: write a number from 1 to 254",
                    "spec.receiveInterval: 9 is",
                    "spec.transmitInterval: 60001 is",
                ],
            ),
        ],
    );
    let draft = draft(Kind::BfdProfile, "{}");
    assert_eq!(draft.bfd_profiles[0].value, "one");
}

#[test]
fn communities_are_as_the_reference_has_them() {
    table(
        Kind::Community,
        &[
            ("{}", &[]),
            (
                "{communities: [{name: a, value: '1:2'}, {name: b, value: '65535:0'}]}",
                &[],
            ),
            (
                "{communities: [{name: a, value: '1:2'}, {name: a, value: '1:3'}]}",
                &["spec.communities[1].name: \"a\" already exists"],
            ),
            (
                "{communities: [{name: a, value: '65536:2'}, {name: b}, {name: c, value: \
                 'large:1:2:3'}, {name: d, value: 'large:1:2'}]}",
                &[
                    "spec.communities[0].value: \"65536:2\" is not a community",
                    "spec.communities[1].value: \"\" is not a community",
                    "spec.communities[2].value: \"large:1:2:3\" is a large community",
                    "spec.communities[3].value: \"large:1:2\" is not a community",
                ],
            ),
        ],
    );
    let draft = draft(Kind::Community, "{communities: [{name: a, value: '1:2'}]}");
    assert_eq!(&*draft.communities[0].name.value, "a");
    assert_eq!(draft.communities[0].value.unwrap().to_string(), "1:2");
}

#[test]
fn what_is_wrong_beside_others_is_told_with_its_line_also_in_a_list() {
    let item = |name: &str, addresses: &str| {
        format!(
            "- apiVersion: metallb.io/v1beta1\n  kind: IPAddressPool\n  metadata: {{name: {name}, \
             namespace: x}}\n  spec:\n    addresses:\n    - {addresses}\n"
        )
    };
    let one = item("one", "198.51.100.0/24");
    let two = item("two", "198.51.100.128/25");
    let text = format!("# first\n---\napiVersion: v1\nkind: List\nitems:\n{one}{two}");
    let mut whole = Draft::default();
    for parsed in document::parse("f", &text).objects {
        let Object::Setting(setting) = parsed.object.unwrap() else {
            panic!("not a setting");
        };
        whole.append(setting.draft(BACKENDS).unwrap());
    }
    let refused = assemble(whole, BACKENDS).refused.all().to_string();
    assert_eq!(
        refused,
        "f:17:7: IPAddressPool x/two: spec.addresses[0]: \"198.51.100.128/25\" overlaps \
         \"198.51.100.0/24\" of pool \"one\" at f:11: an address can be in one pool only, and there \
         once"
    );
}

#[test]
fn when_a_resource_was_made_and_its_labels_are_kept() {
    let json = br#"{"metadata":{"name":"a","namespace":"x","labels":{"tier":"gold"},
        "creationTimestamp":"2026-01-02T03:04:05Z"},"spec":{"addresses":["198.51.100.0/24"]}}"#;
    let object = json::read(Kind::IpAddressPool, json, false).unwrap();
    let Object::Setting(setting) = object.object else {
        panic!("{object:?}");
    };
    assert_eq!(setting.created(), Some("2026-01-02T03:04:05Z"));
    let draft = setting.draft(BACKENDS).unwrap();
    assert_eq!(draft.pools[0].rest.labels.get("tier"), Some("gold"));
}

#[test]
fn kinds_that_only_programs_write_are_passed_over_and_others_told() {
    for kind in WRITTEN_BY_PROGRAMS {
        let text = format!("apiVersion: metallb.io/v1beta1\nkind: {kind}\nmetadata: {{name: a}}\n");
        assert!(document::parse("f", &text).objects.is_empty(), "{kind}");
    }
    let text = "apiVersion: metallb.io/v1beta1\nkind: Pool\nmetadata: {name: a}\n";
    let told = in_file(text).unwrap_err();
    assert!(
        told[0].contains("known are IPAddressPool, L2Advertisement"),
        "{told:?}"
    );
}

#[test]
fn many_and_long_values_are_refused_shortly() {
    let long = "é".repeat(50_000);
    let many = vec!["a"; 10_000].join(", ");
    let deep = format!("{}a{}", "[".repeat(60), "]".repeat(60));
    let kinds = KINDS.iter().map(|kind| (kind, kind.info()));
    for (kind, _) in kinds.filter(|(_, info)| info.is_custom() && info.in_files) {
        for field in [
            "addresses",
            "ipAddressPools",
            "communities",
            "peerAddress",
            "peerPort",
            "nodeSelectors",
            "serviceAllocation",
            "receiveInterval",
            "holdTime",
            "localPref",
        ] {
            for value in [
                format!("[{many}]"),
                format!("'{long}'"),
                format!("['{long}']"),
                format!("{{'{long}': '{long}'}}"),
                deep.clone(),
                "99999999999999999999999".to_owned(),
                "-9223372036854775808".to_owned(),
                "9223372036854775807".to_owned(),
                ".nan".to_owned(),
                "1e400".to_owned(),
                "\"\\u0000\\u202e\\ud83d\"".to_owned(),
            ] {
                let text = manifest(*kind, &format!("{{{field}: {value}}}"));
                let Err(errors) = in_file(&text) else {
                    continue;
                };
                assert!(
                    errors.iter().all(|error| error.len() < 2000),
                    "{kind} {field}"
                );
            }
        }
    }
}

proptest! {
    /// Whatever is written, what is accepted is a part of a configuration.
    #[test]
    fn any_spec_is_read_or_refused(
        kind in proptest::sample::select(KINDS),
        field in "(addresses|autoAssign|serviceAllocation|protocol|ipAddressPools|nodeSelectors|\
                  communities|localPref|aggregationLength|peerAddress|myASN|peerASN|holdTime|\
                  password|passwordSecret|preferredNodeSelectors|receiveInterval)",
        value in "(\\PC{0,20}|\\[\\PC{0,9}\\]|\\{\\PC{0,6}: \\PC{0,6}\\}|-?[0-9]{1,25}|[0-9]{1,3}[smh])",
    ) {
        if !kind.info().is_custom() {
            return Ok(());
        }
        let text = manifest(kind, &format!("{{{PEER}, {field}: {value}}}"));
        for parsed in document::parse("f", &text).objects {
            if let Ok(Object::Setting(setting)) = parsed.object {
                let draft = setting.draft(BACKENDS).unwrap();
                assemble(draft, BACKENDS);
            }
        }
    }
}
