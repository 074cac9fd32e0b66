//! Services and files that come, change and go.

use std::fs::{self, File};
use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use carillon_lab::{Carillon, Family, Frr, Lab, net, next_hops, test, wait};

use crate::manifest::{POOL, endpoints, peer, served, service};
use crate::site::{SOON, Site, await_table, v4, v6};

const FIRST: &str = "198.51.100.0/32";
const SECOND: &str = "198.51.100.1/32";

/// A router and a node that announces [`FIRST`] for `web` to it.
fn announced(lab: &Lab) -> Result<(Site, Frr, Carillon)> {
    let site = Site::new(lab)?;
    let router = site.router("router", 1, &[v4(11)])?;
    site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
    site.files.serve("web")?;
    let node = site.node("alpha", 11)?;
    await_table(&router, &[(FIRST, &[11])])?;
    Ok((site, router, node))
}

/// How many UPDATEs the router has received.
fn updates(router: &Frr) -> Result<u64> {
    let neighbor = router.neighbor(v4(11))?;
    let updates = neighbor["messageStats"]["updatesRecv"].as_u64();
    updates.context("no updatesRecv")
}

#[test]
fn a_shared_address_is_withdrawn_with_its_last_service() {
    test(|lab| {
        let (site, router, node) = announced(lab)?;
        site.files.remove("web")?;
        let shared = |port: u16, key: &str| {
            format!(
                "\
---
apiVersion: v1
kind: Service
metadata: {{name: p{port}, annotations: {{metallb.universe.tf/allow-shared-ip: {key}}}}}
spec: {{type: LoadBalancer, ports: [{{port: {port}}}], loadBalancerIP: 198.51.100.9}}
"
            ) + &endpoints(&format!("p{port}"), &["alpha"])
        };
        site.files.write("p80.yaml", &shared(80, "k"))?;
        await_table(&router, &[("198.51.100.9/32", &[11])])?;
        let before = updates(&router)?;
        let await_announced = |name: &str| {
            wait::until("a service to be announced", SOON, || {
                let status = node.status()?;
                let mut services = status["services"].as_array().into_iter().flatten();
                let found = services.find(|service| service["name"] == name);
                ensure!(found.is_some_and(|it| it["announced"] == true), "{status}");
                Ok(())
            })
        };
        site.files.write("p443.yaml", &shared(443, "k"))?;
        // It is in the journal before it counts.
        await_announced("default/p443")?;
        site.files.write("p53.yaml", &shared(53, "other"))?;
        site.files.remove("p80")?;
        site.files.serve("marker")?;
        await_table(&router, &[(FIRST, &[11]), ("198.51.100.9/32", &[11])])?;
        assert_eq!(updates(&router)?, before + 1, "the marker alone");
        site.files.remove("p443")?;
        // Who has another key gets the address only now, and announces it when that is in the journal:
        // the router may see it go for a moment.
        await_announced("default/p53")?;
        await_table(&router, &[(FIRST, &[11]), ("198.51.100.9/32", &[11])])?;
        ensure!(updates(&router)? <= before + 3, "a withdrawal and a route");
        site.files.remove("p53")?;
        await_table(&router, &[(FIRST, &[11])])
    });
}

#[test]
fn a_dual_stack_service_is_announced_in_both_families() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11), v6(11)])?;
        let both = "{name: both, protocol: bgp, \
                    addresses: [198.51.100.0/24, '2001:db8:100::/64']}";
        let peers = [peer("192.0.2.1"), peer("2001:db8::1")];
        site.files.configure(&[&peers[0], &peers[1]], &[both])?;
        let dual = "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6]";
        site.files.write("web.yaml", &served("web", dual))?;
        let _node = site.node("alpha", 11)?;
        await_table(&router, &[(FIRST, &[11])])?;
        wait::until("the IPv6 route", SOON, || {
            let routes = router.routes(Family::V6)?;
            let hops = next_hops(&routes, net("2001:db8:100::/128"));
            ensure!(hops == [v6(11)].into(), "{routes:?}");
            Ok(())
        })?;
        site.files.remove("web")?;
        await_table(&router, &[])?;
        wait::until("the IPv6 route to go", SOON, || {
            let routes = router.routes(Family::V6)?;
            ensure!(routes.is_empty(), "{routes:?}");
            Ok(())
        })
    });
}

