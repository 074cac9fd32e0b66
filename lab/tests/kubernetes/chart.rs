//! The Helm chart, by Helm itself: what it makes of which values, and an installation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{ApiServer, helm};
use carillon_lab::test;
use serde_json::{Value, json};

use crate::api_server::start;

const INSTALL: &str = include_str!("../../../manifests/install.yaml");
/// The values of MetalLB's chart 0.16.1, as they are without a word of the user.
const METALLB: &str = "tests/kubernetes/metallb-values.json";
const NAMESPACE: &str = "metallb-system";

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/chart")
}

/// Runs Helm on the chart: the subcommand, the release if it takes one, and more.
fn run(command: &[&str], more: &[&str]) -> Result<Output> {
    let mut helm = Command::new(helm()?);
    helm.args(command).arg(chart());
    helm.args(["--namespace", NAMESPACE]).args(more);
    helm.output().context("cannot run helm")
}

fn text(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{complaint}{said}");
    Ok(said)
}

type Objects = BTreeMap<(String, String), Value>;

/// Objects by kind and name.
fn objects(yaml: &str) -> Result<Objects> {
    let documents = yaml.split("---\n").filter(|text| text.contains("kind:"));
    let object = |text| {
        let object: Value = serde_saphyr::from_str(text).with_context(|| format!("in {text}"))?;
        let word = |at| object.pointer(at).and_then(Value::as_str);
        let key = word("/kind").zip(word("/metadata/name"));
        let (kind, name) = key.with_context(|| format!("{object} has no kind or name"))?;
        Ok(((kind.to_owned(), name.to_owned()), object))
    };
    documents.map(object).collect()
}

/// What the chart makes of these arguments.
fn render(arguments: &[&str]) -> Result<Objects> {
    objects(&text(&run(&["template", "carillon"], arguments)?)?)
}

/// The notes that somebody reads who installs it with these arguments.
fn notes(arguments: &[&str]) -> Result<String> {
    let arguments = [&["--dry-run=client"], arguments].concat();
    let said = text(&run(&["install", "carillon"], &arguments)?)?;
    let (_, notes) = said.split_once("NOTES:").context("no notes")?;
    Ok(notes.to_owned())
}

fn complaint(arguments: &[&str]) -> Result<String> {
    let output = run(&["template", "carillon"], arguments)?;
    ensure!(!output.status.success(), "{arguments:?} is accepted");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// As `--set-json` takes them: `key=value`, each value as JSON.
fn set<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values
        .iter()
        .flat_map(|value| ["--set-json", value])
        .collect()
}

/// Removes the labels that Helm's charts have beyond others, and what keeps the definitions of the
/// resources when the release goes.
fn without_labels_of_helm(mut objects: Objects) -> Objects {
    let own = [
        "app.kubernetes.io/component",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "helm.sh/chart",
    ];
    for object in objects.values_mut() {
        for at in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = object.pointer_mut(at).and_then(Value::as_object_mut) {
                labels.retain(|label, _| !own.contains(&label.as_str()));
            }
        }
        let keep = json!({"helm.sh/resource-policy": "keep"});
        if object.pointer("/metadata/annotations") == Some(&keep)
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.remove("annotations");
        }
    }
    objects
}

#[test]
fn it_is_in_order_and_makes_the_objects_that_are_applied_without_it() -> Result<()> {
    text(&run(&["lint", "--strict"], &[])?)?;
    let mut applied = objects(INSTALL)?;
    // Helm makes the namespace, or somebody before it.
    applied.remove(&("Namespace".to_owned(), NAMESPACE.to_owned()));
    let made = without_labels_of_helm(render(&[])?);
    assert!(
        made.keys().eq(applied.keys()),
        "{:?} and {:?}",
        made.keys(),
        applied.keys()
    );
    for (key, object) in &applied {
        assert_eq!(made.get(key), Some(object), "{key:?}");
    }
    Ok(())
}

