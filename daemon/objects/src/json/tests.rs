use carillon_core::address::Family;
use carillon_core::service::{Ingress, ServiceKey};
use proptest::prelude::*;

use super::super::Setting;
use super::*;

fn read(kind: Kind, json: &str) -> Result<ApiObject, Unreadable> {
    super::read(kind, json.as_bytes(), false)
}

fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    let name = ServiceKey::new(namespace, name);
    ObjectKey { kind, name }
}

const SERVICE: &str = r#"{
    "metadata": {
        "name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "41",
        "creationTimestamp": "2026-11-24T03:04:05Z",
        "annotations": {
            "metallb.io/ip-allocated-from-pool": "gold", "a": "{\"b\":\"\u00e9\"}",
            "metallb.universe.tf/address-pool": "gold"
        },
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:ports": {}}}}]
    },
    "spec": {
        "type": "LoadBalancer", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30080}],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None"
    },
    "status": {"loadBalancer": {"ingress": [
        {"ip": "198.51.100.7", "ipMode": "VIP"}, {"ip": "2001:db8::7"}, {"hostname": "a.example"}
    ]}}
}"#;

#[test]
fn a_service_is_read_with_how_it_is_stored() {
    let read = read(Kind::Service, SERVICE).unwrap();
    assert_eq!(read.key, key(Kind::Service, "shop", "web"));
    let Object::Service(service) = &read.object else {
        panic!("{:?}", read.object);
    };
    assert!(service.is_load_balancer);
    assert_eq!(service.published().len(), 3);
    let first = Ingress::Address("198.51.100.7".parse().unwrap());
    assert_eq!(service.published().first(), Some(&first));
    assert_eq!(service.given_from().map(|pool| &**pool), Some("gold"));
    assert_eq!(&*read.version, "41");
    let stored = Stored {
        uid: "u-1".into(),
        resource_version: "41".into(),
        pool: Some("gold".into()),
        ip_modes: vec![("198.51.100.7".parse().unwrap(), "VIP".into())],
        deprecated: ["metallb.universe.tf/address-pool"].into(),
    };
    assert_eq!(read.stored, Some(stored));
}

#[test]
fn a_configuration_is_read_with_what_it_may_do() {
    for (annotations, expected) in [
        ("{\"carillon/renumber\": \"1f2e\"}", Some("1f2e")),
        ("{\"other\": \"1f2e\"}", None),
        ("null", None),
    ] {
        let json = format!(
            "{{\"metadata\": {{\"name\": \"config\", \"namespace\": \"metallb-system\", \
             \"annotations\": {annotations}}}, \"data\": {{\"config\": \"peers: []\"}}}}"
        );
        let read = read(Kind::ConfigMap, &json).unwrap();
        let Object::Setting(Setting::ConfigMap(config)) = &read.object else {
            panic!("{:?}", read.object);
        };
        assert_eq!(config.renumber.as_deref(), expected, "{annotations}");
    }
}

#[test]
fn null_is_nothing_as_kubernetes_has_it() {
    let slice = r#"{
        "metadata": {"name": "web-1", "namespace": "shop", "resourceVersion": "7",
            "labels": {"kubernetes.io/service-name": "web"}, "annotations": null},
        "addressType": "IPv4", "endpoints": null, "ports": null
    }"#;
    let read = read(Kind::EndpointSlice, slice).unwrap();
    let Object::EndpointSlice(Some(slice)) = &read.object else {
        panic!("{:?}", read.object);
    };
    assert_eq!(slice.service, ServiceKey::new("shop", "web"));
    assert!(!slice.serves && slice.nodes.is_empty());
    assert_eq!(read.stored, None);
}

#[test]
fn a_node_is_in_no_namespace() {
    let node = r#"{"metadata": {"name": "alpha", "labels": {"rack": "1"}},
        "status": {"conditions": [{"type": "NetworkUnavailable", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "Hostname", "address": "alpha"}, {"type": "InternalIP", "address": "fd00::1"},
                {"type": "ExternalIP", "address": "203.0.113.1"}]}}"#;
    let read = read(Kind::Node, node).unwrap();
    assert_eq!(read.key, key(Kind::Node, "", "alpha"));
    let Object::Node(node) = &read.object else {
        panic!("{:?}", read.object);
    };
    assert!(node.network_unavailable && node.labels.get("rack") == Some("1"));
    let addresses = node.addresses.iter().map(ToString::to_string);
    assert_eq!(addresses.collect::<Vec<_>>(), ["10.0.0.1", "fd00::1"]);
}

