use serde_json::{Value, json};

use super::*;
use crate::{Kind, read};

/// A Pod with these labels as both ways to install MetalLB 0.16 make it, of which this differs.
fn pod(labels: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "metadata": {
            "namespace": "metallb-system", "name": "p", "uid": "u", "resourceVersion": "1",
            "labels": labels,
        },
        "spec": {
            "nodeName": "n",
            "containers": [
                {"name": "speaker", "args": ["--port=9120"], "env": [{"name": "METALLB_HOST"}]},
                {"name": "frr"},
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "ContainersReady", "status": "True"},
            ],
            "containerStatuses": [
                {"name": "frr", "ready": true, "state": {"running": {"startedAt": "x"}}},
                {"name": "speaker", "ready": true, "state": {"running": {"startedAt": "x"}}},
            ],
        },
    });
    change(&mut pod);
    pod
}

fn part(pod: &Value) -> Option<MetallbPod> {
    let object = read(Kind::MetallbPod, pod.to_string().as_bytes(), false).unwrap();
    match object.object {
        Object::MetallbPod(pod) => pod,
        other => panic!("{other:?}"),
    }
}

fn manifests() -> Value {
    json!({"app": "metallb", "component": "speaker"})
}

#[test]
fn metallb_is_told_from_carillon_and_from_all_else_by_labels_and_environment() {
    let chart = |component: &str| json!({"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": component});
    let own = |pod: &mut Value| {
        pod["spec"]["containers"][0]["env"] = json!([{"name": "CARILLON_NODE_NAME"}]);
    };
    let as_is = |_: &mut Value| {};
    let cases: [(Value, fn(&mut Value), Option<MetallbPart>); 9] = [
        (manifests(), as_is, Some(MetallbPart::Speaker)),
        (chart("speaker"), as_is, Some(MetallbPart::Speaker)),
        (chart("controller"), as_is, Some(MetallbPart::Controller)),
        (
            json!({"app": "metallb", "component": "operator"}),
            as_is,
            None,
        ),
        (
            json!({"app": "frr-k8s", "component": "speaker"}),
            as_is,
            None,
        ),
        (json!({}), as_is, None),
        // Carillon's, as installed, and with the chart's `nameOverride: metallb`.
        (
            json!({"app": "metallb", "component": "speaker", "app.kubernetes.io/name": "carillon"}),
            as_is,
            None,
        ),
        (manifests(), own, None),
        (chart("speaker"), own, None),
    ];
    for (labels, change, expected) in cases {
        let found = part(&pod(&labels, change));
        assert_eq!(found.map(|pod| pod.part), expected, "{labels}");
    }
}

/// What a kubelet writes when this container is not ready.
fn unready(pod: &mut Value, container: usize) {
    let status = &mut pod["status"];
    status["containerStatuses"][container]["ready"] = json!(false);
    for condition in [0, 1] {
        status["conditions"][condition]["status"] = json!("False");
    }
}

#[test]
fn only_what_runs_counts() {
    let runs = |change: fn(&mut Value)| part(&pod(&manifests(), change)).is_some();
    assert!(runs(|_| {}));
    assert!(
        !runs(|pod| pod["status"]["phase"] = json!("Pending")),
        "no image"
    );
    assert!(
        !runs(|pod| pod["status"]["phase"] = json!("Failed")),
        "evicted"
    );
    assert!(!runs(|pod| drop(
        pod.as_object_mut().unwrap().remove("status")
    )));
    assert!(
        !runs(|pod| {
            unready(pod, 1);
            pod["status"]["containerStatuses"][1]["state"] = json!({"waiting": {}});
        }),
        "it crashes again and again"
    );
    assert!(
        !runs(|pod| pod["status"]["conditions"][0]["status"] = json!("False")),
        "the node was lost"
    );
    assert!(runs(|pod| unready(pod, 1)), "it has just begun");
    assert!(runs(|pod| unready(pod, 0)), "FRR beside it is not ready");
    assert!(
        runs(|pod| {
            unready(pod, 0);
            pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {}});
        }),
        "FRR beside it crashes"
    );
    assert!(
        runs(|pod| pod["status"]["containerStatuses"][1]["name"] = json!("metallb")),
        "its container has another name"
    );
    assert!(
        runs(|pod| drop(
            pod["status"]
                .as_object_mut()
                .unwrap()
                .remove("containerStatuses")
        )),
        "nothing is known but the phase"
    );
}

#[test]
fn its_node_and_class_are_read() {
    let found = part(&pod(&manifests(), |pod| {
        pod["spec"]["containers"][0]["args"] = json!(["--port=9120", "--lb-class=example.org/m"]);
    }));
    let found = found.unwrap();
    assert_eq!(
        (&*found.node, found.class.as_deref()),
        ("n", Some("example.org/m"))
    );
    let none = part(&pod(&manifests(), |pod| {
        pod["spec"]["containers"][0]["args"] = json!(["--lb-class="]);
    }));
    assert_eq!(none.unwrap().class, None);
}

#[test]
fn its_class_is_read_as_go_reads_flags() {
    let cases = [
        (json!({"args": ["--lb-class", "m", "--port=1"]}), Some("m")),
        (json!({"args": ["-lb-class", "m"]}), Some("m")),
        (json!({"args": ["-lb-class=m"]}), Some("m")),
        (json!({"command": ["/speaker", "--lb-class=m"]}), Some("m")),
        (
            json!({"command": ["/speaker", "--lb-class", "m"], "args": ["--port=1"]}),
            Some("m"),
        ),
        (
            json!({"command": ["/speaker", "--lb-class=l"], "args": ["--lb-class=m"]}),
            Some("m"),
        ),
        (
            json!({"name": "other", "args": ["--lb-class=m"]}),
            Some("m"),
        ),
        (json!({"args": ["--lb-class"]}), None),
        (json!({"args": ["--lb-class", ""]}), None),
        (
            json!({"args": ["--lb-classes=m", "lb-class=m", "---lb-class=m"]}),
            None,
        ),
    ];
    for (fields, expected) in cases {
        let found = part(&pod(&manifests(), |pod| {
            let container = pod["spec"]["containers"][0].as_object_mut().unwrap();
            container.extend(fields.as_object().unwrap().clone());
        }));
        assert_eq!(found.unwrap().class.as_deref(), expected, "{fields}");
    }
    let beside = part(&pod(&manifests(), |pod| {
        pod["spec"]["containers"][1]["args"] = json!(["--lb-class=m"]);
    }));
    assert_eq!(beside.unwrap().class, None, "another container's flag");
}
