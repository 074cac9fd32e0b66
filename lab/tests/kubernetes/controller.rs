//! The controller role: addresses, statuses, Events, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::{Carillon, Lab, test, wait};
use serde_json::{Value, json};

use crate::site::{SOON, Site, await_status};

mod crowd;
mod roles;
mod turns;

const SERVICES: &str = "/api/v1/namespaces/default/services";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
const POOL: &str = "metallb.io/ip-allocated-from-pool";

/// A site with one daemon, which leads.
fn led(lab: &Lab) -> Result<(Site, Carillon)> {
    let site = Site::new(lab, &[11])?;
    site.configure()?;
    let node = site.node("node-1", 11)?;
    await_status(&node, &["\"leads\":true"])?;
    Ok((site, node))
}

/// A Service that leaves its address to us.
fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    })
}

fn create(api: &ApiServer, service: Value) -> Result<()> {
    api.send(&Request::create(SERVICES, service)).map(drop)
}

fn patch(api: &ApiServer, name: &str, patch: Value) -> Result<()> {
    let patch = Request::patch(format!("{SERVICES}/{name}"), patch);
    api.send(&patch).map(drop)
}

fn patch_status(api: &ApiServer, name: &str, ingress: &Value) -> Result<()> {
    let status = json!({"status": {"loadBalancer": {"ingress": ingress}}});
    let patch = Request::patch(format!("{SERVICES}/{name}/status"), status);
    api.send(&patch).map(drop)
}

/// The addresses that a Service publishes, and the annotation with the pool.
fn published(service: &Value) -> (Vec<&str>, Option<&str>) {
    let ingress = service.pointer("/status/loadBalancer/ingress");
    let ingress = ingress.and_then(Value::as_array).into_iter().flatten();
    let addresses = ingress.filter_map(|entry| entry.get("ip")?.as_str());
    let annotations = service.pointer("/metadata/annotations");
    let pool = annotations.and_then(|annotations| annotations.get(POOL)?.as_str());
    (addresses.collect(), pool)
}

/// Waits until a Service publishes exactly this, from this pool, and returns it.
fn await_published(
    api: &ApiServer,
    name: &str,
    addresses: &[&str],
    pool: Option<&str>,
) -> Result<Value> {
    wait::until(format!("{name} to publish {addresses:?}"), SOON, || {
        let service = api.get(&format!("{SERVICES}/{name}"))?;
        ensure!(
            published(&service) == (addresses.to_vec(), pool),
            "{service}"
        );
        Ok(service)
    })
}

/// The version of the cluster.
fn version(api: &ApiServer) -> Result<String> {
    let list = api.get(SERVICES)?;
    let version = list.pointer("/metadata/resourceVersion");
    let version = version.and_then(Value::as_str).context("no version")?;
    Ok(version.to_owned())
}

/// How often each object of a collection was written since a version.
fn writes_since(
    api: &ApiServer,
    collection: &str,
    version: &str,
) -> Result<BTreeMap<String, usize>> {
    let path = format!("{collection}?watch=1&timeoutSeconds=1&resourceVersion={version}");
    let lines = api.kubectl(&["get", "--raw", &path])?;
    let mut writes = BTreeMap::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line)?;
        let name = event.pointer("/object/metadata/name");
        let name = name.and_then(Value::as_str).context("no name")?;
        *writes.entry(name.to_owned()).or_default() += 1;
    }
    Ok(writes)
}

