use std::sync::Arc;

use super::super::Setting;
use super::*;

const SEED: &str = "\
---
apiVersion: v1
kind: Pod
metadata:
  name: test-0
---
kind: Service
apiVersion: v1
metadata:
  name: demo
spec:
  type: LoadBalancer
  ports:
    - name: \"http\"
      protocol: TCP
      port: 80
      targetPort: 80
  selector:
    env: test
";

fn names(text: &str) -> Vec<String> {
    let name = |parsed: Parsed| match (parsed.key, parsed.object) {
        (Some(key), Ok(_)) => key.to_string(),
        (key, Err(errors)) => {
            let key = key.map(|key| format!("{key} ")).unwrap_or_default();
            let (at, message) = errors.first().unwrap();
            format!("{key}{}:{}: {message}", at.line, at.column)
        }
        (None, Ok(_)) => unreachable!("an object without a key"),
    };
    parse("f", text).objects.into_iter().map(name).collect()
}

fn notes(text: &str) -> Vec<String> {
    let note = |note: Note| {
        let key = note.key.map(|key| format!("{key} ")).unwrap_or_default();
        format!("{key}{}:{}: {}", note.at.line, note.at.column, note.message)
    };
    parse("f", text).notes.into_iter().map(note).collect()
}

#[test]
fn the_seeds_manifest_has_one_service() {
    assert_eq!(names(SEED), ["Service default/demo"]);
}

#[test]
fn a_namespace_has_labels_and_is_in_none() {
    let namespace = |rest: &str| {
        let kind = "apiVersion: v1\nkind: Namespace\n";
        format!("{kind}metadata: {{name: shop, namespace: x, labels: {{team: x}}}}\n{rest}")
    };
    let text = namespace("spec: {finalizers: [kubernetes]}\nstatus: {phase: Active}\n");
    assert_eq!(names(&text), ["Namespace shop"]);
    let parsed = parse("f", &text).objects.pop().unwrap();
    let labels = [("team", "x")].into_iter().collect();
    assert_eq!(parsed.object, Ok(Object::Namespace(labels)));
    let wrong = names(&namespace("labels: {team: y}\n"));
    assert!(
        wrong[0].starts_with("Namespace shop 4:1: labels"),
        "{wrong:?}"
    );
}

#[test]
fn one_bad_document_leaves_the_others_alone() {
    let text = format!(
        "{SEED}---\nkind: [\n---\nkind: Service\napiVersion: v1\nmetadata:\n  name: web\n\
         spec:\n  type: Magic\n  ports: [{{port: 80}}]\n...\n# end\n{SEED}"
    );
    let names = names(&text);
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names[1].contains("not valid YAML"), "{names:?}");
    assert_eq!(
        names[2],
        "Service default/web 28:9: spec.type: \"Magic\" is not known; write LoadBalancer (or \
         ClusterIP, NodePort, ExternalName)"
    );
    assert_eq!(names[3], "Service default/demo");
}

#[test]
fn lists_are_read_item_by_item() {
    let text = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": ["x"]}},
        {"apiVersion": "v1", "kind": "Pod"},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": "e", "namespace": "x"}}]}"#;
    assert_eq!(
        names(text),
        [
            "Node n1",
            "3:70: metadata.name: sequence where text (quote it if it is meant as text) belongs",
            "EndpointSlice x/e"
        ]
    );
    let typed = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n  spec: \
                 {ports: [{port: 80}]}\n";
    assert_eq!(names(typed), ["Service default/a"]);
}

