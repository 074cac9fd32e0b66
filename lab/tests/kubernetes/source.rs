//! What a daemon makes of a cluster, and of an API server that is away, forgetful, or refuses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::{Access, Request};
use carillon_lab::{Carillon, Family, Host, binary, test, wait};
use serde_json::{Value, json};

use crate::site::{CONFIG, LEADERS, SOON, Site, await_status, define};

const WEB: (&str, &[u8]) = ("198.51.100.7/32", &[11]);
const API: (&str, &[u8]) = ("198.51.100.8/32", &[11]);

#[test]
fn what_is_published_is_announced_and_withdrawn() {
    test(|lab| {
        let site = Site::new(lab, &[11, 12])?;
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let alpha = site.node("alpha", 11)?;
        site.await_table(&[("198.51.100.7/32", &[11])])?;
        let _beta = site.node("beta", 12)?;
        site.await_table(&[("198.51.100.7/32", &[11, 12])])?;
        site.serve("api", "198.51.100.8", &["alpha", "beta"])?;
        let both: &[u8] = &[11, 12];
        site.await_table(&[("198.51.100.7/32", both), ("198.51.100.8/32", both)])?;
        site.delete("web")?;
        site.await_table(&[("198.51.100.8/32", both)])?;
        let status = alpha.status()?;
        let problems = status.pointer("/problems/files");
        ensure!(problems == Some(&json!([])), "{status}");
        Ok(())
    });
}

/// How often each session of the router went down.
fn drops(site: &Site) -> Result<BTreeMap<IpAddr, u32>> {
    let neighbors = site.router.neighbors(Family::V4)?.into_iter();
    Ok(neighbors
        .map(|(address, neighbor)| (address, neighbor.connections_dropped))
        .collect())
}

#[test]
fn nothing_is_withdrawn_while_the_api_server_is_away() {
    test(|lab| {
        let mut site = Site::new(lab, &[11])?;
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let alpha = site.node("alpha", 11)?;
        site.await_table(&[WEB])?;
        let before = drops(&site)?;

        site.api.stop()?;
        await_status(&alpha, &["cannot be reached", "onnection refused"])?;
        site.await_table(&[WEB])?;
        site.api.start_again()?;
        site.serve("api", "198.51.100.8", &["alpha"])?;
        site.await_table(&[WEB, API])?;

        // What changed meanwhile cannot be told any more: all has to be listed.
        site.api.compact()?;
        site.delete("web")?;
        site.await_table(&[API])?;

        site.api.freeze()?;
        site.await_table(&[API])?;
        site.api.thaw()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        site.await_table(&[WEB, API])?;
        ensure!(before == drops(&site)?, "a session ended");
        Ok(())
    });
}

#[test]
fn a_configuration_is_missed_refused_mended_and_kept() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let alpha = site.node("alpha", 11)?;
        let missing = "ConfigMap metallb-system/config is not in the cluster";
        await_status(&alpha, &[missing, "create it"])?;

        let map = |data: Value| {
            let metadata = json!({"namespace": "metallb-system", "name": "config"});
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        };
        let maps = "/api/v1/namespaces/metallb-system/configmaps";
        let other = map(json!({"conf": CONFIG}));
        site.api.send(&Request::create(maps, other))?;
        let lacks = "ConfigMap metallb-system/config: data: has no key `config`";
        await_status(&alpha, &[lacks])?;

        let one = format!("{maps}/config");
        let configure = |text: &str| {
            let map = map(json!({"config": text}));
            site.api.send(&Request::replace(one.clone(), map))
        };
        let broken = CONFIG.replace("/24", "/33");
        let at = [
            "ConfigMap metallb-system/config:4:",
            "address-pools[0].addresses[0]",
        ];
        configure(&broken)?;
        await_status(&alpha, &at)?;
        site.await_table(&[])?;
        configure(CONFIG)?;
        site.await_table(&[WEB])?;

        configure(&broken)?;
        await_status(&alpha, &at)?;
        site.api.send(&Request::delete(one.clone()))?;
        let deleted = "has been deleted from the cluster; the last configuration stays in force";
        await_status(&alpha, &[deleted])?;
        site.await_table(&[WEB])
    });
}

/// A resource, to be created.
fn resource(version: &str, kind: &str, name: &str, spec: &Value) -> Request {
    let plural = kind.to_lowercase() + "s";
    let path = format!("/apis/metallb.io/{version}/namespaces/metallb-system/{plural}");
    let object = json!({
        "apiVersion": format!("metallb.io/{version}"), "kind": kind,
        "metadata": {"name": name}, "spec": spec,
    });
    Request::create(path, object)
}

