//! Who announces and who gives addresses, with the rights of the manifests and no others.

use std::path::Path;

use super::*;

const VIP: &str = "198.51.100.0";

/// What an attempt to give a Service an address of one's own comes to.
fn hijack(site: &Site, account: &str) -> Result<String> {
    let access = site.api.access_of("metallb-system", account)?;
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.53"}]}}});
    let patch = Request::patch(format!("{SERVICES}/web/status"), status);
    let patched = site.api.send_as(&access, &patch);
    Ok(patched.map_or_else(|error| format!("{error:#}"), |_| "patched".to_owned()))
}

/// What the API server says to a speaker that tries.
const REFUSED: &str = "cannot patch resource \\\"services/status\\\"";

#[test]
fn speakers_announce_what_a_controller_gives_and_their_token_gives_nothing() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.do_not_let_speakers_lead()?;
        site.configure()?;
        let speaker = site.speaker()?;
        let controller = site.api.kubeconfig_for("metallb-system", "controller")?;
        let run = |name, number, kubeconfig: &Path, role| {
            let host = site.host(name, number)?;
            Carillon::start_kubernetes_with(&host, name, kubeconfig, &["--role", role])
        };
        let node = run("node-1", 11, &speaker, "speaker")?;
        let slice = crate::site::endpoint_slice("web", &["node-1"]);
        site.api
            .send(&Request::create(crate::site::SLICES, slice))?;
        create(&site.api, service("web"))?;
        let refused = hijack(&site, "speaker")?;
        ensure!(refused.contains(REFUSED), "{refused}");
        await_status(&node, &["no address", "\"leads\":false"])?;

        let first = run("first", 21, &controller, "controller")?;
        await_published(&site.api, "web", &[VIP], Some("pool"))?;
        site.await_table(&[("198.51.100.0/32", &[11])])?;
        await_event(&site.api, "web", "IPAllocated")?;
        await_status(&node, &["\"holder\":\"first_", "\"leads\":false"])?;
        for daemon in [&node, &first] {
            let status = daemon.status()?;
            for problems in ["configuration", "files", "other"] {
                ensure!(status["problems"][problems] == json!([]), "{status}");
            }
        }
        await_status(&first, &["announces none (--role controller)"])?;

        // What a speaker may not, others may not have done by it either.
        let refused = hijack(&site, "speaker")?;
        ensure!(refused.contains(REFUSED), "{refused}");
        await_published(&site.api, "web", &[VIP], Some("pool"))?;
        // A controller may, and only for a moment: what is given is put right again.
        let patched = hijack(&site, "controller")?;
        ensure!(patched == "patched", "{patched}");
        await_published(&site.api, "web", &[VIP], Some("pool"))?;
        Ok(())
    });
}

#[test]
fn a_controller_that_ends_is_followed_by_the_other_and_nothing_is_withdrawn() {
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.do_not_let_speakers_lead()?;
        site.configure()?;
        let controller = site.api.kubeconfig_for("metallb-system", "controller")?;
        let run = |name, number, kubeconfig: &Path, role| {
            let host = site.host(name, number)?;
            Carillon::start_kubernetes_with(&host, name, kubeconfig, &["--role", role])
        };
        let _node = run("node-1", 11, &site.speaker()?, "speaker")?;
        let mut first = run("first", 21, &controller, "controller")?;
        await_status(&first, &["\"leads\":true"])?;
        let second = run("second", 22, &controller, "controller")?;
        await_status(&second, &["\"holder\":\"first_"])?;
        site.serve("web", VIP, &["node-1"])?;
        site.await_table(&[("198.51.100.0/32", &[11])])?;
        first.process.terminate()?;
        create(&site.api, service("next"))?;
        await_published(&site.api, "next", &["198.51.100.1"], Some("pool"))?;
        await_status(&second, &["\"leads\":true"])?;
        site.await_table(&[("198.51.100.0/32", &[11])])
    });
}

/// Announce only, and then beside it allocate only: each half of the work can be another's.
#[test]
fn speakers_announce_what_somebody_else_gives_and_a_controller_of_ours_can_follow_him() {
    const CLASS: &str = "example.com/lb";
    test(|lab| {
        let site = Site::new(lab, &[11])?;
        site.do_not_let_speakers_lead()?;
        site.configure()?;
        let run = |name, number, account: &str, role| {
            let host = site.host(name, number)?;
            let kubeconfig = site.api.kubeconfig_for("metallb-system", account)?;
            let flags = ["--role", role, "--lb-class", CLASS];
            Carillon::start_kubernetes_with(&host, name, &kubeconfig, &flags)
        };
        let node = run("node-1", 11, "speaker", "speaker")?;
        let api = &site.api;
        for name in ["web", "other"] {
            let slice = crate::site::endpoint_slice(name, &["node-1"]);
            api.send(&Request::create(crate::site::SLICES, slice))?;
            let mut service = service(name);
            if name == "web" {
                service["spec"]["loadBalancerClass"] = json!(CLASS);
            }
            create(api, service)?;
        }
        for (name, address) in [("web", "198.51.100.7"), ("other", "198.51.100.8")] {
            patch_status(api, name, &json!([{"ip": address}]))?;
        }
        let web = |address: &str| format!("198.51.100.{address}/32");
        let await_web = |address: &str| site.await_table(&[(&web(address), &[11])]);
        await_web("7")?;
        patch_status(api, "web", &json!([{"ip": "198.51.100.9"}]))?;
        await_web("9")?;
        patch_status(api, "web", &json!([]))?;
        site.await_table(&[])?;
        // Of no pool of ours: nothing says how it is to be announced.
        patch_status(api, "web", &json!([{"ip": "203.0.113.1"}]))?;
        await_status(&node, &["no single pool contains all of its addresses"])?;
        patch_status(api, "web", &json!([{"ip": "198.51.100.9"}]))?;
        await_web("9")?;
        await_published(api, "web", &["198.51.100.9"], None)?;

        let controller = run("first", 21, "controller", "controller")?;
        await_status(&controller, &["\"leads\":true"])?;
        await_published(api, "web", &["198.51.100.9"], Some("pool"))?;
        await_web("9")?;
        await_published(api, "other", &["198.51.100.8"], None)?;
        Ok(())
    });
}