#[test]
fn what_is_no_object_of_ours_but_might_be_meant_so_is_told() {
    let bare = names("address-pools: []\n");
    assert!(
        bare[0].starts_with("1:1: not a Kubernetes object"),
        "{bare:?}"
    );
    let pool = names("apiVersion: metallb.io/v1beta1\nkind: Pool\nmetadata: {name: a}\n");
    assert!(pool[0].contains("is not known; known are"), "{pool:?}");
    let versionless = names("kind: Service\n");
    assert!(versionless[0].contains("apiVersion"), "{versionless:?}");
    assert_eq!(
        names("apiVersion: serving.knative.dev/v1\nkind: Service\n"),
        [""; 0]
    );
    assert_eq!(names("---\n---\n# only a comment\n---\n"), [""; 0]);
    assert_eq!(
        names("apiVersion: v1\nKind: Service\nmetadata: {name: a}\n"),
        ["2:1: Kind: unknown field, did you mean \"kind\"?"]
    );
    assert_eq!(
        names("just text"),
        ["1:1: string \"just text\" where a mapping belongs"]
    );
    assert_eq!(
        names("apiVersion: v1\nkind: Service\n"),
        ["1:1: the field `metadata` is missing"]
    );
}

#[test]
fn kinds_that_are_nearly_right_are_told() {
    for (api_version, kind, right) in [
        ("v1", "service", "kind: Service"),
        ("v1", "Configmap", "kind: ConfigMap"),
        ("v2", "Service", "apiVersion: v1"),
        ("core/v1", "Node", "apiVersion: v1"),
        ("v1", "Services", "kind: Service"),
        ("v1", "Sevice", "kind: Service"),
        (
            "discovery.k8s.io/v1",
            "EndpointSlices",
            "kind: EndpointSlice",
        ),
        (
            "discovery.k8.io/v1",
            "EndpointSlice",
            "apiVersion: discovery.k8s.io/v1",
        ),
        ("V1", "Service", "apiVersion: v1"),
        ("v1", "EndpointSlice", "apiVersion: discovery.k8s.io/v1"),
        (
            "discovery.k8s.io/v1",
            "Endpointslice",
            "kind: EndpointSlice",
        ),
    ] {
        let found = names(&format!("apiVersion: {api_version}\nkind: {kind}\n"));
        assert!(
            found.concat().contains(right),
            "{api_version} {kind}: {found:?}"
        );
    }
    for (api_version, kind) in [
        ("v1", "Endpoints"),
        ("v1", "Event"),
        ("v1", "Pod"),
        ("v1", "PersistentVolume"),
        ("v1", "ServiceAccount"),
        ("apps/v1", "Service"),
        ("networking.k8s.io/v1", "ServiceCIDR"),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        assert_eq!(names(&text), [""; 0], "{api_version} {kind}");
    }
}

#[test]
fn a_kind_may_be_any_text() {
    let found = names("kind: \"a\\nb\"\n");
    assert!(
        found[0].starts_with(r#"1:1: "a\nb": the field `apiVersion`"#),
        "{found:?}"
    );
    let found = names(&format!(
        "kind: x\napiVersion: metallb.io/{}\n",
        "y".repeat(1000)
    ));
    assert!(found[0].len() < 250, "{found:?}");
}

#[test]
fn what_is_passed_over_and_was_probably_not_meant_so_is_noted() {
    let endpoints = "# x\napiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n";
    assert_eq!(
        notes(endpoints),
        [
            "2:1: Endpoints default/web: this kind is passed over: write an EndpointSlice \
             (discovery.k8s.io/v1) with the label kubernetes.io/service-name: web"
        ]
    );
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations:\n    \
                   metallb.universe.tf/addres-pool: a\n    metalb.io/loadbalancerIP: b\n    \
                   address-pool: c\n    metallb.io/ip-allocated-from-pool: d\n    \
                   metallb.io/address-pool: e\n    example.com/address-pool: f\n  labels: \
                   {metallb.io/allow-shared-ip: g}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n";
    assert_eq!(names(service), ["Service default/web"]);
    assert_eq!(
        notes(service),
        [
            "Service default/web 8:19: metadata.annotations.address-pool: has no meaning, did you \
             mean \"metallb.io/address-pool\"?",
            "Service default/web 7:31: metadata.annotations[metalb.io/loadbalancerIP]: has no \
             meaning, did you mean \"metallb.io/loadBalancerIPs\"?",
            "Service default/web 6:38: metadata.annotations[metallb.universe.tf/addres-pool]: has \
             no meaning, did you mean \"metallb.universe.tf/address-pool\"?",
            "Service default/web 12:40: metadata.labels[metallb.io/allow-shared-ip]: has no meaning \
             as a label: write the annotation \"metallb.io/allow-shared-ip\"",
        ]
    );
}

#[test]
fn every_unknown_field_of_an_object_is_told_beside_what_else_is_wrong() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{port: 0}]\n  \
                loadbalancerIP: 192.0.2.1\n  type: x\n  type: LoadBalancer\n";
    let parsed = parse("f", text).objects;
    let errors = parsed[0].object.as_ref().unwrap_err();
    let errors: Vec<String> = errors
        .iter()
        .map(|(at, message)| format!("{}:{} {message}", at.line, at.column))
        .collect();
    assert_eq!(
        errors,
        [
            "6:3 spec.loadbalancerIP: unknown field, did you mean \"loadBalancerIP\"?",
            "8:3 spec.type: is there twice: remove one",
        ]
    );
}

