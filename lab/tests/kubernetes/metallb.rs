//! A cluster in which MetalLB still runs, or runs again.

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::{test, wait};
use serde_json::{Value, json};

use crate::site::{CONFIG, SLICES, SOON, Site, await_status, endpoint_slice, service};

const PODS: &str = "/api/v1/namespaces/metallb-system/pods";
const SERVICES: &str = "/api/v1/namespaces/default/services";
/// What is added to the usual pools.
const LAYER2: &str = "- {name: lan, protocol: layer2, addresses: [192.0.2.128/28]}\n";

/// A Pod as MetalLB's manifests make it, which runs.
fn run(api: &ApiServer, namespace: &str, name: &str, component: &str, node: &str) -> Result<()> {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let labels = json!({"app": "metallb", "component": component});
    let container = json!({
        "name": component, "image": format!("quay.io/metallb/{component}:v0.16.1"),
        "env": [{"name": "METALLB_NODE_NAME", "value": node}],
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "nodeName": node, "serviceAccountName": component, "containers": [container],
            "terminationGracePeriodSeconds": 0,
        },
    });
    api.send(&Request::create(&pods, pod))?;
    let status = json!({"status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{
            "name": component, "ready": true, "restartCount": 0, "image": "i", "imageID": "i",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }],
    }});
    api.send(&Request::patch(format!("{pods}/{name}/status"), status))
        .map(drop)
}

fn end(api: &ApiServer, names: &[&str]) -> Result<()> {
    let delete = |name: &&str| Request::delete(format!("{PODS}/{name}?gracePeriodSeconds=0"));
    api.send_all(&names.iter().map(delete).collect::<Vec<_>>())
}

fn address(api: &ApiServer, name: &str) -> Result<Option<Value>> {
    let service = api.get(&format!("{SERVICES}/{name}"))?;
    Ok(service
        .pointer("/status/loadBalancer/ingress/0/ip")
        .cloned())
}

#[test]
fn what_metallb_does_is_left_to_it_as_long_as_it_runs() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        let api = &site.api;
        site.configure_with(&(CONFIG.to_owned() + LAYER2))?;
        run(
            api,
            "metallb-system",
            "controller-1",
            "controller",
            "node-2",
        )?;
        run(api, "metallb-system", "speaker-2", "speaker", "node-2")?;
        let node = site.node("node-1", 11)?;
        site.serve("web", "198.51.100.1", &["node-1"])?;
        site.serve("lan", "192.0.2.130", &["node-1"])?;
        api.send_all(&[
            Request::create(SLICES, endpoint_slice("new", &["node-1"])),
            Request::create(SERVICES, service("new", "198.51.100.2")),
        ])?;

        // A speaker elsewhere has no session of this node, but maybe any address of layer 2.
        site.await_table(&[("198.51.100.1/32", &[11])])?;
        let speaker = "MetalLB's speaker runs (Pod metallb-system/speaker-2 on node node-2)";
        let controller = "MetalLB's controller runs (Pod metallb-system/controller-1)";
        await_status(&node, &[speaker, controller, "\"leftToMetalLB\""])?;
        run(api, "metallb-system", "speaker-1", "speaker", "node-1")?;
        site.await_table(&[])?;
        ensure!(address(api, "new")?.is_none(), "two give addresses");

        end(api, &["controller-1", "speaker-1", "speaker-2"])?;
        let (web, new) = ("198.51.100.1/32", "198.51.100.2/32");
        site.await_table(&[(web, &[11]), (new, &[11])])?;
        wait::until("layer 2", SOON, || {
            let status = node.status()?.to_string();
            ensure!(
                !status.contains("leftToMetalLB") && !status.contains("MetalLB's"),
                "{status}"
            );
            Ok(())
        })?;
        ensure!(address(api, "new")? == Some(json!("198.51.100.2")));

        // Who may not make Pods beside the configuration silences nobody.
        api.kubectl(&["create", "serviceaccount", "speaker", "--namespace=default"])?;
        run(api, "default", "speaker-1", "speaker", "node-1")?;
        // The roll-back.
        run(api, "metallb-system", "speaker-3", "speaker", "node-2")?;
        await_status(&node, &["speaker-3", "\"leftToMetalLB\""])?;
        site.await_table(&[(web, &[11]), (new, &[11])])?;
        run(api, "metallb-system", "speaker-4", "speaker", "node-1")?;
        site.await_table(&[])
    });
}