/// The reasons and texts of the Events about a Service.
fn events(api: &ApiServer, service: &str) -> Result<BTreeSet<(String, String)>> {
    let list = api.get(EVENTS)?;
    let items = list.pointer("/items").and_then(Value::as_array);
    let text = |event: &Value, path: &str| {
        let text = event.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let about = |event: &&Value| text(event, "/regarding/name") == service;
    let items = items.into_iter().flatten().filter(about);
    Ok(items
        .map(|event| (text(event, "/reason"), text(event, "/note")))
        .collect())
}

fn await_event(api: &ApiServer, service: &str, reason: &str) -> Result<String> {
    wait::until(format!("an Event {reason} about {service}"), SOON, || {
        let events = events(api, service)?;
        let found = events.iter().find(|(found, _)| found == reason);
        Ok(found.with_context(|| format!("{events:?}"))?.1.clone())
    })
}

#[test]
fn a_service_costs_one_write_and_one_event_and_a_restart_nothing() {
    test(|lab| {
        let (site, mut node) = led(lab)?;
        let api = &site.api;
        let before = version(api)?;
        create(api, service("web"))?;
        let stored = await_published(api, "web", &["198.51.100.0"], Some("pool"))?;
        let note = await_event(api, "web", "IPAllocated")?;
        ensure!(note == "Assigned IP [\"198.51.100.0\"]", "{note}");
        let writes = writes_since(api, SERVICES, &before)?;
        // Created, and its status written.
        ensure!(
            writes == BTreeMap::from([("web".to_owned(), 2)]),
            "{writes:?}"
        );
        let managers = stored["metadata"]["managedFields"].as_array();
        let ours = managers.into_iter().flatten();
        let ours = ours.filter(|manager| manager["manager"] == json!("carillon"));
        let ours: Vec<_> = ours.map(|manager| &manager["subresource"]).collect();
        ensure!(ours == [&json!("status")], "{stored}");
        let described = api.kubectl(&["describe", "service", "web"])?;
        ensure!(described.contains("IPAllocated"), "{described}");

        let before = version(api)?;
        node.process.terminate()?;
        node.restart()?;
        await_status(&node, &["\"leads\":true"])?;
        create(api, service("next"))?;
        await_published(api, "next", &["198.51.100.1"], Some("pool"))?;
        let writes = writes_since(api, SERVICES, &before)?;
        ensure!(
            writes == BTreeMap::from([("next".to_owned(), 2)]),
            "{writes:?}"
        );
        ensure!(events(api, "web")?.len() == 1, "{:?}", events(api, "web")?);
        Ok(())
    });
}

#[test]
fn a_service_that_is_none_any_more_gives_its_address_to_one_who_waits() {
    test(|lab| {
        let (site, _node) = led(lab)?;
        let api = &site.api;
        let one = json!({"metadata": {"annotations": {
            "metallb.io/loadBalancerIPs": "198.51.100.7",
        }}});
        create(api, service("first"))?;
        patch(api, "first", one.clone())?;
        await_published(api, "first", &["198.51.100.7"], Some("pool"))?;
        create(api, service("second"))?;
        patch(api, "second", one)?;
        await_event(api, "second", "AllocationFailed")?;
        await_published(api, "second", &[], None)?;

        patch(api, "first", json!({"spec": {"type": "ClusterIP"}}))?;
        await_published(api, "second", &["198.51.100.7"], Some("pool"))?;
        await_published(api, "first", &[], None)?;
        // Of another's class it is none of ours, and has no address of ours.
        let class = "example.com/other";
        patch(
            api,
            "first",
            json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": class}}),
        )?;
        patch(api, "first", json!({"spec": {"type": "ClusterIP"}}))?;
        // And back: it waits now.
        patch(api, "first", json!({"spec": {"type": "LoadBalancer"}}))?;
        await_event(api, "first", "AllocationFailed")?;
        api.send(&Request::delete(format!("{SERVICES}/second")))?;
        await_published(api, "first", &["198.51.100.7"], Some("pool"))?;
        Ok(())
    });
}

#[test]
fn a_service_that_asks_for_an_address_of_no_pool_is_told_so_and_the_others_are_served() {
    test(|lab| {
        let (site, node) = led(lab)?;
        let api = &site.api;
        let mut stray = service("stray");
        stray["spec"]["loadBalancerIP"] = json!("203.0.113.7");
        create(api, stray)?;
        create(api, service("web"))?;
        let note = await_event(api, "stray", "AllocationFailed")?;
        ensure!(note.contains("203.0.113.7"), "{note}");
        await_published(api, "web", &["198.51.100.0"], Some("pool"))?;
        await_published(api, "stray", &[], None)?;
        await_status(&node, &["default/stray", "203.0.113.7"])?;
        patch(
            api,
            "stray",
            json!({"spec": {"loadBalancerIP": "198.51.100.7"}}),
        )?;
        await_published(api, "stray", &["198.51.100.7"], Some("pool"))?;
        Ok(())
    });
}

#[test]
fn a_service_that_flips_class_and_policy_is_served_whenever_it_is_ours() {
    test(|lab| {
        let site = Site::new(lab, &[11, 12])?;
        site.configure()?;
        let nodes = [site.node("node-1", 11)?, site.node("node-2", 12)?];
        await_status(&nodes[0], &["\"leads\":true"])?;
        let api = &site.api;
        let slice = crate::site::endpoint_slice("web", &["node-1"]);
        api.send(&Request::create(crate::site::SLICES, slice))?;
        create(api, service("web"))?;
        let vip = "198.51.100.0";
        let table: [(&str, &[u8]); 1] = [("198.51.100.0/32", &[11, 12])];
        await_published(api, "web", &[vip], Some("pool"))?;
        site.await_table(&table)?;
        for policy in ["Local", "Cluster", "Local"] {
            patch(
                api,
                "web",
                json!({"spec": {"externalTrafficPolicy": policy}}),
            )?;
            let nodes: &[u8] = if policy == "Local" { &[11] } else { &[11, 12] };
            site.await_table(&[("198.51.100.0/32", nodes)])?;
            await_published(api, "web", &[vip], Some("pool"))?;
        }
        // The class of a load balancer cannot change, but by way of another type.
        let change = |spec: Value| patch(api, "web", json!({"spec": spec}));
        change(json!({"type": "ClusterIP", "externalTrafficPolicy": null}))?;
        await_published(api, "web", &[], None)?;
        site.await_table(&[])?;
        change(json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}))?;
        create(api, service("next"))?;
        await_published(api, "next", &[vip], Some("pool"))?;
        await_published(api, "web", &[], None)?;
        change(json!({"type": "ClusterIP", "loadBalancerClass": null}))?;
        change(json!({"type": "LoadBalancer"}))?;
        await_published(api, "web", &["198.51.100.1"], Some("pool"))?;
        site.await_table(&[("198.51.100.1/32", &[11, 12])])
    });
}