#[test]
fn of_a_node_the_metadata_has_the_labels() {
    let node = r#"{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "alpha", "labels": {"rack": "1"}}}"#;
    let read = read(Kind::NodeLabels, node).unwrap();
    assert_eq!(read.key, key(Kind::NodeLabels, "", "alpha"));
    let labels = [("rack", "1")].into_iter().collect();
    assert_eq!(read.object, Object::NodeLabels(labels));
}

#[test]
fn of_a_namespace_the_metadata_has_the_labels() {
    let namespace = r#"{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "shop", "labels": {"team": "x"}}}"#;
    let read = read(Kind::Namespace, namespace).unwrap();
    assert_eq!(read.key, key(Kind::Namespace, "", "shop"));
    let labels = [("team", "x")].into_iter().collect();
    assert_eq!(read.object, Object::Namespace(labels));
}

#[test]
fn the_configuration_says_where_it_is_written() {
    let config = r#"{"metadata": {"name": "config", "namespace": "metallb-system"},
        "data": {"config": "peers: []\n", "other": "x"}}"#;
    let read = read(Kind::ConfigMap, config).unwrap();
    let Object::Setting(Setting::ConfigMap(config)) = &read.object else {
        panic!("{:?}", read.object);
    };
    assert_eq!(config.text, "peers: []\n");
    assert_eq!(config.origin.file(), "ConfigMap metallb-system/config");
}

/// Something that is wrong, the name that is known nevertheless, and what is told.
const WRONG: &[(Kind, &str, Option<&str>, &str)] = &[
    (
        Kind::Service,
        r#"{"metadata": {"name": "a", "namespace": "b"}, "spec": {"type": "Balanced"}}"#,
        Some("Service b/a"),
        "spec.type: \"Balanced\" is not known",
    ),
    (
        Kind::Service,
        r#"{"metadata": {"name": "a", "namespace": "b"}, "spec": {"ports": [{"port": "http"}]}}"#,
        Some("Service b/a"),
        "spec.ports[0].port: ",
    ),
    (
        Kind::EndpointSlice,
        r#"{"metadata": {"name": "a", "namespace": "b"}, "endpoints": {"addresses": []}}"#,
        Some("EndpointSlice b/a"),
        "endpoints: ",
    ),
    (
        Kind::ConfigMap,
        r#"{"metadata": {"name": "a", "namespace": "b"}, "data": {"conf": ""}}"#,
        Some("ConfigMap b/a"),
        "data: has no key `config`",
    ),
    (
        Kind::ConfigMap,
        r#"{"metadata": {"name": "a", "namespace": "b"}, "data": {"config": {}}}"#,
        Some("ConfigMap b/a"),
        "data.config: ",
    ),
    (
        Kind::Service,
        r#"{"metadata": {"name": ""}}"#,
        None,
        "metadata.name: is missing",
    ),
    (
        Kind::Service,
        r#"{"metadata": {"name": 7}}"#,
        None,
        "invalid type",
    ),
    (Kind::Service, r#"{"spec": {}}"#, None, "metadata"),
    (Kind::Service, "null", None, "null"),
    (Kind::Node, "[]", None, "invalid"),
    (Kind::Node, "", None, "EOF"),
];

#[test]
fn what_is_wrong_is_told_with_its_path_and_the_object() {
    for (kind, json, name, message) in WRONG {
        let unreadable = read(*kind, json).unwrap_err();
        let key = unreadable.key.map(|key| key.to_string());
        assert_eq!(key.as_deref(), *name, "{json}");
        let errors = unreadable.errors.join("\n");
        assert!(errors.contains(message), "{json}: {errors}");
    }
}

/// What is not known here, an API server of a later version may know.
#[test]
fn what_an_api_server_has_accepted_is_served_and_noted() {
    let cases = [
        (
            r#""ports": [{"port": 80, "protocol": "QUIC"}, {"port": 70000}, {"port": 81}]"#,
            vec![
                r#"spec.ports[0].protocol: "QUIC" is not known; write TCP, UDP or SCTP"#,
                "spec.ports[1].port: 70000 is not a port number, 1 to 65535",
            ],
        ),
        (
            r#""externalTrafficPolicy": "Near", "ipFamilyPolicy": "Any", "ipFamilies": ["IPv7"]"#,
            vec![
                r#"spec.ipFamilyPolicy: "Any" is not known; write SingleStack, PreferDualStack or RequireDualStack"#,
                r#"spec.ipFamilies[0]: "IPv7" is not known; write IPv4 or IPv6"#,
                r#"spec.externalTrafficPolicy: "Near" is not known; write Cluster or Local"#,
            ],
        ),
        // What a file must not have: an API server may have taken it once, or takes it today.
        (
            r#""sessionAffinity": "Any", "loadBalancerSourceRanges": ["010.0.0.0/8"], "selector": {"a": "b c"}"#,
            vec![],
        ),
        (
            r#""clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilyPolicy": "Any""#,
            vec![
                r#"spec.ipFamilyPolicy: "Any" is not known; write SingleStack, PreferDualStack or RequireDualStack"#,
            ],
        ),
    ];
    for (spec, expected) in cases {
        let json = format!(
            r#"{{"metadata": {{"name": "A_b", "labels": {{"x y": "z z"}}}},
            "spec": {{"type": "LoadBalancer", "clusterIP": "10.0.0.1", {spec}}}}}"#
        );
        let read = read(Kind::Service, &json).unwrap();
        let Object::Service(service) = &read.object else {
            panic!("{:?}", read.object);
        };
        assert!(
            service.is_load_balancer && service.families.is_ok(),
            "{spec}"
        );
        assert_eq!(read.notes, expected, "{spec}");
    }
    let slice = r#"{"metadata": {"name": "a", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["010.000.000.001"],
        "conditions": {"ready": true}}]}"#;
    match read(Kind::EndpointSlice, slice).unwrap().object {
        Object::EndpointSlice(Some(slice)) => assert!(slice.serves),
        other => panic!("{other:?}"),
    }
}

