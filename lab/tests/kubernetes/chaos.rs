//! Resources in a bad state: thousands that are wrong, Secrets that are late, definitions that go.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON that is indexed does not panic"
)]

use std::fs;

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::Request;
use carillon_lab::{Carillon, test, wait};
use serde_json::{Value, json};

use crate::site::{SOON, Site, await_status, define};

const GROUP: &str = "/apis/metallb.io";
const NAMESPACE: &str = "namespaces/metallb-system";
const SECRETS: &str = "/api/v1/namespaces/metallb-system/secrets";
/// How many objects are wrong in each way.
const WRONG: usize = 150;
const NODE: &[u8] = &[11];
const WEB: (&str, &[u8]) = ("198.51.100.7/32", NODE);

fn resource(version: &str, kind: &str, name: &str, spec: &Value) -> Request {
    let plural = kind.to_lowercase() + "s";
    let object = json!({
        "apiVersion": format!("metallb.io/{version}"), "kind": kind,
        "metadata": {"name": name}, "spec": spec,
    });
    Request::create(format!("{GROUP}/{version}/{NAMESPACE}/{plural}"), object)
}

fn pool(name: &str, addresses: &str) -> Request {
    let spec = json!({"addresses": [addresses]});
    resource("v1beta1", "IPAddressPool", name, &spec)
}

fn configure(site: &Site, secret: Option<&str>) -> Result<()> {
    define(&site.api)?;
    let mut peer = json!({"myASN": 64512, "peerASN": 64512, "peerAddress": "192.0.2.1"});
    if let Some(secret) = secret {
        peer["passwordSecret"] = json!({"name": secret});
    }
    site.api.send_all(&[
        pool("pool", "198.51.100.0/24"),
        resource("v1beta2", "BGPPeer", "router", &peer),
        resource("v1beta1", "BGPAdvertisement", "all", &json!({})),
    ])
}

/// The memory of a daemon in MB.
fn resident(node: &Carillon) -> Result<i64> {
    let status = fs::read_to_string(format!("/proc/{}/status", node.process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().split(' ').next());
    Ok(kb.unwrap_or_default().parse::<i64>()? / 1024)
}

/// What only makes sense beside others is read as a whole, so often as it changes.
#[test]
fn hundreds_that_are_wrong_stop_no_right_one_and_fill_no_log() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        configure(&site, None)?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let mut alpha = site.node("alpha", 11)?;
        site.await_table(&[WEB])?;
        let before = resident(&alpha)?;
        let unreadable = (0..WRONG).map(|n| pool(&format!("unreadable-{n}"), "198.51.100.0/33"));
        let overlapping = (0..WRONG).map(|n| pool(&format!("overlapping-{n}"), "198.51.100.0/24"));
        site.api
            .send_all(&unreadable.chain(overlapping).collect::<Vec<_>>())?;
        site.api.send(&pool("late", "203.0.113.0/24"))?;
        site.serve("late", "203.0.113.7", &["alpha"])?;
        let both = [WEB, ("203.0.113.7/32", NODE)];
        site.await_table(&both)?;
        alpha.process.terminate()?;
        alpha.restart()?;
        site.await_table(&both)?;
        let (log, grown) = (alpha.process.log()?.len(), resident(&alpha)? - before);
        ensure!(log < 200_000, "a log of {log} B");
        ensure!(grown < 30, "{grown} MB more");
        let state = format!("{GROUP}/v1beta1/{NAMESPACE}/configurationstates/speaker-alpha");
        wait::until("the state to say how many", SOON, || {
            let state = site.api.get(&state)?;
            let summary = state["status"]["errorSummary"].as_str().unwrap_or_default();
            ensure!(
                summary.contains("more") && summary.len() < 20_000,
                "{state}"
            );
            Ok(())
        })
    });
}

#[test]
fn a_secret_may_be_late_of_the_wrong_type_and_change() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        configure(&site, Some("router"))?;
        site.serve("web", "198.51.100.7", &["alpha"])?;
        sign(&site, "first-one")?;
        let alpha = site.node("alpha", 11)?;
        await_status(&alpha, &["there is no Secret"])?;
        site.api.send(&secret("Opaque", "first-one"))?;
        await_status(&alpha, &["make one of type kubernetes.io/basic-auth"])?;
        site.api
            .send(&Request::delete(format!("{SECRETS}/router")))?;
        site.api
            .send(&secret("kubernetes.io/basic-auth", "first-one"))?;
        site.await_table(&[WEB])?;
        // Operators replace a Secret by deleting it: the session goes on with what it said.
        site.api
            .send(&Request::delete(format!("{SECRETS}/router")))?;
        await_status(
            &alpha,
            &["there is no Secret", "the last good version stays"],
        )?;
        site.await_table(&[WEB])?;
        site.api
            .send(&secret("kubernetes.io/basic-auth", "first-one"))?;
        sign(&site, "second-one")?;
        site.await_table(&[])?;
        let password = json!({"stringData": {"password": "second-one"}});
        site.api
            .send(&Request::patch(format!("{SECRETS}/router"), password))?;
        site.await_table(&[WEB])?;
        let told = alpha.process.log()? + &alpha.status()?.to_string();
        ensure!(!told.contains("-one"), "a password is told: {told}");
        Ok(())
    });
}

/// Lets the router expect this password.
fn sign(site: &Site, password: &str) -> Result<()> {
    let line = format!("router bgp 64512\n neighbor 192.0.2.11 password {password}\n");
    site.router.configure(&line)
}

fn secret(r#type: &str, password: &str) -> Request {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "router"},
        "type": r#type, "stringData": {"password": password},
    });
    Request::create(SECRETS, secret)
}