#[test]
fn what_is_wrong_in_the_metadata_is_wrong_in_an_object_that_is_known() {
    let found = names(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {x: 1}}\n\
         spec: {ports: [{port: 80}]}\n",
    );
    assert!(
        found
            .concat()
            .starts_with("Service default/a 3:33: metadata.labels.x: integer"),
        "{found:?}"
    );
}

/// An object, from `kind` on, and what is told of it.
const WRONG: &[(&str, &[&str])] = &[
    (
        "kind: Service\nmetadata: {name: Web}\nspec: {ports: [{port: 0}]}",
        &[
            "3:18: metadata.name: \"Web\" is not a name here: up to 63 small letters, digits and \
             `-`, a letter or digit at both ends; write for example web",
            "4:23: spec.ports[0].port: 0 is not a port number, 1 to 65535",
        ],
    ),
    (
        "kind: Service\nmetadata: {name: a.b, namespace: c.d}\nspec: {ports: [{port: 80}]}",
        &[
            "3:18: metadata.name: \"a.b\" is not a name here: up to 63 small letters, digits and \
             `-`, a letter or digit at both ends; write for example a-b",
            "3:34: metadata.namespace: \"c.d\" is not a name here: up to 63 small letters, digits and \
             `-`, a letter or digit at both ends; write for example c-d",
        ],
    ),
    (
        "kind: Service\nmetadata: {name: ''}\nspec: {ports: [{port: 80}]}",
        &["3:18: metadata.name: is missing; every object needs a name"],
    ),
    (
        "kind: Node\nmetadata: {name: n_1, labels: {a b: c}, annotations: {d e: f, G.h/i: k}}",
        &[
            "3:32: Node n_1: metadata.labels[\"a b\"]: \"a b\" is not a key: up to 63 letters, digits, `-`, \
             `_` and `.`, a letter or digit at both ends; a domain name and one `/` may stand \
             before, for example example.com/rack",
            "3:55: Node n_1: metadata.annotations[\"d e\"]: \"d e\" is not a key: up to 63 letters, digits, \
             `-`, `_` and `.`, a letter or digit at both ends; a domain name and one `/` may stand \
             before, for example example.com/rack",
        ],
    ),
    (
        "kind: Node\nmetadata: {name: n1.example.com, labels: {mode: 0755, rack: a b}}",
        &[
            "3:49: Node n1.example.com: metadata.labels.mode: 0755 is a number where text belongs: \
             write '0755'",
            "3:61: Node n1.example.com: metadata.labels.rack: \"a b\" is not the value of a label: up \
             to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
        ],
    ),
    (
        "kind: Node\nmetadata: {name: n1}\nspec: {taints: [{key: a b, value: c d, effect: NoShedule}]}",
        &[
            "4:23: Node n1: spec.taints[0].key: \"a b\" is not a key: up to 63 letters, digits, `-`, \
             `_` and `.`, a letter or digit at both ends; a domain name and one `/` may stand \
             before, for example example.com/rack",
            "4:35: Node n1: spec.taints[0].value: \"c d\" is not the value of a label: up to 63 \
             letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
            "4:48: Node n1: spec.taints[0].effect: \"NoShedule\" is not known; write NoSchedule, \
             PreferNoSchedule or NoExecute",
        ],
    ),
    // Nobody has written a mark between the two.
    (
        "kind: Service\nmetadata: {name: a}\napiVersion: v1\nkind: Service\n",
        &[
            "4:1: apiVersion: is there twice: if another object begins here, write a line `---` above it",
        ],
    ),
];