#[test]
fn name_and_version_are_known_of_what_is_wrong_otherwise() {
    let json = r#"{"metadata": {"name": "a", "namespace": "b", "resourceVersion": "9"},
        "spec": 5}"#;
    let line = format!(r#"{{"type": "ADDED", "object": {json}}}"#);
    for json in [json, &line] {
        let found = find(json.as_bytes());
        assert_eq!(found.key(Kind::Service), Some(key(Kind::Service, "b", "a")));
        assert_eq!(found.version(), Some("9"));
    }
    let found = find(b"{}");
    assert_eq!((found.key(Kind::Service), found.version()), (None, None));
}

/// What may come in the place of a part of an object, as a regular expression.
const PIECE: &str = r#"[a-z{}\[\]:",0-9\\]{0,6}"#;

proptest! {
    /// Whatever becomes of an object on its way, it is read or refused.
    #[test]
    fn no_text_is_too_strange(
        cuts in prop::collection::vec((0..SERVICE.len(), 0..40usize, PIECE), 0..6),
        kind in 0..4usize,
    ) {
        let mut text = SERVICE.to_owned();
        for (at, length, instead) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.replace_range(at..end, &instead);
        }
        let kinds = [Kind::Service, Kind::EndpointSlice, Kind::Node, Kind::ConfigMap];
        match read(kinds[kind], &text) {
            Ok(object) => prop_assert_eq!(object.key.kind, kinds[kind]),
            Err(unreadable) => prop_assert!(!unreadable.errors.is_empty()),
        }
    }
}

#[test]
fn what_is_published_is_read_of_a_service_that_is_not_understood() {
    let unreadable = read(
        Kind::Service,
        &SERVICE.replace("LoadBalancer\"", "Balanced\""),
    );
    let published = unreadable.unwrap_err().published.into_iter();
    let published: Vec<_> = published.map(|address| address.to_string()).collect();
    assert_eq!(published, ["198.51.100.7", "2001:db8::7"]);
}

