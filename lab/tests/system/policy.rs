//! Which nodes announce a service, and to whom.

use anyhow::Result;
use carillon_lab::{Carillon, Frr, Lab, test};

use crate::manifest::{POOL, endpoints, endpoints_ready, node, peer, service};
use crate::site::{Site, await_status, await_table, connections, v4};

const VIP: &str = "198.51.100.0/32";
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers: ''";

/// A router, and the nodes alpha (11) and beta (12) that read the same files.
fn two_nodes(lab: &Lab) -> Result<(Site, Frr, [Carillon; 2])> {
    let site = Site::new(lab)?;
    let router = site.router("router", 1, &[v4(11), v4(12)])?;
    site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
    let nodes = [site.node("alpha", 11)?, site.node("beta", 12)?];
    for node in [v4(11), v4(12)] {
        router.await_established(node)?;
    }
    Ok((site, router, nodes))
}

#[test]
fn with_policy_local_the_route_follows_the_ready_endpoints() {
    test(|lab| {
        let (site, router, [alpha, _beta]) = two_nodes(lab)?;
        let local = service("web", "externalTrafficPolicy: Local");
        site.files.write("web.yaml", &local)?;
        let move_to = |nodes| {
            let slice = endpoints_ready("web", nodes);
            site.files.write("endpoints.yaml", &slice)
        };
        move_to(&[("alpha", true), ("beta", false)])?;
        await_table(&router, &[(VIP, &[11])])?;
        move_to(&[("alpha", false), ("beta", true)])?;
        await_table(&router, &[(VIP, &[12])])?;
        await_status(&alpha, &["externalTrafficPolicy is Local"])?;
        move_to(&[("alpha", true), ("beta", true)])?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        let terminate = |nodes| {
            let slice = endpoints_ready("web", nodes);
            let terminating = "ready: false, serving: true, terminating: true";
            let slice = slice.replace("ready: false", terminating);
            site.files.write("endpoints.yaml", &slice)
        };
        terminate(&[("alpha", false), ("beta", true)])?;
        await_table(&router, &[(VIP, &[12])])?;
        await_status(&alpha, &["its endpoints on this node terminate"])?;
        terminate(&[("alpha", false), ("beta", false)])?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        move_to(&[("alpha", false), ("beta", false)])?;
        await_table(&router, &[])?;
        site.files.write("web.yaml", &service("web", ""))?;
        move_to(&[("beta", true)])?;
        await_table(&router, &[(VIP, &[11, 12])])
    });
}

#[test]
fn a_service_without_ready_endpoints_is_not_announced() {
    test(|lab| {
        let (site, router, [alpha, _beta]) = two_nodes(lab)?;
        site.files.write("web.yaml", &service("web", ""))?;
        await_status(&alpha, &["no endpoint is ready"])?;
        await_table(&router, &[])?;
        let slice = endpoints("web", &["elsewhere"]);
        site.files.write("endpoints.yaml", &slice)?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        site.files.remove("endpoints")?;
        await_table(&router, &[])
    });
}

#[test]
fn an_excluded_node_and_one_without_network_withdraw() {
    test(|lab| {
        let (site, router, nodes) = two_nodes(lab)?;
        site.files.serve("web")?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        let before = connections(&router)?;
        site.files
            .write("alpha.yaml", &node("alpha", EXCLUDE, false))?;
        await_table(&router, &[(VIP, &[12])])?;
        await_status(&nodes[0], &["exclude-from-external-load-balancers"])?;
        site.files.write("alpha.yaml", &node("alpha", "", false))?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        site.files.write("beta.yaml", &node("beta", "", true))?;
        await_table(&router, &[(VIP, &[11])])?;
        await_status(&nodes[1], &["NetworkUnavailable"])?;
        site.files.write("beta.yaml", &node("beta", "", false))?;
        await_table(&router, &[(VIP, &[11, 12])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn a_peer_with_a_selector_has_sessions_with_matching_nodes_only() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11), v4(12)])?;
        let peer = "{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1, \
                    node-selectors: [{match-labels: {rack: a}}]}";
        site.files.configure(&[peer], &[POOL])?;
        let racks = |alpha, beta| {
            let nodes = node("alpha", alpha, false) + &node("beta", beta, false);
            site.files.write("nodes.yaml", &nodes)
        };
        racks("rack: a", "rack: b")?;
        site.files.serve("web")?;
        let _nodes = [site.node("alpha", 11)?, site.node("beta", 12)?];
        await_table(&router, &[(VIP, &[11])])?;
        assert_eq!(connections(&router)?[&v4(12)].0, 0);
        racks("rack: b", "rack: a")?;
        await_table(&router, &[(VIP, &[12])])?;
        racks("rack: a", "rack: a")?;
        await_table(&router, &[(VIP, &[11, 12])])
    });
}
