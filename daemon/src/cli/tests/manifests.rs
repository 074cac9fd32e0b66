//! The manifests for Kubernetes fit this program, and each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn read(name: &str) -> String {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    fs::read_to_string(manifests.join(name)).unwrap()
}

/// The parts that kustomize puts together.
fn parts() -> Vec<String> {
    let text = read("base/kustomization.yaml");
    let kustomization: Value = serde_saphyr::from_str(&text).unwrap();
    let parts = kustomization["resources"].as_array().unwrap().iter();
    parts
        .map(|part| read(&format!("base/{}", part.as_str().unwrap())))
        .collect()
}

/// All objects, by kind and name.
fn objects() -> BTreeMap<(String, String), Value> {
    let install = read("install.yaml");
    let objects = install.split("\n---\n").map(|text| {
        let object: Value = serde_saphyr::from_str(text).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let key = (word(&object["kind"]), word(&object["metadata"]["name"]));
        (key, object)
    });
    objects.collect()
}

fn object(kind: &str, name: &str) -> Value {
    objects()[&(kind.to_owned(), name.to_owned())].clone()
}

/// What runs the pods of a role.
const WORKLOADS: [(&str, &str); 2] = [("DaemonSet", "speaker"), ("Deployment", "controller")];

fn pod_of((kind, name): (&str, &str)) -> Value {
    object(kind, name)["spec"]["template"]["spec"].clone()
}

fn container_of(workload: (&str, &str)) -> Value {
    let mut pod = pod_of(workload);
    let containers = pod["containers"].as_array_mut().unwrap();
    assert_eq!(containers.len(), 1);
    containers.remove(0)
}

fn pod() -> Value {
    pod_of(WORKLOADS[0])
}

fn container() -> Value {
    container_of(WORKLOADS[0])
}

/// The flags of a container, as the program takes them.
fn run_of(container: &Value) -> RunArgs {
    let arguments = container["args"].as_array().unwrap().iter();
    let arguments = arguments.map(|argument| argument.as_str().unwrap());
    let parsed = Cli::try_parse_from(["carillon"].into_iter().chain(arguments)).unwrap();
    let Command::Run(run) = parsed.command else {
        panic!("{parsed:?}");
    };
    *run
}

#[test]
fn the_files_to_apply_are_made_from_the_parts() {
    let parts = parts();
    for (file, parts) in [
        ("namespace.yaml", &parts[..1]),
        ("crds.yaml", &parts[1..2]),
        ("carillon.yaml", &parts[2..]),
        ("install.yaml", &parts[..]),
        ("chart/base/crds.yaml", &parts[1..2]),
        ("chart/base/serviceaccount.yaml", &parts[2..3]),
        ("chart/base/rbac.yaml", &parts[3..4]),
        ("chart/base/daemonset.yaml", &parts[4..5]),
        ("chart/base/controller.yaml", &parts[5..6]),
    ] {
        let made = "# Made from base/ by `make manifests`.\n".to_owned() + &parts.join("---\n");
        assert!(read(file) == made, "{file}: run `make manifests`");
    }
    let (values, copy) = (read("chart/values.yaml"), read("chart/base/values.yaml"));
    assert!(values == copy, "run `make manifests`");
}

#[test]
fn the_chart_is_of_this_version() {
    let yaml = |file| -> Value { serde_saphyr::from_str(&read(file)).unwrap() };
    let (chart, values) = (yaml("chart/Chart.yaml"), yaml("chart/values.yaml"));
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
    let image = &values["image"];
    let name = image["repository"].as_str().unwrap().to_owned() + ":" + env!("CARGO_PKG_VERSION");
    assert_eq!(container()["image"], name);
    assert_eq!(container()["imagePullPolicy"], image["pullPolicy"]);
}

