//! What is installed, as an API server sees it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::test;
use serde_json::{Value, json};

use crate::api_server::start;

const NAMESPACE: &str = "metallb-system";

fn manifest(name: &str) -> PathBuf {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.join("../manifests").join(name)
}

fn create(api: &ApiServer, name: &str) -> Result<String> {
    let file = manifest(name);
    let file = file.to_string_lossy();
    api.kubectl(&["create", "--validate=strict", "--filename", &file])
}

/// An overlay, and what is at a place of its DaemonSet, as the API server takes it.
const OVERLAYS: &[(&str, &str, &str)] = &[
    (
        "bgp-only",
        ".spec.template.spec.containers[0].securityContext.capabilities",
        r#"{"drop":["ALL"]}"#,
    ),
    (
        "bgp-only",
        ".spec.template.spec.containers[0].securityContext.runAsUser",
        "65534",
    ),
    (
        "bgp-only",
        ".spec.template.spec.volumes[*].name",
        "excludel2 run",
    ),
    (
        "l2-only",
        ".spec.template.spec.volumes[?(@.name==\"gossip\")].secret.optional",
        "false",
    ),
];

#[test]
fn they_are_valid_and_install_in_each_of_the_ways_that_are_documented() {
    test(|lab| {
        let api = start(lab)?;
        let parts = [
            create(&api, "namespace.yaml")?,
            create(&api, "crds.yaml")?,
            create(&api, "carillon.yaml")?,
        ]
        .concat();
        for created in ["daemonset.apps/speaker", "deployment.apps/controller"] {
            let created = format!("{created} created");
            ensure!(parts.contains(&created), "{parts}");
        }
        let all = manifest("install.yaml");
        let base = manifest("base");
        for source in [
            ["--filename", &*all.to_string_lossy()],
            ["-k", &*base.to_string_lossy()],
        ] {
            let diff = api.kubectl(&[&["diff"], &source[..]].concat())?;
            ensure!(diff.is_empty(), "{source:?} differs:\n{diff}");
        }
        api.kubectl(&["delete", "daemonset/speaker", "--namespace", NAMESPACE])?;
        for (overlay, place, expected) in OVERLAYS {
            let overlay = manifest("overlays").join(overlay);
            let overlay = overlay.to_string_lossy();
            let output = format!("--output=jsonpath={{{place}}}");
            let apply = [
                "apply",
                "--dry-run=server",
                "--selector",
                "component=speaker",
            ];
            let found = api.kubectl(&[&apply[..], &["-k", &overlay, &output]].concat())?;
            ensure!(found == *expected, "{overlay}: {found}");
        }
        // No API server but OpenShift's knows SCCs.
        let openshift = manifest("overlays/openshift");
        let openshift = api.kubectl(&["kustomize", &openshift.to_string_lossy()])?;
        for kind in ["SecurityContextConstraints", "DaemonSet", "Deployment"] {
            ensure!(openshift.contains(&format!("kind: {kind}\n")), "no {kind}");
        }
        Ok(())
    });
}

/// What an account may: a verb and what it is for, with the namespace after an `@`.
const SPEAKER: &[&str] = &[
    "list services",
    "watch services",
    "list nodes",
    "watch nodes",
    "list endpointslices.discovery.k8s.io",
    "watch endpointslices.discovery.k8s.io",
    "list configmaps/config@metallb-system",
    "watch configmaps/config@metallb-system",
    "list pods@metallb-system",
    "watch pods@metallb-system",
    "watch leases.coordination.k8s.io/carillon@metallb-system",
    "list ipaddresspools.metallb.io@metallb-system",
    "watch bgppeers.metallb.io@metallb-system",
    "list secrets@metallb-system",
    "watch secrets@metallb-system",
    "create events.events.k8s.io@default",
    "create servicel2statuses.metallb.io@metallb-system",
    "delete servicel2statuses.metallb.io@metallb-system",
    "patch servicebgpstatuses.metallb.io/status@metallb-system",
    "patch configurationstates.metallb.io/controller@metallb-system",
    "patch configurationstates.metallb.io/status@metallb-system",
];

const CONTROLLER: &[&str] = &[
    "list services",
    "watch services",
    "list namespaces",
    "watch namespaces",
    "patch services/status@default",
    "create events.events.k8s.io@default",
    "list configmaps/config@metallb-system",
    "watch configmaps/config@metallb-system",
    "list pods@metallb-system",
    "watch pods@metallb-system",
    "create leases.coordination.k8s.io@metallb-system",
    "get leases.coordination.k8s.io/carillon@metallb-system",
    "patch leases.coordination.k8s.io/carillon@metallb-system",
    "watch leases.coordination.k8s.io/carillon@metallb-system",
    "list ipaddresspools.metallb.io@metallb-system",
    "watch bgppeers.metallb.io@metallb-system",
    "patch configurationstates.metallb.io/controller@metallb-system",
    "patch ipaddresspools.metallb.io/status@metallb-system",
];