#[test]
fn it_takes_the_values_of_metallb_as_they_are() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(METALLB);
    let values = ["--values", &*file.to_string_lossy()];
    let made = render(&values)?;
    assert!(made.keys().eq(render(&[])?.keys()));
    let notes = notes(&values)?;
    let without_effect: Vec<_> = notes
        .lines()
        .skip_while(|line| !line.starts_with("Without effect"))
        .skip(1)
        .filter_map(|line| line.trim().split_once(": ").map(|(key, _)| key))
        .collect();
    // It is another program.
    let expected = ["controller.image.repository", "speaker.image.repository"];
    assert_eq!(without_effect, expected, "{notes}");
    assert!(!notes.contains("Unknown"), "{notes}");
    Ok(())
}

const SPEAKER: &str = "DaemonSet speaker /spec/template/spec";
const CONTROLLER: &str = "Deployment controller /spec/template/spec";

/// What is at a place in what the chart makes: an object by kind and name, and a path in it.
fn at(made: &Objects, object: &str, path: &str) -> Option<Value> {
    let mut words = object.splitn(3, ' ').map(str::to_owned);
    let key = (words.next()?, words.next()?);
    let path = words.next().unwrap_or_default() + path;
    made.get(&key)?.pointer(&path).cloned()
}

/// A value of a component, a place in its pods, and what is there then.
const VALUES: &[(&str, &str, &str)] = &[
    (
        r#"resources={"limits":{"cpu":2}}"#,
        "/containers/0/resources",
        r#"{"limits":{"cpu":2}}"#,
    ),
    (
        r#"nodeSelector={"edge":"yes"}"#,
        "/nodeSelector/edge",
        r#""yes""#,
    ),
    (
        r#"nodeSelector={"edge":"yes"}"#,
        "/nodeSelector/kubernetes.io~1os",
        r#""linux""#,
    ),
    (
        r#"tolerations=[{"key":"edge"}]"#,
        "/tolerations/2",
        r#"{"key":"edge"}"#,
    ),
    (
        r#"affinity={"podAffinity":{}}"#,
        "/affinity",
        r#"{"podAffinity":{}}"#,
    ),
    (
        r#"priorityClassName="high""#,
        "/priorityClassName",
        r#""high""#,
    ),
    (
        r#"runtimeClassName="kata""#,
        "/runtimeClassName",
        r#""kata""#,
    ),
    (
        r#"securityContext={"fsGroup":7}"#,
        "/securityContext/seccompProfile/type",
        r#""RuntimeDefault""#,
    ),
    (
        r#"securityContext={"fsGroup":7}"#,
        "/securityContext/fsGroup",
        "7",
    ),
    (
        r#"extraContainers=[{"name":"more"}]"#,
        "/containers/1/name",
        r#""more""#,
    ),
    (
        r#"image.pullPolicy="Always""#,
        "/containers/0/imagePullPolicy",
        r#""Always""#,
    ),
    (
        r#"serviceAccount.name="own""#,
        "/serviceAccountName",
        r#""own""#,
    ),
    (
        "serviceAccount.create=false",
        "/serviceAccountName",
        r#""default""#,
    ),
    (
        "livenessProbe.enabled=false",
        "/containers/0/livenessProbe",
        "null",
    ),
    (
        "readinessProbe.periodSeconds=7",
        "/containers/0/readinessProbe/periodSeconds",
        "7",
    ),
    (
        "readinessProbe.periodSeconds=7",
        "/containers/0/readinessProbe/timeoutSeconds",
        "4",
    ),
    (
        r#"extraArgs=["--log-format","json"]"#,
        "/containers/0/args/5",
        r#""json""#,
    ),
    (r#"logLevel="all""#, "/containers/0/args/5", r#""trace""#),
];

#[test]
fn each_value_of_a_component_comes_to_its_place() -> Result<()> {
    for (component, pod) in [("speaker", SPEAKER), ("controller", CONTROLLER)] {
        for (value, path, expected) in VALUES {
            let value = format!("{component}.{value}");
            let found = at(&render(&set(&[&value]))?, pod, path).unwrap_or_default();
            let expected: Value = serde_json::from_str(expected)?;
            assert_eq!(found, expected, "{value} at {path}");
        }
        let [annotations, labels] = [
            format!("{component}.podAnnotations={{\"a\":\"b\"}}"),
            format!("{component}.labels={{\"team\":5,\"component\":\"x\"}}"),
        ];
        let made = render(&set(&[&annotations, &labels]))?;
        let metadata = pod.replace("/template/spec", "/template/metadata");
        let of = |path| at(&made, &metadata, path).unwrap_or_default();
        assert_eq!(of("/annotations"), json!({"a": "b"}));
        assert_eq!(of("/labels/team"), "5");
        assert_eq!(
            of("/labels/component"),
            component,
            "it is what selects them"
        );
    }
    Ok(())
}

#[test]
fn each_value_for_all_comes_to_both() -> Result<()> {
    let made = render(&set(&[
        r#"image={"repository":"r.example/c","tag":"9"}"#,
        r#"imagePullSecrets=[{"name":"key"}]"#,
        r#"loadBalancerClass="example.com/lb""#,
        r#"nameOverride="lb""#,
    ]))?;
    for pod in [SPEAKER, CONTROLLER] {
        let of = |path| at(&made, pod, path).unwrap_or_default();
        assert_eq!(of("/containers/0/image"), "r.example/c:9");
        assert_eq!(of("/imagePullSecrets"), json!([{"name": "key"}]));
        let arguments = of("/containers/0/args").to_string();
        let last = r#""--lb-class","example.com/lb"]"#;
        assert!(arguments.ends_with(last), "{arguments}");
        let metadata = pod.replace("/template/spec", "/template/metadata");
        let label = at(&made, &metadata, "/labels/app.kubernetes.io~1name");
        assert_eq!(label, Some(json!("lb")));
    }
    Ok(())
}

#[test]
fn what_only_one_of_them_takes_comes_to_its_place() -> Result<()> {
    let gossip = "/containers/0/env";
    let made = render(&set(&[
        "speaker.memberlist={\"mlBindPort\":7946,\"mlBindAddrOverride\":\"0.0.0.0\"}",
        "speaker.tolerateMaster=false",
        "speaker.ignoreExcludeLB=true",
        "speaker.updateStrategy.type=\"OnDelete\"",
        "speaker.excludeInterfaces.enabled=false",
        "controller.replicas=3",
        "controller.strategy.type=\"Recreate\"",
        "configInline={\"address-pools\":[]}",
    ]))?;
    let arguments = |pod| at(&made, pod, "/containers/0/args").unwrap_or_default();
    let ignores = |pod| {
        arguments(pod)
            .to_string()
            .contains("\"--ignore-exclude-lb\"")
    };
    assert_eq!((ignores(SPEAKER), ignores(CONTROLLER)), (true, false));
    let variables = at(&made, SPEAKER, gossip).unwrap_or_default().to_string();
    for (name, value) in [
        ("CARILLON_GOSSIP_BIND", "0.0.0.0:7946"),
        ("CARILLON_GOSSIP_ADVERTISE", "$(HOST_IP):7946"),
    ] {
        let variable = json!({"name": name, "value": value}).to_string();
        assert!(variables.contains(&variable), "{variables}");
    }
    assert_eq!(at(&made, SPEAKER, "/tolerations"), None);
    let strategy = at(&made, "DaemonSet speaker /spec", "/updateStrategy");
    assert_eq!(strategy, Some(json!({"type": "OnDelete"})));
    let spec = |path| at(&made, "Deployment controller /spec", path);
    assert_eq!(spec("/replicas"), Some(json!(3)));
    assert_eq!(spec("/strategy"), Some(json!({"type": "Recreate"})));
    let config = at(&made, "ConfigMap config /data", "/config");
    assert_eq!(config, Some(json!("address-pools: []\n")));
    let list = at(&made, "ConfigMap no-excludel2 /data", "/excludel2.yaml");
    assert_eq!(list, Some(json!("announcedInterfacesToExclude: []\n")));
    let volumes = at(&made, SPEAKER, "/volumes").unwrap_or_default();
    let volume = json!({"name": "excludel2", "configMap": {"name": "no-excludel2"}});
    assert!(
        volumes.as_array().is_some_and(|all| all.contains(&volume)),
        "{volumes}"
    );

    let made = render(&set(&[
        "networkpolicies={\"enabled\":true,\"defaultDeny\":true,\"apiPort\":443}",
    ]))?;
    let port = at(
        &made,
        "NetworkPolicy controller /spec",
        "/egress/0/ports/0/port",
    );
    assert_eq!(port, Some(json!(443)));
    let all = at(&made, "NetworkPolicy default-deny /spec", "/podSelector");
    assert_eq!(all, Some(json!({})));
    Ok(())
}

#[test]
fn each_component_and_the_rights_can_be_left_out() -> Result<()> {
    for (left_out, other) in [("speaker", "controller"), ("controller", "speaker")] {
        let left_out = format!("{left_out}.enabled=false");
        let made = render(&set(&["crds.enabled=false", &left_out]))?;
        assert!(
            made.keys().all(|(_, name)| name.ends_with(other)),
            "{:?}",
            made.keys()
        );
        assert_eq!(made.len(), 6, "{:?}", made.keys());
    }
    let made = render(&set(&[
        "crds.enabled=false",
        "rbac.create=false",
        "speaker.serviceAccount.create=false",
    ]))?;
    let kinds: Vec<_> = made
        .keys()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    let expected = [
        "DaemonSet speaker",
        "Deployment controller",
        "ServiceAccount controller",
    ];
    assert_eq!(kinds, expected);
    Ok(())
}

#[test]
fn its_names_follow_the_release() -> Result<()> {
    let made = render(&set(&[
        "fullnameOverride=\"edge\"",
        "controller.serviceAccount.name=\"own\"",
    ]))?;
    for (component, account) in [("speaker", "edge-speaker"), ("controller", "own")] {
        let name = format!("edge-{component}");
        for role in [name.clone(), format!("{NAMESPACE}:{name}")] {
            let kind = if role == name { "Role" } else { "ClusterRole" };
            let binding = made.get(&(format!("{kind}Binding"), role.clone()));
            let binding = binding.with_context(|| format!("no binding {role}"))?;
            let expected =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role});
            assert_eq!(binding.get("roleRef"), Some(&expected));
            let expected =
                json!([{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": account}]);
            assert_eq!(binding.get("subjects"), Some(&expected));
            assert!(made.contains_key(&(kind.to_owned(), role)));
        }
        assert!(made.contains_key(&("ServiceAccount".to_owned(), account.to_owned())));
    }
    let elsewhere = text(&run(&["template", "carillon"], &["--namespace", "lb"])?)?;
    assert!(!elsewhere.contains(NAMESPACE), "{elsewhere}");
    Ok(())
}

/// Keys that do nothing, with a value that is not MetalLB's own.
const WITHOUT_EFFECT: &[&str] = &[
    "controller.image.repository=\"quay.io/metallb/controller\"",
    "controller.image.tag=\"v0.16.1\"",
    "controller.command=\"/controller\"",
    "controller.webhookMode=\"disabled\"",
    "controller.livenessProbe.port=1",
    "controller.readinessProbe.port=1",
    "speaker.image.repository=\"quay.io/metallb/speaker\"",
    "speaker.image.tag=\"v0.16.1\"",
    "speaker.command=\"/speaker\"",
    "speaker.livenessProbe.port=1",
    "speaker.readinessProbe.port=1",
    "speaker.memberlist.enabled=false",
    "speaker.memberlist.mlSecretKeyPath=\"/x\"",
    "speaker.secretName=\"x\"",
    "speaker.wanConfig=true",
    "speaker.bgpDebounceTimeout=1",
    "speaker.frr={\"enabled\":true}",
    "speaker.reloader={\"resources\":{\"limits\":{\"cpu\":1}}}",
    "speaker.frrMetrics={\"resources\":{\"limits\":{\"cpu\":1}}}",
    "speaker.initContainers={\"cpReloader\":{\"resources\":{\"limits\":{\"cpu\":1}}}}",
    "crds.validationFailurePolicy=\"Ignore\"",
    "frrk8s={\"enabled\":false}",
    "frr-k8s={\"prometheus\":{\"rbacPrometheus\":false}}",
    "prometheus={\"podMonitor\":{\"enabled\":true}}",
    "tls={\"minVersion\":\"VersionTLS12\"}",
];

#[test]
fn each_key_without_effect_is_named_when_it_is_set() -> Result<()> {
    let all = set(WITHOUT_EFFECT);
    assert_eq!(render(&all)?, render(&[])?);
    let told = notes(&all)?;
    for value in WITHOUT_EFFECT {
        let key = value.split_once('=').map_or("", |(key, _)| key);
        assert!(
            told.contains(&format!("  {key}: ")),
            "{key} is not in {told}"
        );
    }
    assert!(!told.contains("Unknown"), "{told}");
    assert!(!notes(&[])?.contains("Without effect"));
    Ok(())
}

#[test]
fn what_is_misspelt_is_refused_or_named() -> Result<()> {
    for (value, place) in [
        ("speaker.logLevel=\"verbose\"", "/speaker/logLevel"),
        (
            "controller.image.pullPolicy=\"always\"",
            "/controller/image/pullPolicy",
        ),
        ("imagePullSecrets=[{\"nam\":\"x\"}]", "/imagePullSecrets/0"),
        ("imagePullSecrets=\"x\"", "/imagePullSecrets"),
        ("speaker.tolerations={}", "/speaker/tolerations"),
        ("speaker.tolerateMaster=\"yes\"", "/speaker/tolerateMaster"),
        (
            "speaker.memberlist.mlBindPort=\"7946\"",
            "/speaker/memberlist/mlBindPort",
        ),
        (
            "speaker.memberlist.mlBindPort=70000",
            "/speaker/memberlist/mlBindPort",
        ),
        ("speaker.nodeSelector=[]", "/speaker/nodeSelector"),
        ("controller.replicas=\"2\"", "/controller/replicas"),
        (
            "crds.validationFailurePolicy=\"Never\"",
            "/crds/validationFailurePolicy",
        ),
        (
            "prometheus.prometheusRule.addressPoolUsage.thresholds=[{\"percent\":101}]",
            "/thresholds/0/percent",
        ),
        ("networkpolicies.apiPort=0", "/networkpolicies/apiPort"),
        (
            "controller.webhookMode=\"onlywebhook\"",
            "controller.enabled=false",
        ),
    ] {
        let complaint = complaint(&set(&[value]))?;
        assert!(complaint.contains(place), "{value}: {complaint}");
    }
    let told = notes(&set(&[
        "speaker.tolerateMasters=true",
        "loadbalancerClass=\"x\"",
        "speaker.nodeSelector={\"any\":\"x\"}",
        "controller.livenessProbe.period=5",
    ]))?;
    let (_, unknown) = told.split_once("Unknown").with_context(|| told.clone())?;
    let unknown: Vec<_> = unknown.lines().skip(1).map(str::trim).collect();
    let expected = [
        "controller.livenessProbe.period",
        "loadbalancerClass",
        "speaker.tolerateMasters",
    ];
    assert_eq!(unknown.get(..3), Some(&expected[..]), "{told}");
    assert_eq!(unknown.concat(), expected.concat(), "{told}");
    Ok(())
}

/// Runs Helm against an API server.
fn helm_on(api: &ApiServer, line: &str) -> Result<String> {
    let mut helm = api.host().command(helm()?);
    helm.env("KUBECONFIG", api.kubeconfig());
    helm.args(line.split(' ')).args(["--namespace", NAMESPACE]);
    text(&helm.output().context("cannot run helm")?)
}

#[test]
fn it_installs_changes_and_goes() {
    test(|lab| {
        let api = start(lab)?;
        let chart = chart();
        let chart = chart.display();
        helm_on(
            &api,
            &format!("install carillon {chart} --create-namespace"),
        )?;
        let workloads = [
            "get",
            "daemonset/speaker",
            "deployment/controller",
            "--output=name",
        ];
        let of =
            |arguments: &[&str]| api.kubectl(&[arguments, &["--namespace", NAMESPACE]].concat());
        of(&workloads)?;
        helm_on(
            &api,
            &format!("upgrade carillon {chart} --set loadBalancerClass=example.com/lb"),
        )?;
        let arguments = "--output=jsonpath={.spec.template.spec.containers[0].args}";
        let arguments = of(&["get", "daemonset/speaker", arguments])?;
        ensure!(arguments.contains("example.com/lb"), "{arguments}");
        helm_on(&api, "uninstall carillon")?;
        ensure!(of(&workloads).is_err(), "the workloads stay");

        // What was applied without Helm, as the documentation says, goes on under it.
        api.kubectl_stdin(&["apply", "--filename", "-"], INSTALL)?;
        let line = format!("install carillon {chart}");
        ensure!(
            helm_on(&api, &line).is_err(),
            "it takes what is not its own"
        );
        helm_on(&api, &format!("{line} --take-ownership --force-conflicts"))?;
        of(&workloads)?;
        Ok(())
    });
}