/// What the SCC of the overlay for OpenShift allows is what the pod asks for.
#[test]
fn the_scc_is_for_this_pod_and_no_more() {
    let scc: Value = serde_saphyr::from_str(&read("overlays/openshift/scc.yaml")).unwrap();
    let (pod, container) = (pod(), container());
    let context = &container["securityContext"];
    assert_eq!(scc["allowHostNetwork"], pod["hostNetwork"]);
    assert_eq!(scc["allowHostPorts"], true);
    let asked = &context["capabilities"];
    assert_eq!(scc["allowedCapabilities"], asked["add"]);
    assert_eq!(scc["requiredDropCapabilities"], asked["drop"]);
    assert_eq!(
        scc["readOnlyRootFilesystem"],
        context["readOnlyRootFilesystem"]
    );
    assert_eq!(scc["runAsUser"]["type"], "RunAsAny");
    assert_eq!(scc["seccompProfiles"], json!(["runtime/default"]));
    for refused in [
        "allowHostDirVolumePlugin",
        "allowHostIPC",
        "allowHostPID",
        "allowPrivilegeEscalation",
        "allowPrivilegedContainer",
        "defaultAllowPrivilegeEscalation",
    ] {
        assert_eq!(scc[refused], false, "{refused}");
    }
    let volumes = scc["volumes"].as_array().unwrap();
    for volume in pod["volumes"].as_array().unwrap() {
        let mut kinds = volume.as_object().unwrap().keys();
        let kind = kinds.find(|key| *key != "name").unwrap();
        assert!(volumes.contains(&json!(kind)), "{kind}");
    }
    let account = format!("system:serviceaccount:metallb-system:{}", WORKLOADS[0].1);
    assert_eq!(scc["users"], json!([account]));
}

#[test]
fn the_containers_are_this_program_with_what_it_knows() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let known: Vec<_> = run
        .get_arguments()
        .filter_map(|a| a.get_env()?.to_str())
        .collect();
    for workload in WORKLOADS {
        let container = container_of(workload);
        let image = format!("localhost/carillon:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(container["image"], image.as_str());
        let variables = container["env"].as_array().unwrap();
        let values: Vec<_> = variables
            .iter()
            .filter_map(|v| v["value"].as_str())
            .collect();
        for variable in variables {
            let name = variable["name"].as_str().unwrap();
            let reference = format!("$({name})");
            let is_for_others = values.iter().any(|value| value.contains(&reference));
            assert!(
                known.contains(&name) || is_for_others,
                "{name} is none of {known:?}, and no variable uses it"
            );
        }
    }
    assert_eq!(run_of(&container()).http_bind(), Some(HTTP_BIND));
}

#[test]
fn each_pod_has_its_role_and_the_account_with_the_rights_of_it() {
    for (workload, role) in WORKLOADS.into_iter().zip([Role::Speaker, Role::Controller]) {
        let run = run_of(&container_of(workload));
        assert_eq!(run.role.role, role);
        run.role.check(true, role.announces()).unwrap();
        assert_eq!(pod_of(workload)["serviceAccountName"], workload.1);
    }
    // Whoever has the token of a node changes nothing but what nodes tell of themselves.
    let rules = |kind, name| object(kind, name)["rules"].as_array().unwrap().clone();
    let speaker = [
        rules("ClusterRole", "metallb-system:speaker"),
        rules("Role", "speaker"),
    ];
    for rule in speaker.concat() {
        let verbs = rule["verbs"].as_array().unwrap();
        let mut resources = rule["resources"].as_array().unwrap().iter();
        if resources.all(|resource| TOLD_BY_NODES.contains(&resource.as_str().unwrap())) {
            assert!(!verbs.contains(&json!("*")), "{rule}");
            continue;
        }
        let reads = verbs.iter().all(|verb| *verb == "list" || *verb == "watch");
        assert!(reads, "{rule}");
    }
}

/// What the pods of all nodes write: nothing that anything depends on.
const TOLD_BY_NODES: [&str; 7] = [
    "servicel2statuses",
    "servicel2statuses/status",
    "servicebgpstatuses",
    "servicebgpstatuses/status",
    "configurationstates",
    "configurationstates/status",
    "events",
];

/// Whether a rule of this role lets read these objects.
fn may_read(role: (&str, &str), group: &str, plural: &str) -> bool {
    let has = |value: &Value, word: &str| value.as_array().unwrap().contains(&json!(word));
    let rules = object(role.0, role.1)["rules"].as_array().unwrap().clone();
    rules.iter().any(|rule| {
        has(&rule["apiGroups"], group)
            && has(&rule["resources"], plural)
            && ["list", "watch"]
                .iter()
                .all(|verb| has(&rule["verbs"], verb))
    })
}