/// What neither may.
const NEITHER: &[&str] = &[
    "get secrets@metallb-system",
    "list secrets",
    "update ipaddresspools.metallb.io@metallb-system",
    "list bgppeers.metallb.io",
    "list pods",
    "get pods@metallb-system",
    "get namespaces",
    "list configmaps",
    "list configmaps@metallb-system",
    "list configmaps/config@default",
    "watch leases.coordination.k8s.io@metallb-system",
    "update configmaps/config@metallb-system",
    "update services@default",
    "patch services@default",
    "update services/status@default",
    "delete services@default",
    "patch nodes",
    "patch nodes/status",
    "update leases.coordination.k8s.io/other@metallb-system",
    "delete leases.coordination.k8s.io/carillon@metallb-system",
    "create leases.coordination.k8s.io@kube-system",
    "create pods@metallb-system",
    "impersonate users",
];

/// Whether the account may do that.
fn may(api: &ApiServer, account: &str, what: &str) -> Result<bool> {
    let (what, namespace) = what.split_once('@').unwrap_or((what, ""));
    let (verb, resource) = what.split_once(' ').unwrap_or((what, ""));
    let (resource, name, subresource) = match resource.split_once('/') {
        Some((resource, "status")) => (resource, "", "status"),
        Some((resource, name)) => (resource, name, ""),
        None => (resource, "", ""),
    };
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{NAMESPACE}:{account}"),
            "groups": [
                "system:serviceaccounts",
                format!("system:serviceaccounts:{NAMESPACE}"),
                "system:authenticated",
            ],
            "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "name": name,
                "subresource": subresource, "namespace": namespace,
            },
        },
    });
    let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = api.send(&Request::create(reviews, review))?;
    let allowed = answer.pointer("/status/allowed").and_then(Value::as_bool);
    allowed.with_context(|| answer.to_string())
}

#[test]
fn the_service_accounts_may_do_what_their_daemons_do_and_no_more() {
    test(|lab| {
        let api = start(lab)?;
        create(&api, "install.yaml")?;
        for (account, rights, others) in [
            ("speaker", SPEAKER, CONTROLLER),
            ("controller", CONTROLLER, SPEAKER),
        ] {
            let token = api.kubeconfig_for(NAMESPACE, account)?;
            for what in rights {
                ensure!(may(&api, account, what)?, "the {account} may not {what}");
            }
            let others = others.iter().filter(|what| !rights.contains(what));
            for what in NEITHER.iter().chain(others) {
                ensure!(!may(&api, account, what)?, "the {account} may {what}");
            }
            // A list of one name is what the daemon asks for.
            let one = ["--field-selector", "metadata.name=config"];
            let list = ["get", "configmaps", "--namespace", NAMESPACE];
            api.kubectl_as(&token, &[&list[..], &one].concat())?;
        }
        Ok(())
    });
}

/// A definition as MetalLB installs it, with a webhook that converts.
const WITH_WEBHOOK: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bgppeers.metallb.io}
spec:
  group: metallb.io
  names: {kind: BGPPeer, listKind: BGPPeerList, plural: bgppeers, singular: bgppeer}
  scope: Namespaced
  conversion:
    strategy: Webhook
    webhook:
      clientConfig: {service: {name: metallb-webhook-service, namespace: metallb-system, path: /convert}}
      conversionReviewVersions: [v1beta1, v1beta2]
  versions:
  - name: v1beta1
    served: true
    storage: false
    schema: &anything {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
  - {name: v1beta2, served: true, storage: true, schema: *anything}
";
const PEER: &str = "{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: p, namespace: default}, \
                    spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 1m30s}}";

#[test]
fn the_definitions_take_the_place_of_those_of_metallb_and_keep_its_objects() {
    test(|lab| {
        let api = start(lab)?;
        let crds = manifest("crds.yaml");
        let crds = crds.to_string_lossy();
        // As Helm and kubectl make it.
        for make in ["create", "apply"] {
            api.kubectl_stdin(&[make, "--filename", "-"], WITH_WEBHOOK)?;
            let established = ["--for=condition=established", "crd", "bgppeers.metallb.io"];
            api.kubectl(&[&["wait"][..], &established].concat())?;
            api.kubectl_stdin(&["create", "--filename", "-"], PEER)?;
            let get = [
                "get",
                "bgppeers.v1beta2.metallb.io",
                "p",
                "--output=jsonpath={.spec}",
            ];
            let before = api.kubectl(&get)?;
            api.kubectl(&["apply", "--filename", &crds])?;
            let after = api.kubectl(&get)?;
            ensure!(
                after.contains("\"holdTime\":\"1m30s\""),
                "{before} became {after}"
            );
            let mut older = get;
            older[1] = "bgppeers.v1beta1.metallb.io";
            ensure!(api.kubectl(&older)? == after, "{after}");
            api.kubectl(&["delete", "--filename", &crds])?;
        }
        Ok(())
    });
}