#[test]
fn every_wrong_value_of_an_object_is_told_at_once() {
    for (text, expected) in WRONG {
        let parsed = parse("f", &format!("apiVersion: v1\n{text}\n"))
            .objects
            .remove(0);
        let key = parsed.key.map(|key| format!("{key}: ")).unwrap_or_default();
        let told = parsed.object.unwrap_err().into_iter();
        let told = told.map(|(at, message)| format!("{}:{}: {key}{message}", at.line, at.column));
        assert_eq!(told.collect::<Vec<_>>(), *expected, "{text}");
    }
}

#[test]
fn a_condition_that_is_neither_true_nor_false_is_noted() {
    let node = |status: &str| {
        let conditions = format!("[{{type: NetworkUnavailable, status: {status}}}]");
        notes(&format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: a}}\nstatus: {{conditions: {conditions}}}\n"
        ))
    };
    assert_eq!(node("'True'"), [""; 0]);
    assert_eq!(
        node("'true'"),
        [
            "Node a 4:58: status.conditions[0].status: \"true\" counts as False: write True, False or \
             Unknown"
        ]
    );
}

#[test]
fn the_embedded_configuration_knows_its_place() {
    let text = "---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n\
                data:\n  config: |\n    peers: []\n    address-pools: 7\n";
    let parsed = parse("f.yaml", text).objects;
    let Ok(Object::Setting(Setting::ConfigMap(config))) = &parsed[0].object else {
        panic!("{parsed:?}");
    };
    assert_eq!(config.text, "peers: []\naddress-pools: 7\n");
    let refused = carillon_core::config::legacy::parse(&config.text, &config.origin, &["bgp"]);
    let message = refused.unwrap_err().to_string();
    assert!(
        message.starts_with("f.yaml:9:20: address-pools: "),
        "{message}"
    );

    let keyless = names("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {}\n");
    assert!(
        keyless[0].contains("data: has no key `config`"),
        "{keyless:?}"
    );
}

#[test]
fn a_text_that_is_folded_is_told_how_to_write_it() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n\
                data:\n  config: >\n    address-pools:\n    - name: a\n";
    let parsed = parse("f.yaml", text).objects.remove(0);
    let Ok(Object::Setting(Setting::ConfigMap(config))) = parsed.object else {
        panic!("{parsed:?}");
    };
    let refused = carillon_core::config::legacy::parse(&config.text, &config.origin, &["bgp"]);
    let message = refused.unwrap_err().to_string();
    assert!(
        message.ends_with(
            "; the text is folded or quoted here: write `|` in front, and below it the text as it is \
             (line 1, column 16 of the text)"
        ),
        "{message}"
    );
}

#[test]
fn nothing_makes_it_panic() {
    for cut in 0..SEED.len() {
        let _ = parse("f", &SEED[..cut]);
        let _ = parse("f", &SEED[cut..]);
        let _ = parse("f", &format!("{}\u{0}{}", &SEED[..cut], &SEED[cut..]));
    }
    let _ = parse("f", &"[".repeat(100_000));
    let _ = parse("f", "a: &a [*a]");
}

#[test]
fn services_that_differ_in_name_and_address_only_share_their_facts() {
    let service = |name: &str, port: u16| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
        )
    };
    let text = service("a", 80) + &service("b", 80) + &service("c", 81);
    let services: Vec<_> = parse("x.yaml", &text).objects.into_iter().collect();
    let facts = |n: usize| match &services[n].object {
        Ok(Object::Service(service)) => service.facts().clone(),
        other => panic!("{other:?}"),
    };
    assert!(Arc::ptr_eq(&facts(0), &facts(1)));
    assert_ne!(facts(0), facts(2));
}
