//! A Service as a strict API server wants it, and beyond that the addresses that it asks for, which
//! no API server checks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::config::error::quote;
use carillon_core::service::annotations::{self, LOAD_BALANCER_IPS};

use super::super::metadata::validate::labels;
use super::super::tree::shown;
use super::super::validate::format::{self, Name};
use super::super::validate::{Cursor, Found};

/// Checks all but the metadata in itself, and what is checked where it is decoded.
pub(in super::super) fn check(service: &Cursor<'_>, found: &mut Found) {
    let spec = service.field("spec");
    let kind = match spec.field("type").text(found) {
        "" => "ClusterIP",
        other => other,
    };
    ports(&spec, kind, found);
    labels(&spec.field("selector"), found);
    traffic(&spec, kind, found);
    cluster_ips(&spec, kind, found);
    for address in spec.field("externalIPs").items(found) {
        let value = format::address(address.text(found), None);
        address.refuse_if_wrong(value, found);
    }
    match kind {
        "LoadBalancer" => requests(service, &spec, found),
        "ClusterIP" | "NodePort" | "ExternalName" => {
            without_load_balancer(service, &spec, kind, found);
        }
        _ => {}
    }
    source_ranges(&spec, found);
    status(service, found);
}

fn ports(spec: &Cursor<'_>, kind: &str, found: &mut Found) {
    let list = spec.field("ports");
    let is_absent = !list.is_written() || list.is_list();
    let ports: Vec<_> = list.items(found).collect();
    let needs_none = kind == "ExternalName" || is_headless(spec, found);
    if ports.is_empty() && is_absent && !needs_none {
        let message = "is empty: a Service needs a port, for example `ports: [{port: 80}]`";
        list.refuse(message, found);
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbers: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for (n, port) in ports.iter().enumerate() {
        let name = port.field("name");
        let text = name.text(found);
        if text.is_empty() && ports.len() > 1 {
            let message = "is missing: of several ports each needs a name, for example http";
            name.refuse(message, found);
        } else if !text.is_empty() {
            name.refuse_if_wrong(Name::Label.check(text), found);
            let first = *names.entry(text).or_insert(n);
            if first != n {
                let message = format!("{} is the name of spec.ports[{first}], too", quote(text));
                name.refuse(message, found);
            }
        }
        let protocol = match port.field("protocol").text(found) {
            "" => "TCP",
            other => other,
        };
        if let Some(number) = port.field("port").number(found) {
            let first = *numbers.entry((protocol, number)).or_insert(n);
            if first != n {
                let message = format!(
                    "{} {number} is in spec.ports[{first}] already: remove one",
                    shown(protocol)
                );
                port.field("port").refuse(message, found);
            }
        }
        target(&port.field("targetPort"), found);
        port_number(&port.field("nodePort"), found);
    }
}

/// A port of the endpoints, by number or name.
fn target(port: &Cursor<'_>, found: &mut Found) {
    if port.plain().is_some_and(|text| text.parse::<i64>().is_ok()) {
        port_number(port, found);
        return;
    }
    let name = port.text(found);
    if !name.is_empty() {
        port.refuse_if_wrong(format::port_name(name), found);
    }
}

/// A port number, or 0 for none.
fn port_number(port: &Cursor<'_>, found: &mut Found) -> Option<i64> {
    let number = port.number(found)?;
    if !(0..=65535).contains(&number) {
        let message = format!("{number} is not a port number, 1 to 65535");
        port.refuse(message, found);
    }
    Some(number)
}

fn is_headless(spec: &Cursor<'_>, found: &mut Found) -> bool {
    let list = spec.field("clusterIPs");
    let first = list.items(found).next().map(|first| first.text(found));
    spec.field("clusterIP").text(found) == "None" || first == Some("None")
}

fn traffic(spec: &Cursor<'_>, kind: &str, found: &mut Found) {
    let affinity = spec.field("sessionAffinity");
    affinity.one_of(&["None", "ClientIP"], "None or ClientIP", found);
    let internal = spec.field("internalTrafficPolicy");
    internal.one_of(&["Cluster", "Local"], "Cluster or Local", found);

    let external = spec.field("externalTrafficPolicy");
    let policy = external.text(found);
    let has_external_ips = spec.field("externalIPs").items(found).next().is_some();
    let is_reached = match kind {
        "ClusterIP" => has_external_ips,
        "ExternalName" => false,
        _ => true,
    };
    if !policy.is_empty() && !is_reached {
        let message = format!(
            "has no meaning for a Service of type {kind}: remove it, or write `type: LoadBalancer`"
        );
        external.refuse(message, found);
    }
    let check = spec.field("healthCheckNodePort");
    let is_checked = kind == "LoadBalancer" && policy == "Local";
    if port_number(&check, found).is_some_and(|number| number != 0) && !is_checked {
        let message = "has a meaning only with `type: LoadBalancer` and `externalTrafficPolicy: \
                       Local`: remove it";
        check.refuse(message, found);
    }
}

fn cluster_ips(spec: &Cursor<'_>, kind: &str, found: &mut Found) {
    let (single, list, families) = (
        spec.field("clusterIP"),
        spec.field("clusterIPs"),
        spec.field("ipFamilies"),
    );
    let families: Vec<_> = families
        .items(found)
        .map(|family| family.text(found))
        .collect();
    let policy = spec.field("ipFamilyPolicy");
    if families.len() > 1 && policy.text(found) == "SingleStack" {
        let message = "is for one family, and spec.ipFamilies has several: write PreferDualStack or \
                       RequireDualStack";
        policy.refuse(message, found);
    }
    let items: Vec<_> = list.items(found).collect();
    let is_single = items.is_empty() && !single.text(found).is_empty();
    let all = if is_single { vec![single] } else { items };
    let mut addresses = Vec::new();
    for (n, cursor) in all.iter().enumerate() {
        let text = cursor.text(found);
        if text == "None" && all.len() == 1 {
            if matches!(kind, "LoadBalancer" | "NodePort") {
                let message = format!("a Service of type {kind} cannot be headless: remove it");
                cursor.refuse(message, found);
            }
            continue;
        }
        let Some(address) = cursor.refuse_if_wrong(format::address(text, None), found) else {
            continue;
        };
        addresses.push(address);
        let family = Family::of(address).to_string();
        if let Some(expected) = families.get(n).filter(|expected| **expected != family) {
            let message = format!(
                "{address} is of {family}, and spec.ipFamilies[{n}] is {}: make them the same",
                quote(expected)
            );
            cursor.refuse(message, found);
        }
    }
    if addresses.len() > 1 && !is_one_of_each(&addresses) {
        list.refuse("write one address, or one of each family", found);
    }
    let first = all
        .first()
        .map(|first| first.text(found))
        .unwrap_or_default();
    let single_text = single.text(found);
    if !is_single && !single_text.is_empty() && !first.is_empty() && first != single_text {
        let message = format!(
            "{} is not the first of spec.clusterIPs, {}: make them the same",
            quote(single_text),
            quote(first)
        );
        single.refuse(message, found);
    }
}

fn is_one_of_each(addresses: &[IpAddr]) -> bool {
    match addresses {
        [first, second] => Family::of(*first) != Family::of(*second),
        _ => false,
    }
}

/// The addresses that the Service asks for, and its class.
fn requests(service: &Cursor<'_>, spec: &Cursor<'_>, found: &mut Found) {
    let class = spec.field("loadBalancerClass");
    if class.is_written() {
        class.refuse_if_wrong(format::qualified_name(class.text(found)), found);
    }
    let metadata = service.field("metadata");
    let annotations = metadata.field("annotations");
    let keys = LOAD_BALANCER_IPS
        .iter()
        .map(|key| (key, annotations.field(key)));
    let annotation = keys.into_iter().find(|(_, value)| value.is_written());
    let field = spec.field("loadBalancerIP");
    let (list, single) = (
        annotation.map_or("", |(_, annotation)| annotation.text(found)),
        field.text(found),
    );
    match annotation {
        Some((key, _)) if !list.is_empty() && !single.is_empty() => {
            let message = format!("asks again, as the annotation {key} does: remove one");
            field.refuse(message, found);
        }
        Some((_, annotation)) if !list.is_empty() => request_list(&annotation, list, found),
        Some(_) | None if !single.is_empty() => {
            field.refuse_if_wrong(format::address(single, None), found);
        }
        Some(_) | None => {}
    }
}

fn request_list(annotation: &Cursor<'_>, list: &str, found: &mut Found) {
    let items = list
        .split(',')
        .map(|item| format::address(item.trim(), None));
    let items: Vec<_> = items.collect();
    let addresses: Vec<_> = items.iter().flatten().copied().collect();
    if addresses.len() == items.len() && items.len() > 1 && !is_one_of_each(&addresses) {
        let message = format!(
            "{} is too much: write one address, or one of each family",
            quote(list)
        );
        annotation.refuse(message, found);
    }
    for item in items {
        annotation.refuse_if_wrong(item, found);
    }
}

/// What only Services of type `LoadBalancer` have.
fn without_load_balancer(service: &Cursor<'_>, spec: &Cursor<'_>, kind: &str, found: &mut Found) {
    for field in ["loadBalancerClass", "loadBalancerSourceRanges"] {
        let field = spec.field(field);
        let is_empty = field.is_list() && field.items(found).next().is_none();
        if field.is_written() && !is_empty {
            let message = format!(
                "has no meaning for a Service of type {kind}: remove it, or write `type: \
                 LoadBalancer`"
            );
            field.refuse(message, found);
        }
    }
    let message =
        format!("has no effect on a Service of type {kind}, did you mean `type: LoadBalancer`?");
    let address = spec.field("loadBalancerIP");
    if !address.text(found).is_empty() {
        address.note(message.as_str(), found);
    }
    let metadata = service.field("metadata");
    let annotations = metadata.field("annotations");
    for key in annotations::ALL.as_flattened() {
        let annotation = annotations.field(key);
        if !annotation.text(found).is_empty() {
            annotation.note(message.as_str(), found);
        }
    }
}

fn source_ranges(spec: &Cursor<'_>, found: &mut Found) {
    for range in spec.field("loadBalancerSourceRanges").items(found) {
        let value = format::cidr(range.text(found));
        range.refuse_if_wrong(value, found);
    }
}

fn status(service: &Cursor<'_>, found: &mut Found) {
    let status = service.field("status");
    let balancer = status.field("loadBalancer");
    for entry in balancer.field("ingress").items(found) {
        let address = entry.field("ip");
        let text = address.text(found);
        if !text.is_empty() {
            address.refuse_if_wrong(format::address(text, None), found);
        }
    }
}