#[test]
fn resources_configure_when_their_definitions_have_been_added() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let alpha = site.node("alpha", 11)?;
        await_status(
            &alpha,
            &["ConfigMap metallb-system/config is not in the cluster"],
        )?;
        define(&site.api)?;
        let pool = json!({"addresses": ["198.51.100.0/24"]});
        let peer = json!({
            "myASN": 64512, "peerASN": 64512, "peerAddress": "192.0.2.1",
            "passwordSecret": {"name": "password"},
        });
        for request in [
            resource("v1beta1", "IPAddressPool", "pool", &pool),
            resource("v1beta2", "BGPPeer", "router", &peer),
            resource("v1beta1", "BGPAdvertisement", "all", &json!({})),
        ] {
            site.api.send(&request)?;
        }
        // One that is wrong stops no other, and is named.
        await_status(
            &alpha,
            &["BGPPeer metallb-system/router", "there is no Secret"],
        )?;
        site.await_table(&[])?;
        let mut open = peer;
        open["passwordSecret"] = Value::Null;
        let patch = json!({"spec": open}).to_string();
        site.api.kubectl(&[
            "patch",
            "bgppeer",
            "router",
            "--namespace=metallb-system",
            "--type=merge",
            &format!("--patch={patch}"),
        ])?;
        site.await_table(&[WEB])?;
        wait::until("how full the pool is", SOON, || {
            let pools = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools";
            let pool = site.api.get(&format!("{pools}/pool"))?;
            let expected = json!({
                "assignedIPv4": 1, "availableIPv4": 255, "assignedIPv6": 0, "availableIPv6": 0,
            });
            ensure!(pool.pointer("/status") == Some(&expected), "{pool}");
            Ok(())
        })?;
        // Who deletes the definitions deletes the objects, and takes nothing away from anybody.
        site.api
            .kubectl(&["delete", "crd", "ipaddresspools.metallb.io"])?;
        await_status(&alpha, &["waits"])?;
        site.await_table(&[WEB])
    });
}

#[test]
fn a_configuration_under_another_name_is_no_configuration_and_the_right_one_is_named() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        for (namespace, name) in [("metallb-system", "metallb"), ("default", "config")] {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"config": CONFIG},
            });
            let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
            site.api.send(&Request::create(maps, map))?;
        }
        let alpha = site.node("alpha", 11)?;
        let missing = "ConfigMap metallb-system/config is not in the cluster";
        let hint = "create it in exactly this namespace and with exactly this name";
        await_status(&alpha, &[missing, hint, "--config-name"])?;
        site.await_table(&[])?;
        site.configure()?;
        site.await_table(&[WEB])
    });
}

#[test]
fn one_that_is_started_before_its_api_server_follows_it_when_it_is_there() {
    test(|lab| {
        let mut site = Site::new(lab, &[11])?;
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let speaker = site.speaker()?;
        site.api.stop()?;
        let mut alpha = Carillon::start_kubernetes(&site.host("alpha", 11)?, "alpha", &speaker)?;
        await_status(&alpha, &["cannot be reached", "onnection refused"])?;
        site.await_table(&[])?;
        site.api.start_again()?;
        site.await_table(&[WEB])?;
        await_status(&alpha, &["\"files\":[]"])?;
        alpha.process.ensure_running()
    });
}

#[test]
fn a_missing_rule_is_named_and_followed_once_it_is_there() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let role = ["clusterrole", "metallb-system:speaker"];
        let rules = r#"[{"op": "remove", "path": "/rules/1"}]"#;
        let slices = site
            .api
            .kubectl(&["get", role[0], role[1], "-o", "jsonpath={.rules[1]}"])?;
        ensure!(slices.contains("endpointslices"), "{slices}");
        site.api
            .kubectl(&["patch", role[0], role[1], "--type=json", "-p", rules])?;
        let alpha = site.node("alpha", 11)?;
        let rule = "may not list endpointslices: give its ClusterRole a rule with apiGroups";
        await_status(&alpha, &["metallb-system:speaker", rule])?;
        site.await_table(&[])?;
        let rules = format!(r#"[{{"op": "add", "path": "/rules/-", "value": {slices}}}]"#);
        site.api
            .kubectl(&["patch", role[0], role[1], "--type=json", "-p", &rules])?;
        site.await_table(&[WEB])
    });
}

/// What `carillon check --from-cluster` says, and whether all is right.
fn check(host: &Host, kubeconfig: &Path) -> Result<(String, bool)> {
    let mut check = host.command(binary()?);
    check
        .args(["check", "--from-cluster", "--kubeconfig"])
        .arg(kubeconfig);
    let output = check.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        String::from_utf8_lossy(&said).into_owned(),
        output.status.success(),
    ))
}

