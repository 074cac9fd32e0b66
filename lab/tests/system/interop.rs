//! The routes as FRR, BIRD and GoBGP see them, over iBGP and eBGP, IPv4 and IPv6, with AS numbers
//! of four octets.

use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Result, ensure};
use carillon_lab::{Bird, Family, Frr, GoBgp, Host, Path, Routes, net, test, wait};
use ipnet::IpNet;

use crate::manifest::{config, endpoints, service};
use crate::site::{SOON, Site, frr_config, v4, v6};

/// Our AS number in all of these tests.
const NODE_ASN: u32 = 4_200_000_001;
const OTHER_ASN: u32 = 4_200_000_002;

const POOL_V4: &str = "
      name: four
      protocol: bgp
      addresses: [198.51.100.0/24]
      bgp-advertisements:
      - {localpref: 150, communities: [edge, '64512:7']}
      - {aggregation-length: 26, localpref: 50, communities: [outside]}";
const POOL_V6: &str = "
      name: six
      protocol: bgp
      addresses: ['2001:db8:100::/48']
      bgp-advertisements:
      - {localpref: 150, communities: [edge, '64512:7']}
      - {aggregation-length-v6: 64, localpref: 50}
    bgp-communities: {edge: '65000:1', outside: '65001:9'}";

/// What every router is asked.
enum Router {
    Frr(Frr),
    Bird(Bird),
    GoBgp(GoBgp),
}

fn frr(host: &Host, asn: u32, nodes: [IpAddr; 2]) -> Result<Router> {
    let neighbors = nodes.map(|node| (node, NODE_ASN));
    Ok(Router::Frr(Frr::start(host, &frr_config(asn, &neighbors))?))
}

fn bird(host: &Host, asn: u32, [four, six]: [IpAddr; 2]) -> Result<Router> {
    let config = format!(
        "log stderr all;
        router id 192.0.2.1;
        protocol device {{}}
        protocol bgp four {{ local as {asn}; neighbor {four} as {NODE_ASN};
            ipv4 {{ import all; export none; }}; }}
        protocol bgp six {{ local as {asn}; neighbor {six} as {NODE_ASN};
            ipv6 {{ import all; export none; }}; }}"
    );
    Ok(Router::Bird(Bird::start(host, &config)?))
}

fn gobgp(host: &Host, asn: u32, nodes: [IpAddr; 2]) -> Result<Router> {
    let mut config = format!("[global.config]\nas = {asn}\nrouter-id = \"192.0.2.1\"\n");
    for node in nodes {
        let family = Family::of(node).name();
        let _ = write!(
            config,
            "[[neighbors]]
            [neighbors.config]
            neighbor-address = \"{node}\"
            peer-as = {NODE_ASN}
            [[neighbors.afi-safis]]
            [neighbors.afi-safis.config]
            afi-safi-name = \"{family}-unicast\"
            "
        );
    }
    Ok(Router::GoBgp(GoBgp::start(host, &config)?))
}

impl Router {
    /// What it received from a neighbour: the prefixes with their paths.
    fn routes_from(&self, node: IpAddr) -> Result<Routes> {
        let family = Family::of(node);
        match self {
            Self::Frr(frr) => with_communities(frr, frr.routes_from(node, family)?),
            Self::GoBgp(gobgp) => gobgp.routes_from(node, family),
            Self::Bird(bird) => {
                let mut routes = bird.routes()?;
                routes.retain(|prefix, _| Family::of(prefix.addr()) == family);
                Ok(routes)
            }
        }
    }
}

/// FRR's table has no communities; they are in the view of each prefix.
fn with_communities(frr: &Frr, mut routes: Routes) -> Result<Routes> {
    for (prefix, paths) in &mut routes {
        *paths = frr.paths(*prefix)?;
    }
    Ok(routes)
}

/// Waits until a router has exactly these prefixes from the node, and returns their paths.
fn await_paths(router: &Router, node: IpAddr, prefixes: [&str; 2]) -> Result<[Path; 2]> {
    let prefixes: [IpNet; 2] = prefixes.map(net);
    wait::until(format!("{prefixes:?} from {node}"), SOON, || {
        let mut routes = router.routes_from(node)?;
        ensure!(routes.keys().eq(&prefixes), "{routes:?}");
        let mut only = |prefix| {
            let mut paths = routes.remove(prefix).unwrap_or_default();
            ensure!(paths.len() == 1, "{paths:?}");
            Ok(paths.remove(0))
        };
        Ok([only(&prefixes[0])?, only(&prefixes[1])?])
    })
}

fn interoperates(start: fn(&Host, u32, [IpAddr; 2]) -> Result<Router>, asn: u32) {
    test(|site| {
        let site = Site::new(site)?;
        let router = start(&site.host("router", 1)?, asn, [v4(11), v6(11)])?;
        let peers = [v4(1), v6(1)].map(|address| {
            format!("{{my-asn: {NODE_ASN}, peer-asn: {asn}, peer-address: '{address}'}}")
        });
        let text = config(&[&peers[0], &peers[1]], &[POOL_V4, POOL_V6]);
        site.files.write("config.yaml", &text)?;
        let both = "ipFamilyPolicy: SingleStack, ipFamilies: [IPv6]";
        site.files.write("four.yaml", &service("four", ""))?;
        site.files.write("six.yaml", &service("six", both))?;
        let slices = endpoints("four", &["alpha"]) + &endpoints("six", &["alpha"]);
        site.files.write("endpoints.yaml", &slices)?;
        let _node = site.node("alpha", 11)?;

        let [aggregate, host] =
            await_paths(&router, v4(11), ["198.51.100.0/26", "198.51.100.0/32"])?;
        check_path(&host, v4(11), asn, Some(150), &["64512:7", "65000:1"]);
        check_path(&aggregate, v4(11), asn, Some(50), &["65001:9"]);
        let [aggregate, host] =
            await_paths(&router, v6(11), ["2001:db8:100::/64", "2001:db8:100::/128"])?;
        check_path(&host, v6(11), asn, Some(150), &["64512:7", "65000:1"]);
        check_path(&aggregate, v6(11), asn, Some(50), &[]);
        Ok(())
    });
}

fn check_path(path: &Path, node: IpAddr, asn: u32, local_pref: Option<u32>, communities: &[&str]) {
    assert_eq!(path.next_hops, [node]);
    assert_eq!(path.origin, "IGP");
    assert_eq!(path.communities, communities);
    assert_eq!(path.med, None);
    if asn == NODE_ASN {
        assert!(path.as_path.is_empty(), "{path:?}");
        assert_eq!(path.local_pref, local_pref);
    } else {
        assert_eq!(path.as_path, [NODE_ASN]);
        // Some routers show the preference that they give a route themselves.
        assert_ne!(path.local_pref, local_pref);
    }
}

#[test]
fn frr_learns_the_routes_over_ibgp() {
    interoperates(frr, NODE_ASN);
}

#[test]
fn frr_learns_the_routes_over_ebgp() {
    interoperates(frr, OTHER_ASN);
}

#[test]
fn bird_learns_the_routes_over_ibgp() {
    interoperates(bird, NODE_ASN);
}

#[test]
fn bird_learns_the_routes_over_ebgp() {
    interoperates(bird, OTHER_ASN);
}

#[test]
fn gobgp_learns_the_routes_over_ibgp() {
    interoperates(gobgp, NODE_ASN);
}

#[test]
fn gobgp_learns_the_routes_over_ebgp() {
    interoperates(gobgp, OTHER_ASN);
}