/// Everything that a user may write into a Service at great length.
fn fat(text: &str) -> String {
    let annotations = [
        "loadBalancerIPs",
        "allow-shared-ip",
        "address-pool",
        "ip-allocated-from-pool",
    ];
    let annotations = annotations.map(|key| format!(r#""metallb.io/{key}": "{text}""#));
    let deprecated = (0..6000).map(|n| format!(r#""metallb.universe.tf/{n}": """#));
    let annotations: Vec<_> = annotations.into_iter().chain(deprecated).collect();
    let labels = (0..6000).map(|n| format!(r#""{text:.20}-{n}": "x""#));
    let labels: Vec<_> = labels.collect();
    format!(
        r#"{{"metadata": {{"name": "fat", "annotations": {{{}}}}},
        "spec": {{"type": "LoadBalancer", "loadBalancerClass": "{text}", "clusterIP": "{text}",
            "selector": {{{}}}}},
        "status": {{"loadBalancer": {{"ingress": [{{"hostname": "{text}"}}]}}}}}}"#,
        annotations.join(","),
        labels.join(","),
    )
}

#[test]
fn of_long_texts_of_users_little_is_kept_and_what_differs_goes_on_to_differ() {
    let long = "\u{e9}".repeat(100_000);
    let read = |text: &str| {
        let read = read(Kind::Service, &fat(text)).unwrap();
        let Object::Service(service) = read.object else {
            panic!("{:?}", read.object);
        };
        (service, read.stored.unwrap())
    };
    let (service, stored) = read(&long);
    let kept = format!("{service:?} {stored:?}").len();
    assert!(kept < 2000, "{kept} octets");
    assert_eq!(stored.deprecated.len(), 0);
    let (same, _) = read(&long);
    let (other, _) = read(&(long + "x"));
    assert_eq!(service, same);
    assert_ne!(service.requests.sharing_key, other.requests.sharing_key);
    assert_ne!(service.requests.address_pool, other.requests.address_pool);
    assert_ne!(service.load_balancer_class, other.load_balancer_class);
}

#[test]
fn a_slice_is_reduced_to_who_serves_and_where() {
    let slice = |address_type: &str| {
        let json = format!(
            r#"{{"metadata": {{"name": "web-1", "labels": {{"kubernetes.io/service-name": "web"}}}},
            "addressType": "{address_type}", "endpoints": [
                {{"addresses": ["a"], "nodeName": "n2", "conditions": {{"ready": true}}}},
                {{"addresses": ["b"], "nodeName": "n1", "conditions": {{"serving": true}}}},
                {{"addresses": ["c"], "nodeName": "n2"}},
                {{"addresses": ["d"], "nodeName": "n3", "conditions": {{"ready": false}}}},
                {{"addresses": [], "nodeName": "n4"}}]}}"#
        );
        match read(Kind::EndpointSlice, &json).unwrap().object {
            Object::EndpointSlice(slice) => slice,
            other => panic!("{other:?}"),
        }
    };
    let four = slice("IPv4").unwrap();
    let nodes: Vec<_> = four.nodes.iter().map(|node| &**node).collect();
    assert!(four.serves && nodes == ["n1", "n2"], "{four:?}");
    assert_eq!(four.family, Family::V4);
    assert_eq!(slice("IPv6").unwrap().family, Family::V6);
    // Names, as kube-proxy passes them over, and whatever comes after them.
    assert_eq!(slice("FQDN"), None);
    assert_eq!(slice("Carrier"), None);
}

#[test]
fn of_what_is_cut_name_version_and_addresses_are_known() {
    let trap = r#""x": "\"loadBalancer\":{\"ingress\":[{\"ip\":\"192.0.2.1\"}]}""#;
    let whole = SERVICE.replace(r#""a":"#, &format!(r#"{trap}, "a":"#));
    let whole = whole.replace(r#""loadBalancer": "#, r#""loadBalancer":"#);
    let (start, end) = (
        whole.find("creation").unwrap(),
        whole.find("\"sessionAff").unwrap(),
    );
    let (start, end) = (&whole[..start], &whole[end..]);
    let cut = [start, end].concat();
    let unreadable = super::read(Kind::Service, cut.as_bytes(), true).unwrap_err();
    assert_eq!(unreadable.key, Some(key(Kind::Service, "shop", "web")));
    assert_eq!(&*unreadable.version, "41");
    assert_eq!(unreadable.published.len(), 2);
    assert!(unreadable.errors[0].contains("longer than 8 MiB"));
    // Nothing of it is there.
    let unreadable = super::read(Kind::Service, trap.as_bytes(), true).unwrap_err();
    assert_eq!((unreadable.key, unreadable.published), (None, Vec::new()));
}
