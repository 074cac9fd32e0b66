//! Objects as long as a user can make them.

use std::fs;

use anyhow::{Context, Result, ensure};
use carillon_lab::kubernetes::Request;
use carillon_lab::{Carillon, test, wait};
use serde_json::json;

use crate::site::{SOON, Site, await_status, service};

const SERVICES: &str = "/api/v1/namespaces/default/services";
/// How many Services one user has made.
const MANY: usize = 260;
/// How long all annotations of an object may be together, but for a key. In JSON, `<` is six times as
/// long.
const LONG: usize = (256 << 10) - 16;
/// How much memory a daemon may take for lists of them, at any time.
const MEMORY: usize = 96 << 20;

#[test]
fn fat_services_of_one_user_keep_nobody_from_starting_or_leading() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.configure()?;
        let mut connection = site.api.connect()?;
        for n in 0..MANY {
            connection.send(&fat(&format!("fat-{n}")))?;
        }
        site.serve("web", "198.51.100.7", &["alpha"])?;
        let alpha = site.node("alpha", 11)?;
        site.await_table(&[("198.51.100.7/32", &[11])])?;
        // It has read all of them once more by then.
        let status = await_status(&alpha, &["\"leads\":true"])?;
        let problems = status.pointer("/problems/files");
        ensure!(problems == Some(&json!([])), "{status}");
        let next = service("next", "198.51.100.8");
        site.api.send(&Request::create(SERVICES, next))?;
        wait::until("another service to have an address", SOON, || {
            let next = site.api.get(&format!("{SERVICES}/next"))?;
            let ip = next.pointer("/status/loadBalancer/ingress/0/ip");
            ensure!(ip == Some(&json!("198.51.100.8")), "{next}");
            Ok(())
        })?;
        let peak = peak(&alpha)?;
        println!("{} MiB of memory at most", peak >> 20);
        ensure!(peak < MEMORY, "{peak} octets of memory");
        Ok(())
    });
}

/// A Service with as much in its annotations as there may be.
fn fat(name: &str) -> Request {
    let fat = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "annotations": {"a": "<".repeat(LONG)}},
        "spec": {"ports": [{"port": 80}]},
    });
    Request::create(SERVICES, fat)
}

/// The most memory that a daemon has had.
fn peak(daemon: &Carillon) -> Result<usize> {
    let file = format!("/proc/{}/status", daemon.process.id());
    let status = fs::read_to_string(file)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: usize = kibibytes.context("no VmHWM")?.parse()?;
    Ok(kibibytes << 10)
}
