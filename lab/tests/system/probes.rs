//! What `/healthz` and `/readyz` answer while things come and go.

use anyhow::{Result, ensure};
use carillon_lab::{Frr, Host, Process, binary, test, wait};

use crate::manifest::{POOL, peer};
use crate::site::{SOON, Site, await_table, frr_config, v4};

const HTTP: &str = "127.0.0.1:7479";

/// Code and body, as `200 ok`.
fn probe(host: &Host, path: &str) -> Result<String> {
    let form = "%{stderr}%{http_code} ";
    let url = format!("http://{HTTP}{path}");
    let mut curl = host.command("curl");
    let output = curl
        .args(["--silent", "--max-time", "10", "--write-out", form, &url])
        .output()?;
    let said = [output.stderr, output.stdout].concat();
    Ok(String::from_utf8(said)?.trim_end().to_owned())
}

fn start(site: &Site, host: &Host, node: &str) -> Result<Process> {
    let mut command = host.command(binary()?);
    command.args(["run", "--node-name", node, "--http-bind", HTTP, "--files"]);
    command.arg(site.files.dir());
    let socket = host.file(&format!("{node}.sock"));
    host.spawn(node, command.arg("--socket").arg(socket))
}

fn await_probe(host: &Host, path: &str, expected: &str) -> Result<()> {
    wait::until(format!("{path} to say {expected}"), SOON, || {
        let said = probe(host, path)?;
        ensure!(said.contains(expected), "{said}");
        Ok(())
    })
}

#[test]
fn a_daemon_is_ready_when_its_router_has_been_told() {
    test(|lab| {
        let site = Site::new(lab)?;
        site.files.serve("web")?;
        let host = site.host("alpha", 11)?;
        let daemon = start(&site, &host, "alpha")?;
        await_probe(&host, "/healthz", "200 ok")?;
        await_probe(
            &host,
            "/readyz",
            "503 ConfigMap metallb-system/config is not in",
        )?;

        site.files.configure(&["{my-asn: 64512}"], &[POOL])?;
        await_probe(&host, "/readyz", "peers[0].peer-asn: missing")?;
        let router_host = site.host("router", 1)?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        await_probe(
            &host,
            "/readyz",
            "503 the bgp neighbor 192.0.2.1 has not been told",
        )?;
        let config = frr_config(64512, &[(v4(11), 64512)]);
        let mut router = Frr::start(&router_host, &config)?;
        await_probe(&host, "/readyz", "200 ok")?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;

        router.stop()?;
        ensure!(
            probe(&host, "/readyz")?.ends_with("200 ok"),
            "a router lost later"
        );
        site.files.configure(&["{my-asn: x}"], &[POOL])?;
        wait::until("a configuration to be refused", SOON, || {
            ensure!(daemon.log()?.contains("peers[0].my-asn"));
            Ok(())
        })?;
        for path in ["/healthz", "/readyz"] {
            let said = probe(&host, path)?;
            ensure!(said.ends_with("200 ok"), "an older one is in force: {said}");
        }

        // Who cannot have the port does its work all the same.
        let second = start(&site, &host, "beta")?;
        wait::until("a taken port to be told", SOON, || {
            let log = second.log()?;
            ensure!(log.contains("another program has that port"), "{log}");
            Ok(())
        })
    });
}