#[test]
fn a_cluster_can_be_checked() {
    test(|lab| {
        let site = Site::new(lab, &[])?;
        let host = site.host("alpha", 11)?;
        let speaker = site.speaker()?;
        let (said, right) = check(&host, &speaker)?;
        let missing = "no ConfigMap metallb-system/config: no pools, no peers";
        ensure!(right && said.contains(missing), "{said}");
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        site.serve("stray", "203.0.113.7", &["alpha"])?;
        let (said, right) = check(&host, &speaker)?;
        for text in [
            "ok: the cluster of https://192.0.2.10:6443",
            "pool pool: bgp, 198.51.100.0/24",
            "3 services, 2 of type LoadBalancer",
            "service default/stray has 203.0.113.7, for which there is no pool",
        ] {
            ensure!(right && said.contains(text), "no {text:?} in:\n{said}");
        }
        let bindings = ["speaker", LEADERS];
        let delete = ["delete", "rolebinding", "-n", "metallb-system"];
        site.api.kubectl(&[&delete[..], &bindings].concat())?;
        wait::until("the rights within the namespace to be gone", SOON, || {
            let (said, right) = check(&host, &speaker)?;
            let lease = "may not get, patch, watch leases in the namespace metallb-system";
            let create = "may not create leases in the namespace metallb-system";
            let config = "metallb-system:speaker may not list configmaps";
            let pods = "may not list, watch pods in the namespace metallb-system";
            let all = [lease, create, config, pods];
            ensure!(
                !right && all.iter().all(|text| said.contains(text)),
                "{said}"
            );
            ensure!(!said.contains("services"), "{said}");
            Ok(())
        })?;
        let bindings = ["metallb-system:speaker", LEADERS];
        let delete = ["delete", "clusterrolebinding"];
        site.api.kubectl(&[&delete[..], &bindings].concat())?;
        wait::until("the rights to be gone", SOON, || {
            let (said, right) = check(&host, &speaker)?;
            let rule = "metallb-system:speaker may not list services: give its ClusterRole";
            ensure!(!right && said.contains(rule), "{said}");
            Ok(())
        })
    });
}

#[test]
fn a_second_daemon_of_a_node_waits_for_the_end_of_the_first() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.configure()?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let host = site.host("alpha", 11)?;
        let mut first = site.node_on(&host, "alpha", &site.speaker()?)?;
        site.await_table(&[WEB])?;
        let mut second = host.command(binary()?);
        second
            .args(["run", "--node-name", "alpha", "--socket"])
            .arg(first.socket());
        second.arg("--kubeconfig").arg(site.speaker()?);
        let mut second = host.spawn("second", &mut second)?;
        wait::until("the second to wait", SOON, || {
            second.ensure_running()?;
            ensure!(second.log()?.contains("waiting until it has ended"));
            Ok(())
        })?;
        first.process.kill()?;
        wait::until("the second to run", SOON, || {
            ensure!(first.status()?.pointer("/services/0/announced") == Some(&json!(true)));
            Ok(())
        })?;
        site.await_table(&[WEB])?;
        second.terminate()?;
        site.await_table(&[])
    });
}

#[test]
fn an_api_server_that_does_not_know_us_or_is_another_is_told() {
    test(|lab| {
        let site = Site::new(lab, &[11, 12])?;
        site.configure()?;
        let access = |change: &dyn Fn(&mut Access)| -> Result<PathBuf> {
            let mut access = site.api.access();
            change(&mut access);
            site.api.kubeconfig_with("changed", &access)
        };
        let stranger = access(&|access| access.token = "expired".to_owned())?;
        let alpha = site.node_as("alpha", 11, &stranger)?;
        await_status(&alpha, &["401 Unauthorized", "expired"])?;

        let foreign = site.api.host().file("foreign.crt");
        certificate(site.api.host(), &foreign)?;
        let mistrustful = access(&|access| access.authority.clone_from(&foreign))?;
        let beta = site.node_as("beta", 12, &mistrustful)?;
        await_status(&beta, &["cannot prove it", "certificate authority"])?;
        Ok(())
    });
}

/// Makes a certificate that has nothing to do with anybody.
fn certificate(host: &Host, file: &Path) -> Result<()> {
    let file = file.to_str().context("a path of text")?;
    let key = format!("{file}.key");
    let arguments = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=foreign -addext \
                     basicConstraints=critical,CA:TRUE";
    let arguments = arguments
        .split_whitespace()
        .chain(["-out", file, "-keyout", &key]);
    host.run("openssl", arguments).map(drop)
}

#[test]
fn a_kubeconfig_that_cannot_be_used_ends_the_daemon_at_once() {
    test(|lab| {
        let host = lab.host("alpha")?;
        let file = host.file("wrong.kubeconfig");
        let cases = [
            ("{", ""),
            ("{apiVersion: v1, kind: Config, contexts: []}", "context"),
            (
                "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: \
                 {cluster: b, user: c}}]}",
                "cluster",
            ),
        ];
        for (text, word) in cases {
            std::fs::write(&file, text)?;
            let mut run = host.command(binary()?);
            run.args(["run", "--node-name", "alpha", "--kubeconfig"])
                .arg(&file);
            let output = run.arg("--socket").arg(host.file("a.sock")).output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.code() == Some(1), "{text}: {}", output.status);
            let file = file.display().to_string();
            ensure!(
                said.contains(&file) && said.contains(word),
                "{text}: {said}"
            );
        }
        Ok(())
    });
}
