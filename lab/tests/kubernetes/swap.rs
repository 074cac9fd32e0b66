//! A cluster as MetalLB leaves it: some of the objects of the benchmark `kubernetes-swap`, as it
//! writes them down when MetalLB has run (`kubernetes-swap.objects.json`).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::layer2::Asker;
use carillon_lab::{Family, test, wait};
use serde_json::{Value, json};

use crate::site::{SLICES, SOON, Site, define, endpoint_slice};

const LEFT: &str = include_str!("metallb-left.json");
const NODE: &str = "node-1";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const CONFIGURATION: &str = "metallb-system";

/// Where the objects of such a kind are.
fn collection(object: &Value) -> Option<String> {
    let version = object.get("apiVersion")?.as_str()?;
    let kind = object.get("kind")?.as_str()?.to_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    };
    match version {
        "v1" => Some(SERVICES.to_owned()),
        _ => Some(format!(
            "/apis/{version}/namespaces/{CONFIGURATION}/{plural}"
        )),
    }
}

/// Makes all as it was, with statuses.
fn leave(api: &ApiServer) -> Result<()> {
    let objects: Vec<Value> = serde_json::from_str(LEFT)?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "router"},
        "type": "kubernetes.io/basic-auth", "stringData": {"password": "swap"},
    });
    let secrets = format!("/api/v1/namespaces/{CONFIGURATION}/secrets");
    let (mut creations, mut statuses) = (vec![Request::create(secrets, secret)], Vec::new());
    for object in objects {
        let collection = collection(&object).context("no kind")?;
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.context("no name")?;
        if let Some(status) = object.get("status") {
            let status = json!({"status": status});
            statuses.push(Request::patch(
                format!("{collection}/{name}/status"),
                status,
            ));
        }
        if collection == SERVICES {
            let slice = endpoint_slice(name, &[NODE]);
            creations.push(Request::create(SLICES, slice));
        }
        creations.push(Request::create(collection, object.clone()));
    }
    api.send_all(&creations)?;
    api.send_all(&statuses)
}

/// The Services of a protocol.
fn services(api: &ApiServer, protocol: &str) -> Result<Vec<Value>> {
    let list = api.get(&format!("{SERVICES}?labelSelector=protocol%3D{protocol}"))?;
    let items = list.pointer("/items").and_then(Value::as_array);
    Ok(items.context("no list")?.clone())
}

fn addresses(services: &[Value]) -> BTreeSet<IpAddr> {
    let ingress = |service: &Value| {
        let ingress = service.pointer("/status/loadBalancer/ingress")?;
        Some(ingress.as_array()?.clone())
    };
    let ingress = services.iter().filter_map(ingress).flatten();
    let addresses = ingress.filter_map(|one| one.get("ip")?.as_str()?.parse().ok());
    addresses.collect()
}

#[test]
fn what_metallb_leaves_is_announced_and_no_service_is_written() {
    test(|lab| {
        let site = Site::with(lab, &[11], ApiServer::start_dual_stack)?;
        site.router
            .configure("router bgp 64512\n neighbor 192.0.2.11 password swap\n")?;
        define(&site.api)?;
        leave(&site.api)?;
        let before = [services(&site.api, "bgp")?, services(&site.api, "layer2")?];
        let [bgp, layer2] = before.each_ref().map(|services| addresses(services));
        let _node = site.node(NODE, 11)?;
        await_routes(&site, &bgp)?;
        let mut lan: Vec<_> = layer2.into_iter().collect();
        lan.retain(IpAddr::is_ipv4);
        await_answers(&site, &lan)?;
        // Who gives addresses gives those that are left, and to those that have none.
        let new = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "new", "labels": {"protocol": "new"}},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}],
                "loadBalancerIP": "203.0.113.200"},
        });
        site.api.send(&Request::create(SERVICES, new))?;
        wait::until("an address", SOON, || {
            let has = addresses(&services(&site.api, "new")?);
            let wanted = IpAddr::from(Ipv4Addr::new(203, 0, 113, 200));
            ensure!(has.contains(&wanted), "{has:?}");
            Ok(())
        })?;
        let after = [services(&site.api, "bgp")?, services(&site.api, "layer2")?];
        ensure!(before == after, "{before:?} became {after:?}");
        Ok(())
    });
}

fn await_routes(site: &Site, expected: &BTreeSet<IpAddr>) -> Result<()> {
    wait::until("the routes", SOON, || {
        let routes = site.router.routes(Family::V4)?;
        let routes: BTreeSet<_> = routes.keys().map(ipnet::IpNet::addr).collect();
        ensure!(routes == *expected, "{routes:?} of {expected:?}");
        Ok(())
    })
}

fn await_answers(site: &Site, addresses: &[IpAddr]) -> Result<()> {
    let own = (Ipv4Addr::new(192, 0, 2, 20), Ipv6Addr::LOCALHOST);
    let asker = site.host("asker", 20)?;
    let tick = Duration::from_millis(5);
    wait::until("answers for each address", SOON, || {
        let asking = Asker::start(&asker, own, addresses.to_vec(), tick)?;
        thread::sleep(tick * u32::try_from(addresses.len())?);
        let answers = asking.stop();
        let unanswered = answers.unanswered();
        ensure!(unanswered == 0, "{unanswered} were not answered");
        Ok(())
    })
}