#[test]
fn routes_follow_the_type_and_the_address_of_a_service() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let slice = endpoints("web", &["alpha"]);
        for (spec, table) in [
            (
                "loadBalancerIP: 198.51.100.77",
                &[("198.51.100.77/32", &[11_u8][..])][..],
            ),
            (
                "loadBalancerIP: 198.51.100.78",
                &[("198.51.100.78/32", &[11])],
            ),
            ("loadBalancerIP: 10.1.1.1", &[]),
            ("", &[(FIRST, &[11])]),
        ] {
            site.files
                .write("web.yaml", &(service("web", spec) + &slice))?;
            await_table(&router, table)?;
        }
        let internal = service("web", "").replace("LoadBalancer", "ClusterIP");
        site.files.write("web.yaml", &(internal + &slice))?;
        await_table(&router, &[])?;
        // Its address is free again.
        site.files.serve("api")?;
        await_table(&router, &[(FIRST, &[11])])
    });
}

#[test]
fn an_aggregate_is_withdrawn_with_the_last_service_in_it() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let pool = POOL.replace('}', ", bgp-advertisements: [{aggregation-length: 26}]}");
        site.files.configure(&[&peer("192.0.2.1")], &[&pool])?;
        let aggregate: [(&str, &[u8]); 1] = [("198.51.100.0/26", &[11])];
        await_table(&router, &aggregate)?;
        let before = updates(&router)?;
        site.files.serve("api")?;
        let far = "loadBalancerIP: 198.51.100.64";
        site.files.write("far.yaml", &served("far", far))?;
        let second: (&str, &[u8]) = ("198.51.100.64/26", &[11]);
        await_table(&router, &[aggregate[0], second])?;
        site.files.remove("web")?;
        site.files.remove("far")?;
        await_table(&router, &aggregate)?;
        assert_eq!(updates(&router)?, before + 2, "one came and went");
        site.files.remove("api")?;
        await_table(&router, &[])
    });
}

/// Nothing but the marker, which is written last, may reach the router.
fn only_a_marker(site: &Site, router: &Frr, before: u64) -> Result<()> {
    site.files.serve("marker")?;
    await_table(router, &[(FIRST, &[11]), (SECOND, &[11])])?;
    assert_eq!(updates(router)?, before + 1);
    Ok(())
}

#[test]
fn a_renamed_file_changes_nothing() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let before = updates(&router)?;
        let file = |name: &str| site.files.dir().join(name);
        fs::rename(file("web.yaml"), file("a-web.yaml"))?;
        fs::rename(file("a-web.yaml"), file("z-web.yaml"))?;
        fs::copy(file("z-web.yaml"), file("web.yaml"))?;
        fs::remove_file(file("z-web.yaml"))?;
        only_a_marker(&site, &router, before)
    });
}

#[test]
fn a_file_that_is_being_written_changes_nothing() {
    test(|lab| {
        let (site, router, _node) = announced(lab)?;
        let before = updates(&router)?;
        let path = site.files.dir().join("web.yaml");
        let text = fs::read(&path)?;
        let mut file = File::create(&path)?;
        file.write_all(&text[..text.len() / 2])?;
        only_a_marker(&site, &router, before)?;
        file.write_all(&text[text.len() / 2..])?;
        drop(file);
        site.files.remove("marker")?;
        await_table(&router, &[(FIRST, &[11])])?;
        assert_eq!(updates(&router)?, before + 2);
        Ok(())
    });
}

#[test]
fn a_lost_or_damaged_journal_changes_no_address() {
    test(|lab| {
        let (site, router, mut node) = announced(lab)?;
        site.files.serve("api")?;
        await_table(&router, &[(FIRST, &[11]), (SECOND, &[11])])?;
        site.files.remove("web")?;
        await_table(&router, &[(SECOND, &[11])])?;
        let journal = site.files.dir().join(".carillon-allocations.jsonl");
        fs::remove_file(&journal)?;
        // It is written anew with the next change.
        site.files.serve("web")?;
        await_table(&router, &[(FIRST, &[11]), (SECOND, &[11])])?;
        site.files.remove("web")?;
        await_table(&router, &[(SECOND, &[11])])?;
        node.process.terminate()?;
        let mut text = fs::read(&journal)?;
        text.splice(0..0, b"{\"service\": 7}\nnonsense\n\xff\xfe\n".to_vec());
        text.extend(b"{\"service\":\"default/we");
        fs::write(&journal, text)?;
        node.restart()?;
        await_table(&router, &[(SECOND, &[11])])
    });
}
