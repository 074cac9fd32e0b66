//! What daemons tell of themselves: the objects of MetalLB that say who announces what.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON that is indexed does not panic"
)]

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::{test, wait};
use serde_json::{Value, json};

use crate::site::{CONFIG, SOON, Site, await_status};

const GROUP: &str = "/apis/metallb.io/v1beta1/namespaces/metallb-system";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// What is added to the usual pools.
const LAYER2: &str = "- {name: lan, protocol: layer2, addresses: [192.0.2.128/28]}\n";

/// The definition of a kind whose status says these things about a Service of a node, which nobody
/// can change.
fn definition(kind: &str, plural: &str, subject: &[&str]) -> Value {
    let text = json!({
        "type": "string",
        "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "Value is immutable"}
        ],
    });
    let status: Value = subject.iter().map(|field| (*field, text.clone())).collect();
    let schema = json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object"},
            "status": {
                "type": "object", "properties": status,
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.metallb.io"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
        },
        "spec": {
            "group": "metallb.io", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true,
                "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

fn define(api: &ApiServer) -> Result<()> {
    let subject = ["node", "serviceName", "serviceNamespace"];
    for (kind, plural, subject) in [
        ("ServiceL2Status", "servicel2statuses", &subject[..]),
        ("ServiceBGPStatus", "servicebgpstatuses", &subject[..]),
        ("ConfigurationState", "configurationstates", &[]),
    ] {
        let definition = definition(kind, plural, subject);
        api.send(&Request::create(DEFINITIONS, definition))?;
    }
    Ok(())
}

/// The statuses of a kind that are there.
fn statuses(api: &ApiServer, plural: &str) -> Result<Vec<Value>> {
    let list = api.get(&format!("{GROUP}/{plural}"))?;
    let items = list.pointer("/items").and_then(Value::as_array);
    let items = items.into_iter().flatten();
    Ok(items.map(|object| object["status"].clone()).collect())
}

fn await_statuses(api: &ApiServer, plural: &str, expected: &[Value]) -> Result<()> {
    wait::until(plural, SOON, || {
        let found = statuses(api, plural)?;
        ensure!(found == expected, "{found:?}");
        Ok(())
    })
}

fn about(service: &str, field: &str, value: Value) -> Value {
    let mut status = json!({
        "node": "node-1", "serviceName": service, "serviceNamespace": "default",
    });
    status[field] = value;
    status
}

/// Waits until there are these states, by the rest of their names, and all is well.
fn await_states(api: &ApiServer) -> Result<()> {
    wait::until("the states", SOON, || {
        for name in ["controller", "speaker-node-1"] {
            let state = api.get(&format!("{GROUP}/configurationstates/{name}"))?;
            ensure!(state["status"]["result"] == "Valid", "{state}");
        }
        Ok(())
    })
}

/// The version of all such objects together.
fn versions(api: &ApiServer) -> Result<Vec<Value>> {
    let mut versions = Vec::new();
    for plural in [
        "servicel2statuses",
        "servicebgpstatuses",
        "configurationstates",
    ] {
        let list = api.get(&format!("{GROUP}/{plural}"))?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        versions.extend(items.iter().map(version));
    }
    Ok(versions)
}

#[test]
fn who_announces_what_is_written_once_and_as_soon_as_the_kinds_are_there() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.configure_with(&(CONFIG.to_owned() + LAYER2))?;
        let mut node = site.node("node-1", 11)?;
        site.serve("web", "198.51.100.1", &["node-1"])?;
        site.serve("lan", "192.0.2.130", &["node-1"])?;
        site.await_table(&[("198.51.100.1/32", &[11])])?;
        let status = await_status(&node, &["\"leads\":true"])?;
        ensure!(status["problems"]["files"] == json!([]), "{status}");

        define(&site.api)?;
        let peers = about("web", "peers", json!(["192.0.2.1"]));
        await_statuses(
            &site.api,
            "servicebgpstatuses",
            std::slice::from_ref(&peers),
        )?;
        let interfaces = about("lan", "interfaces", json!([{"name": "eth0"}]));
        await_statuses(
            &site.api,
            "servicel2statuses",
            std::slice::from_ref(&interfaces),
        )?;
        await_states(&site.api)?;
        let events = site.api.kubectl(&["events", "--for", "service/lan"])?;
        let expected = "announcing from node \"node-1\" with protocol \"layer2\"";
        ensure!(events.contains(expected), "{events}");

        let before = versions(&site.api)?;
        ensure!(before.len() == 4, "{before:?}");
        node.process.terminate()?;
        node.restart()?;
        site.await_table(&[("198.51.100.1/32", &[11])])?;
        await_status(&node, &["\"leads\":true"])?;
        // What would be written is written before this is.
        site.serve("next", "198.51.100.2", &["node-1"])?;
        wait::until("the next service", SOON, || {
            let found = statuses(&site.api, "servicebgpstatuses")?;
            ensure!(found.len() == 2, "{found:?}");
            Ok(())
        })?;
        site.delete("next")?;
        await_statuses(&site.api, "servicebgpstatuses", &[peers])?;
        let after = versions(&site.api)?;
        ensure!(after == before, "{after:?} after {before:?}");

        site.delete("web")?;
        site.delete("lan")?;
        await_statuses(&site.api, "servicebgpstatuses", &[])?;
        await_statuses(&site.api, "servicel2statuses", &[])
    });
}