#[test]
fn each_kind_may_be_read_by_those_who_follow_it() {
    let kinds = carillon_objects::KINDS;
    for kind in kinds {
        let info = kind.info();
        for (_, account) in WORKLOADS {
            let whole = format!("metallb-system:{account}");
            let role = if info.beside_configuration {
                ("Role", account)
            } else {
                ("ClusterRole", whole.as_str())
            };
            let is_followed = |info: &carillon_objects::KindInfo| match account {
                "speaker" => !info.purpose.is_to_allocate(),
                _ => !info.purpose.is_to_announce(),
            };
            // Several kinds here may be one there.
            let mut alike = kinds.iter().map(|kind| kind.info());
            let is_followed = alike.any(|other| {
                (other.group, other.plural) == (info.group, info.plural) && is_followed(other)
            });
            let may = may_read(role, info.group, info.plural);
            assert_eq!(may, is_followed, "{role:?} and {kind}");
        }
    }
}

#[test]
fn the_controller_has_no_privilege_and_may_run_where_there_is_no_control_plane() {
    let (pod, container) = (pod_of(WORKLOADS[1]), container_of(WORKLOADS[1]));
    let context = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(pod["securityContext"], context);
    let context = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], context);
    for absent in ["hostNetwork", "volumes"] {
        assert_eq!(pod[absent], Value::Null);
    }
    let affinity = &pod["affinity"]["nodeAffinity"];
    let required = &affinity["requiredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(*required, Value::Null);
    let text = affinity.to_string();
    for label in ["control-plane", "master"] {
        assert!(text.contains(&format!("node-role.kubernetes.io/{label}")));
    }
    let variables = container["env"].as_array().unwrap();
    let bind = variables.iter().find(|v| v["name"] == "CARILLON_HTTP_BIND");
    let bind = bind.unwrap()["value"].as_str().unwrap();
    for ip in ["10.254.0.7", "fd00::7"] {
        let bind = bind.replace("$(POD_IP)", ip);
        let arguments = ["carillon", "run", "--kubernetes", "--http-bind", &bind];
        let parsed = Cli::try_parse_from(arguments).unwrap();
        let Command::Run(run) = parsed.command else {
            panic!("{parsed:?}");
        };
        let port = i64::from(run.http_bind().unwrap().port());
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert_eq!(container[probe]["httpGet"]["port"], port);
        }
    }
}

/// The value of a variable in an IPv4 cluster.
fn variable(name: &str) -> String {
    let container = container();
    let mut variables = container["env"].as_array().unwrap().iter();
    let variable = variables.find(|variable| variable["name"] == name);
    let value = variable.unwrap()["value"].as_str().unwrap();
    value.replace("$(HOST_IP)", "192.0.2.1")
}

#[test]
fn the_pods_find_each_other_by_their_labels_and_need_a_secret_only_for_that() {
    let daemon_set = object("DaemonSet", "speaker");
    let labels = &daemon_set["spec"]["template"]["metadata"]["labels"];
    for selector in variable("CARILLON_GOSSIP_PODS").split(',') {
        let (label, value) = selector.split_once('=').unwrap();
        assert_eq!(labels[label], value);
    }
    let rights = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]});
    assert!(
        object("Role", "speaker")["rules"]
            .as_array()
            .unwrap()
            .contains(&rights)
    );
    let bind = variable("CARILLON_GOSSIP_BIND");
    let arguments = ["carillon", "run", "--kubernetes", "--gossip-bind", &bind];
    let key_file = variable("CARILLON_GOSSIP_KEY_FILE");
    let key = ["--gossip-key-file", &key_file];
    let parsed = Cli::try_parse_from([&arguments[..], &key].concat()).unwrap();
    let Command::Run(run) = parsed.command else {
        panic!("{parsed:?}");
    };
    run.gossip.check().unwrap();

    let (secret, key) = crate::gossip::SECRET;
    let (directory, file) = key_file.rsplit_once('/').unwrap();
    assert_eq!(file, key);
    let volume = volume_at(directory);
    assert_eq!(volume["secret"]["secretName"], secret);
    assert_eq!(volume["secret"]["optional"], true);
    // As one types it, in two lines.
    let namespace = "metallb-system";
    object("Namespace", namespace);
    let text = read("base/daemonset.yaml");
    let comment = text.replace(" \\\n      #  ", "");
    assert!(
        comment.contains(&crate::gossip::create_secret(namespace)),
        "{comment}"
    );
}

