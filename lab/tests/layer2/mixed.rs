//! Pools of BGP and of layer 2 in one configuration.

use std::fmt::Write as _;

use anyhow::ensure;
use carillon_lab::layer2::{endpoints, service};
use carillon_lab::{Family, Frr, ip, net, test, wait};

use crate::site::{BOTH, SOON, Site, VIP};

const ROUTED: &str = "203.0.113.5";

#[test]
fn bgp_and_layer_2_work_at_once() {
    test(|lab| {
        let mut site = Site::prepare(lab, &["alpha", "beta", "gamma"])?;
        let router = site.segment().plug(lab, "router", 50)?.host;
        let mut config = "router bgp 64512\n".to_owned();
        for station in &site.segment().stations {
            let _ = writeln!(config, " neighbor {} remote-as 64512", station.address());
        }
        let router = Frr::start(&router, &config)?;
        site.cluster.configure_with(
            "peers:\n- {my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.50}",
            &[
                "{name: pool, protocol: layer2, addresses: \
                 [192.0.2.100-192.0.2.199, '2001:db8::100-2001:db8::1ff']}",
                "{name: routed, protocol: bgp, addresses: [203.0.113.0/24]}",
            ],
        )?;
        let nodes = ["alpha", "beta", "gamma"];
        let text = service("routed", ip(ROUTED), "") + &endpoints("routed", ip(ROUTED), &nodes);
        site.cluster.write("routed.yaml", &text)?;
        site.nodes = site.cluster.start_all(&[])?;

        let await_routes = |paths: usize| {
            wait::until(format!("{paths} paths"), SOON, || {
                let routes = router.routes(Family::V4)?;
                let found = routes.get(&net("203.0.113.5/32")).map_or(0, Vec::len);
                ensure!(found == paths && routes.len() == 1, "{routes:?}");
                Ok(())
            })
        };
        await_routes(3)?;
        for address in BOTH {
            site.owner(address)?;
        }
        // BGP's addresses are not answered for, and a lost node is lost to both.
        ensure!(site.segment().owners(ip(ROUTED))?.is_empty());
        let old = site.owner(VIP)?;
        let prober = site.probe(VIP)?;
        site.nodes[old].process.terminate()?;
        site.await_other(&prober, VIP, old)?;
        await_routes(2)?;
        site.nodes[old].restart()?;
        await_routes(3)
    });
}
