//! Tables of configurations that are accepted, and of those that are refused with their messages.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::*;
use crate::config::{BgpAdvertisement, Peer, Pool};

/// The configuration of the walk-through that Carillon must run unchanged.
const SEED: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    peers:
    - my-asn: 64512
      peer-asn: 64512
      peer-address: 192.168.7.10
    address-pools:
    - name: my-ip-space
      protocol: bgp
      avoid-buggy-ips: true
      addresses:
      - 198.51.100.0/24
";

#[derive(Deserialize)]
struct Manifest {
    data: BTreeMap<String, Spanned<String>>,
}

/// Parses the last document of a manifest file, as the daemon does.
fn parse_manifest(source: &str) -> Result<Config, String> {
    let manifests: Vec<Manifest> = serde_saphyr::from_multiple(source).unwrap();
    let text = &manifests.last().unwrap().data["config"];
    let start = yaml::Position {
        line: text.defined.line().try_into().unwrap(),
        column: text.defined.column().try_into().unwrap(),
    };
    let origin = Origin::embedded("metal-bgp.yaml", source, &text.value, start);
    parse(&text.value, &origin, &["bgp"]).map_err(|errors| errors.to_string())
}

fn parse_text(text: &str) -> Result<Config, String> {
    parse(text, &Origin::whole("f"), &["bgp"]).map_err(|errors| errors.to_string())
}

#[test]
fn the_seed() {
    let config = parse_manifest(SEED).unwrap();
    let pool = Pool {
        name: "my-ip-space".into(),
        backend: "bgp",
        blocks: vec!["198.51.100.0/24".parse().unwrap()],
        avoid_buggy_ips: true,
        auto_assign: true,
        bgp_advertisements: vec![BgpAdvertisement {
            aggregation_length_v4: 32,
            aggregation_length_v6: 128,
            local_pref: 0,
            communities: BTreeSet::new(),
        }],
    };
    let peer = Peer {
        my_asn: 64512,
        peer_asn: 64512,
        address: "192.168.7.10".parse().unwrap(),
        port: 179,
        source_address: None,
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        router_id: None,
        node_selectors: Vec::new(),
        password: None,
        ebgp_multihop: None,
    };
    let expected = Config {
        pools: [("my-ip-space".into(), Arc::new(pool))].into(),
        peers: vec![Arc::new(peer)],
    };
    assert_eq!(config, expected);
}

#[test]
fn errors_name_line_and_column_of_the_manifest() {
    let broken = SEED
        .replace("198.51.100.0/24", "198.51.100.0/33")
        .replace("peer-asn", "peer-sn");
    let source = format!("---\n# nothing\n---\n{broken}");
    assert_eq!(
        parse_manifest(&source).unwrap_err(),
        "metal-bgp.yaml:12:7: peers[0].peer-asn: missing: write an AS number, for example 64512\n\
         metal-bgp.yaml:13:7: peers[0]: unknown key \"peer-sn\", did you mean \"peer-asn\"?\n\
         metal-bgp.yaml:20:9: address-pools[0].addresses[0]: \"198.51.100.0/33\" is not a CIDR or \
         a range: the prefix length of IPv4 is 0 to 32, write for example 198.51.100.0/24 or \
         198.51.100.10-198.51.100.20"
    );
}

#[test]
fn an_empty_text_is_an_empty_configuration() {
    for text in [
        "",
        "\n\n",
        "# nothing\n",
        "---\n",
        "~",
        "{}",
        "peers:\naddress-pools: []\n",
    ] {
        assert_eq!(parse_text(text), Ok(Config::default()), "{text:?}");
    }
}