#[test]
fn the_interfaces_that_metallb_excluded_are_where_the_daemon_looks() {
    let parsed = Cli::try_parse_from(["carillon", "run", "--kubernetes"]).unwrap();
    let Command::Run(run) = parsed.command else {
        panic!("{parsed:?}");
    };
    let file = run.host.exclude_interfaces;
    let volume = volume_at(file.parent().unwrap().to_str().unwrap());
    assert_eq!(
        volume["configMap"],
        json!({"name": "metallb-excludel2", "optional": true})
    );
    // The file is the key of MetalLB's ConfigMap.
    assert_eq!(file.file_name().unwrap(), "excludel2.yaml");
}

/// What is mounted there.
fn volume_at(path: &str) -> Value {
    let (pod, container) = (pod(), container());
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["mountPath"] == path);
    let name = &mount.unwrap()["name"];
    let mut volumes = pod["volumes"].as_array().unwrap().iter();
    volumes
        .find(|volume| volume["name"] == *name)
        .unwrap()
        .clone()
}

#[test]
fn the_probes_ask_where_the_daemon_answers() {
    let container = container();
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ] {
        let (host, port) = (HTTP_BIND.ip().to_string(), HTTP_BIND.port());
        let get = json!({"host": host, "port": port, "path": path});
        assert_eq!(container[probe]["httpGet"], get);
    }
}

#[test]
fn the_pod_has_one_privilege_and_one_place_to_write_to() {
    let (pod, container) = (pod(), container());
    let pod_context = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(pod["securityContext"], pod_context);
    // NET_RAW is of use to root only.
    let context = json!({
        "runAsUser": 0,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]},
    });
    assert_eq!(container["securityContext"], context);
    let parsed = Cli::try_parse_from(["carillon", "status"]).unwrap();
    let Command::Status(status) = parsed.command else {
        panic!("{parsed:?}");
    };
    let place = status.socket.path.parent().unwrap().to_str().unwrap();
    assert_eq!(volume_at(place)["emptyDir"]["medium"], "Memory");
    let mounts = container["volumeMounts"].as_array().unwrap();
    for mount in mounts.iter().filter(|mount| mount["readOnly"] != true) {
        assert_eq!(mount["mountPath"], place);
    }
}

#[test]
fn the_pod_may_take_as_long_to_end_as_the_daemon_does() {
    let grace = pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
    let handing_over = carillon_core::ownership::FAREWELL.as_secs();
    assert!(grace >= handing_over + 8 + 5, "{grace} s");
}

#[test]
fn the_names_lead_to_each_other() {
    let namespace = "metallb-system";
    object("Namespace", namespace);
    for (kind, name) in WORKLOADS {
        let subject = json!([{"kind": "ServiceAccount", "namespace": namespace, "name": name}]);
        let cluster_role = format!("{namespace}:{name}");
        for (role, of) in [("ClusterRole", &*cluster_role), ("Role", name)] {
            let binding = object(&format!("{role}Binding"), of);
            assert_eq!(binding["subjects"], subject);
            assert_eq!(binding["roleRef"]["kind"], role);
            assert_eq!(binding["roleRef"]["name"], of);
            object(role, of);
        }
        for kind in ["ServiceAccount", "Role", "RoleBinding", kind] {
            assert_eq!(object(kind, name)["metadata"]["namespace"], namespace);
        }
        let spec = &object(kind, name)["spec"];
        let labels = &spec["template"]["metadata"]["labels"];
        let selector = spec["selector"]["matchLabels"].as_object().unwrap();
        for (label, value) in selector {
            assert_eq!(&labels[label], value);
        }
        assert_eq!(selector["component"], name);
        let parsed = Cli::try_parse_from(["carillon", "check", "-"]).unwrap();
        let Command::Check(check) = parsed.command else {
            panic!("{parsed:?}");
        };
        let config = &object("Role", name)["rules"][0];
        assert_eq!(config["resources"], json!(["configmaps"]));
        assert_eq!(config["resourceNames"], json!([check.config.config_name]));
        assert_eq!(namespace, check.config.config_namespace);
    }
}

#[test]
fn the_definitions_of_the_resources_are_those_of_this_program() {
    let text = crate::crds::text().unwrap();
    assert!(
        read("base/crds.yaml") == text,
        "write them: carillon crds >manifests/base/crds.yaml, then make manifests"
    );
    let resources = objects().into_keys();
    let resources = resources.filter(|(kind, _)| kind == "CustomResourceDefinition");
    assert_eq!(resources.count(), 9);
}