#[test]
fn what_others_write_is_corrected_but_not_for_ever_and_their_class_is_theirs() {
    test(|lab| {
        let (site, node) = led(lab)?;
        let api = &site.api;
        let mut theirs = service("theirs");
        theirs["spec"]["loadBalancerClass"] = json!("example.com/other");
        theirs["metadata"]["annotations"] = json!({POOL: "other"});
        create(api, theirs)?;
        patch_status(api, "theirs", &json!([{"ip": "203.0.113.9"}]))?;

        create(api, service("web"))?;
        await_published(api, "web", &["198.51.100.0"], Some("pool"))?;
        let mixed = json!([
            {"hostname": "elsewhere.example.com"}, {"ip": "198.51.100.0", "ipMode": "Proxy"},
        ]);
        patch_status(api, "web", &mixed)?;
        let ingress = "/status/loadBalancer/ingress";
        wait::until("the mode to stay, and nothing else", SOON, || {
            let web = api.get(&format!("{SERVICES}/web"))?;
            let expected = json!([{"ip": "198.51.100.0", "ipMode": "Proxy"}]);
            ensure!(web.pointer(ingress) == Some(&expected), "{web}");
            Ok(())
        })?;

        // Another controller that does not give up.
        let before = version(api)?;
        wait::until("the contest to be told", SOON, || {
            patch_status(api, "web", &json!([{"hostname": "elsewhere.example.com"}]))?;
            let told = events(api, "web")?
                .into_iter()
                .find(|(reason, _)| reason == "StatusContested");
            told.map(drop).context("no Event")
        })?;
        await_status(
            &node,
            &["another controller keeps replacing the status of default/web"],
        )?;
        let writes = writes_since(api, SERVICES, &before)?;
        ensure!(!writes.contains_key("theirs"), "{writes:?}");
        let theirs = api.get(&format!("{SERVICES}/theirs"))?;
        ensure!(
            published(&theirs) == (vec!["203.0.113.9"], Some("other")),
            "{theirs}"
        );
        Ok(())
    });
}

#[test]
fn a_right_that_lacks_is_named_and_used_when_it_is_there() {
    test(|lab| {
        let (site, node) = led(lab)?;
        let api = &site.api;
        let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/metallb-system:controller";
        let complete = api.get(role)?;
        let mut lacking = complete.clone();
        let rules = lacking["rules"].as_array_mut().context("no rules")?;
        rules.retain(|rule| rule["resources"] != json!(["services/status"]));
        lacking["metadata"]["resourceVersion"].take();
        api.send(&Request::replace(role, lacking))?;
        create(api, service("web"))?;
        await_status(
            &node,
            &["cannot write the status of default/web", "services/status"],
        )?;
        let mut complete = complete;
        complete["metadata"]["resourceVersion"].take();
        api.send(&Request::replace(role, complete))?;
        await_published(api, "web", &["198.51.100.0"], Some("pool"))?;
        wait::until("the problem to be over", SOON, || {
            let status = node.status()?;
            ensure!(status["problems"]["other"] == json!([]), "{status}");
            Ok(())
        })
    });
}

#[test]
fn a_configuration_that_moves_a_pool_renames_it_in_the_annotation() {
    test(|lab| {
        let (site, node) = led(lab)?;
        let api = &site.api;
        create(api, service("web"))?;
        await_published(api, "web", &["198.51.100.0"], Some("pool"))?;
        let maps = "/api/v1/namespaces/metallb-system/configmaps/config";
        let map = api.get(maps)?;
        let text = map["data"]["config"].as_str().context("no text")?;
        let configure = |text: &str| {
            let change = json!({"data": {"config": text}});
            api.send(&Request::patch(maps, change)).map(drop)
        };
        configure("peers: nonsense")?;
        await_status(&node, &["\"up_to_date\":false"])?;
        create(api, service("meanwhile"))?;
        await_published(api, "meanwhile", &["198.51.100.1"], Some("pool"))?;
        configure(&text.replace("name: pool", "name: renamed"))?;
        await_published(api, "web", &["198.51.100.0"], Some("renamed"))?;
        await_published(api, "meanwhile", &["198.51.100.1"], Some("renamed"))?;
        Ok(())
    });
}

#[test]
fn services_that_change_all_the_time_are_written_once() {
    test(|lab| {
        let (site, _node) = led(lab)?;
        let api = &site.api;
        let names: Vec<_> = (0..50).map(|n| format!("busy-{n}")).collect();
        let before = version(api)?;
        for name in &names {
            create(api, service(name))?;
            patch(api, name, json!({"metadata": {"labels": {"step": "1"}}}))?;
            patch(api, name, json!({"metadata": {"labels": {"step": "2"}}}))?;
        }
        let mut addresses = BTreeSet::new();
        for name in &names {
            wait::until(format!("{name} to have an address"), SOON, || {
                let service = api.get(&format!("{SERVICES}/{name}"))?;
                let address = published(&service).0.first().map(ToString::to_string);
                addresses.insert(address.context("none")?);
                Ok(())
            })?;
        }
        ensure!(addresses.len() == names.len(), "{addresses:?}");
        let writes = writes_since(api, SERVICES, &before)?;
        let many = writes.iter().find(|(_, writes)| **writes != 4);
        ensure!(many.is_none(), "{many:?}");
        Ok(())
    });
}
