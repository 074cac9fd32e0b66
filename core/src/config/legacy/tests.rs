//! Tables of configurations that are accepted, and of those that are refused with their messages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use std::rc::Rc;

use super::*;
use crate::address::Family;
use crate::config::Community;

use crate::config::{Bgp, BgpAdvertisement, Password, Peer, Pool, PoolName};
use crate::selector::{Operator, Requirement, Selector};
use crate::testing;
use crate::yaml::{Content, Node};

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

/// Parses the text `data.config` of a manifest, as the daemon does.
fn parse_manifest(source: &str) -> Result<Config, String> {
    let value_of = |node: &Node, key: &str| {
        let Content::Mapping(entries) = &node.content else {
            panic!("not a mapping: {node:?}");
        };
        Rc::clone(
            &entries
                .iter()
                .find(|entry| &*entry.key == key)
                .unwrap()
                .value,
        )
    };
    let root = yaml::parse(source).unwrap().unwrap();
    let config = value_of(&value_of(&root, "data"), "config");
    let Content::Scalar { text, .. } = &config.content else {
        panic!("not a text: {config:?}");
    };
    let origin = Origin::embedded("metal-bgp.yaml", source, text, config.position);
    parse(text, &origin, &["bgp"]).map_err(|errors| errors.to_string())
}

fn parse_text(text: &str) -> Result<Config, String> {
    parse(text, &Origin::whole("f"), &["bgp"]).map_err(|errors| errors.to_string())
}

#[test]
fn the_seed() {
    let config = parse_manifest(SEED).unwrap();
    let pool = Pool {
        avoid_buggy_ips: true,
        auto_assign: true,
        ..testing::pool("my-ip-space", &["198.51.100.0/24"])
    };
    let peer = Peer {
        my_asn: 64512,
        port: 179,
        hold_time: Duration::from_secs(90),
        ..testing::peer("192.168.7.10", 64512)
    };
    let advertisement = BgpAdvertisement {
        aggregation_length_v4: 32,
        aggregation_length_v6: 128,
        local_pref: 0,
        communities: BTreeSet::new(),
        ..testing::bgp_advertisement("my-ip-space")
    };
    let expected = Config {
        bgp: Bgp {
            peers: vec![Arc::new(peer)],
            advertisements: vec![Arc::new(advertisement)],
        },
        ..testing::unannounced([pool])
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
        "metal-bgp.yaml:13:7: peers[0]: unknown key \"peer-sn\", did you mean \"peer-asn\"?\n\
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

/// The cases of `refused.txt`.
#[test]
fn refused() {
    let cases = include_str!("refused.txt").split("----\n").skip(1);
    let (mut count, mut wrong) = (0, Vec::new());
    for case in cases.filter(|case| !case.is_empty()) {
        let (messages, text): (Vec<&str>, Vec<&str>) =
            case.lines().partition(|line| line.starts_with("=> "));
        let text = text.join("\n");
        let errors = parse(&text, &Origin::whole("f"), &["bgp"]).unwrap_err();
        let found: Vec<String> = errors.iter().map(|error| format!("=> {error}")).collect();
        if found != messages {
            wrong.push(format!("{text}\n{}\n", found.join("\n")));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "they say:\n{}", wrong.join("----\n"));
    assert!(count >= 80, "{count}");
}

#[test]
fn a_known_protocol_that_was_left_out_names_the_feature() {
    let text = "address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/8]}]";
    assert_eq!(
        parse(text, &Origin::whole("f"), &[])
            .unwrap_err()
            .to_string(),
        "f:1:37: address-pools[0].protocol: this binary was built without bgp: build it with the \
         cargo feature \"bgp\""
    );
}

#[test]
fn other_backends_are_chosen_by_the_protocol() {
    let text = "address-pools: [{name: a, protocol: arp, addresses: [10.0.0.0/8]}]";
    let config = parse(text, &Origin::whole("f"), &["bgp", "arp"]).unwrap();
    let protocols = config.protocols();
    let [protocol] = Vec::from_iter(&protocols[&PoolName::from("a")])[..] else {
        panic!("one protocol")
    };
    assert_eq!(protocol.backend(Family::V4), Some("arp"));
    assert_eq!(protocol.backend(Family::V6), None);
    assert_eq!(config.bgp.advertisements, []);

    let text = text.replace("]}]", "], bgp-advertisements: [{}]}]");
    assert_eq!(
        parse(&text, &Origin::whole("f"), &["bgp", "arp"])
            .unwrap_err()
            .to_string(),
        "f:1:88: address-pools[0].bgp-advertisements[0]: the protocol arp has no BGP \
         advertisements: remove them"
    );
}

#[test]
fn a_protocol_announces_the_families_that_it_has() {
    let both = ["bgp", "arp", "ndp"];
    let pool = |protocol: &str, addresses: &str, backends: &[&'static str]| {
        let text =
            format!("address-pools: [{{name: a, protocol: {protocol}, addresses: [{addresses}]}}]");
        let config = parse(&text, &Origin::whole("f"), backends).map_err(|e| e.to_string())?;
        let protocols = config.protocols();
        let protocol = protocols[&PoolName::from("a")].first().unwrap();
        Ok([Family::V4, Family::V6].map(|family| protocol.backend(family)))
    };
    let layer2 = Ok([Some("arp"), Some("ndp")]);
    assert_eq!(pool("layer2", "10.0.0.0/24, 'fd00::/64'", &both), layer2);
    assert_eq!(pool("layer2", "10.0.0.0/24", &["arp"]), layer2);
    assert_eq!(pool("arp", "10.0.0.0/24", &both), Ok([Some("arp"), None]));
    assert_eq!(pool("ndp", "'fd00::/64'", &both), Ok([None, Some("ndp")]));
    let refused = |protocol, addresses, backends: &[&'static str], message: &str| {
        let error: String = pool(protocol, addresses, backends).unwrap_err();
        assert!(error.ends_with(message), "{error}");
    };
    refused(
        "arp",
        "'fd00::/64'",
        &both,
        "addresses[0]: \"fd00::/64\": arp announces no IPv6 addresses: write layer2, or give them \
         a pool with another protocol",
    );
    refused(
        "layer2",
        "10.0.0.0/24, 'fd00::/64'",
        &["arp"],
        "addresses[1]: \"fd00::/64\": this binary was built without ndp: build it with the cargo \
         feature \"ndp\"",
    );
}

/// A configuration with one peer that has these settings, too.
fn peer_with(settings: &str) -> Result<Peer, String> {
    let text = format!("peers: [{{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, {settings}}}]");
    parse_text(&text).map(|config| Peer::clone(&config.bgp.peers[0]))
}

/// Asserts what a setting makes different from a peer without it.
fn check_peers(table: &[(&str, Peer)]) {
    for (settings, peer) in table {
        assert_eq!(peer_with(settings).as_ref(), Ok(peer), "{settings}");
    }
}

#[test]
fn settings_of_peers() {
    let plain = peer_with("").unwrap();
    let with = |change: &dyn Fn(&mut Peer)| {
        let mut peer = plain.clone();
        change(&mut peer);
        peer
    };
    let password = |text: &str| with(&|peer| peer.password = Some(Password(text.to_owned())));
    let everywhere = with(&|peer| peer.node_selectors = vec![Selector::default()]);
    check_peers(&[
        (
            "peer-port: 1179",
            with(&|peer| {
                peer.port = 1179;
                peer.name = arcstr::format!("{}:1179", peer.address);
            }),
        ),
        ("peer-port: 0", plain.clone()),
        ("peer-port: 0xb3", plain.clone()),
        ("peer-port:", plain.clone()),
        (
            "source-address: 10.0.0.2",
            with(&|peer| peer.source_address = Some([10, 0, 0, 2].into())),
        ),
        ("source-address: ''", plain.clone()),
        (
            "router-id: 1.2.3.4",
            with(&|peer| peer.router_id = Some([1, 2, 3, 4].into())),
        ),
        ("router-id: ''", plain.clone()),
        ("password: hunter2", password("hunter2")),
        ("password: 0123", password("0123")),
        ("password: ''", plain.clone()),
        (
            "ebgp-multihop: true",
            with(&|peer| peer.ebgp_multihop = Some(true)),
        ),
        (
            "ebgp-multihop: off",
            with(&|peer| peer.ebgp_multihop = Some(false)),
        ),
        ("bfd-profile: ''", plain.clone()),
        ("node-selectors: []", plain.clone()),
        ("node-selectors: [{}]", everywhere.clone()),
        (
            "node-selectors: [{match-labels: {}, match-expressions: []}]",
            everywhere,
        ),
    ]);
}

#[test]
fn timers_of_peers() {
    let peer = |hold_time: u64, keepalive_time: Option<u64>| Peer {
        hold_time: Duration::from_secs(hold_time),
        keepalive_time: keepalive_time.map(Duration::from_secs),
        ..peer_with("").unwrap()
    };
    check_peers(&[
        ("hold-time: 0", peer(0, None)),
        ("hold-time: 3s", peer(3, None)),
        ("hold-time: 3.9s", peer(3, None)),
        ("hold-time: 1m30s", peer(90, None)),
        ("hold-time: ''", peer(90, None)),
        ("hold-time: 65535s", peer(65535, None)),
        ("keepalive-time: 30s", peer(90, Some(30))),
        ("keepalive-time: 90s", peer(90, Some(90))),
        ("keepalive-time: 1.5s", peer(90, Some(1))),
        ("keepalive-time: ''", peer(90, None)),
        ("hold-time: 0s, keepalive-time: 0s", peer(0, Some(0))),
    ]);
}

#[test]
fn peers_of_any_family_and_as() {
    let text = "peers: [{my-asn: 4200000000, peer-asn: 23456, peer-address: '2001:db8::1'},
                        {my-asn: 65535, peer-asn: 65535, peer-address: '::ffff:10.0.0.1',
                         ebgp-multihop: no}]";
    let config = parse_text(text).unwrap();
    let [first, second] = &config.bgp.peers[..] else {
        panic!("two peers");
    };
    assert_eq!(first.address.to_string(), "2001:db8::1");
    assert_eq!((first.my_asn, first.peer_asn), (4_200_000_000, 23456));
    assert_eq!(second.address.to_string(), "10.0.0.1");
    assert_eq!((second.my_asn, second.peer_asn), (65535, 65535));
}

#[test]
fn peers_that_differ_coexist() {
    let text = "peers:
      - &peer {my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1}
      - {<<: *peer, peer-port: 1179}
      - {<<: *peer, peer-asn: 3}
      - {<<: *peer, node-selectors: [{match-labels: {rack: a}}]}
      - {<<: *peer, node-selectors: [{match-labels: {rack: b}}]}
      - {<<: *peer, password: a}
      - {<<: *peer, password: b}";
    assert_eq!(parse_text(text).unwrap().bgp.peers.len(), 7);
}

#[test]
fn selectors_of_nodes() {
    let peer = peer_with(
        "node-selectors: [{match-labels: {kubernetes.io/hostname: worker-0, zone: 1}},
          {match-expressions: [{key: rack, operator: In, values: [b, a]},
           {key: x, operator: NotIn, values: [y]}, {key: up, operator: Exists},
           {key: down, operator: DoesNotExist, values: []}]}]",
    )
    .unwrap();
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let requirement = |key: &str, operator| Requirement {
        key: key.to_owned(),
        operator,
    };
    let labels = vec![
        requirement(
            "kubernetes.io/hostname",
            Operator::In(values(&["worker-0"])),
        ),
        requirement("zone", Operator::In(values(&["1"]))),
    ];
    let expressions = vec![
        requirement("rack", Operator::In(values(&["a", "b"]))),
        requirement("x", Operator::NotIn(values(&["y"]))),
        requirement("up", Operator::Exists),
        requirement("down", Operator::DoesNotExist),
    ];
    let selectors = [labels, expressions].map(|requirements| Selector { requirements });
    assert_eq!(peer.node_selectors, selectors);
}

#[test]
fn unused_bfd_profiles() {
    let text = "bfd-profiles:
      - {name: a}
      - {name: b, receive-interval: 10, transmit-interval: 60000, detect-multiplier: 2,
         echo-interval: 50, echo-mode: true, passive-mode: no, minimum-ttl: 254}";
    assert_eq!(parse_text(text), Ok(Config::default()));
}

/// The pool of this configuration.
fn pool_with(addresses: &str, settings: &str) -> Result<Pool, String> {
    config_with(addresses, settings).map(|config| Pool::clone(&config.pools["a"]))
}

/// The advertisements of this configuration.
fn advertised_with(addresses: &str, settings: &str) -> Result<Vec<BgpAdvertisement>, String> {
    let advertisements = config_with(addresses, settings)?.bgp.advertisements;
    Ok(advertisements
        .iter()
        .map(|one| BgpAdvertisement::clone(one))
        .collect())
}

/// A configuration with one pool that has these settings, too.
fn config_with(addresses: &str, settings: &str) -> Result<Config, String> {
    let text = format!(
        "bgp-communities: {{no-advertise: '65535:65282', '1:2': '3:4'}}\n\
         address-pools: [{{name: a, protocol: bgp, addresses: [{addresses}], {settings}}}]"
    );
    parse_text(&text)
}

#[test]
fn settings_of_pools() {
    let pool = pool_with("10.0.0.0/8, 'fc00::1-fc00::2'", "").unwrap();
    let blocks: Vec<String> = pool.blocks.iter().map(ToString::to_string).collect();
    assert_eq!(blocks, ["10.0.0.0/8", "fc00::1/128", "fc00::2/128"]);
    assert_eq!((pool.avoid_buggy_ips, pool.auto_assign), (false, true));

    let set = pool_with("10.0.0.0/8", "avoid-buggy-ips: Yes, auto-assign: n").unwrap();
    assert_eq!((set.avoid_buggy_ips, set.auto_assign), (true, false));
    for none in [
        "bgp-advertisements: []",
        "bgp-advertisements:",
        "bgp-advertisements: [{}]",
        "bgp-advertisements: [~]",
    ] {
        let advertised = advertised_with("10.0.0.0/8", none).unwrap();
        assert_eq!(advertised, [testing::bgp_advertisement("a")], "{none}");
    }
}

#[test]
fn advertisements() {
    let advertised = advertised_with(
        "10.0.0.0/8, 'fc00::/7'",
        "bgp-advertisements: [{aggregation-length: 24, aggregation-length-v6: 64,
          localpref: 4294967295, communities: [1:2, no-advertise, '5:6', '5:6']},
         {aggregation-length: 8, localpref: 0}]",
    );
    let communities = [
        Community(0x0003_0004),
        Community(0x0005_0006),
        Community(0xffff_ff02),
    ];
    let first = BgpAdvertisement {
        aggregation_length_v4: 24,
        aggregation_length_v6: 64,
        local_pref: u32::MAX,
        communities: communities.into(),
        ..testing::bgp_advertisement("a")
    };
    let second = BgpAdvertisement {
        name: "a-2".into(),
        aggregation_length_v4: 8,
        ..testing::bgp_advertisement("a")
    };
    assert_eq!(advertised.unwrap(), [first, second]);
}

#[test]
fn every_advertisement_has_a_name_of_its_own() {
    let pool = |name| {
        format!(
            "{{name: {name}, protocol: bgp, addresses: [10.{name}.0.0/16],
               bgp-advertisements: [{{}}, {{aggregation-length: 24}}, {{aggregation-length: 16}}]}}"
        )
    };
    let text = format!("address-pools: [{}, {}]", pool("1"), pool("1-2"));
    let text = text.replace("10.1-2.", "10.2.");
    let config = parse_text(&text).unwrap();
    let names = config.bgp.advertisements.iter().map(|one| &*one.name);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["1", "1-3", "1-4", "1-2", "1-2-2", "1-2-3"]
    );
    for one in &config.bgp.advertisements {
        let pools: Vec<_> = one.audience.pools.iter().collect();
        assert!(
            pools.len() == 1 && one.name.starts_with(&**pools[0]),
            "{one:?}"
        );
    }
}

/// Neither has a list of pools that is wrong to be read for long: it is refused with all that is wrong.
#[test]
fn thousands_of_pools_without_a_name_of_their_own_are_refused() {
    for pool in [
        "{name: a, protocol: layer2}",
        "{name: a, bgp-advertisements: [~, ~]}",
        "{bgp-advertisements: [~, ~]}",
    ] {
        let text = format!("address-pools: [{}]", vec![pool; 20_000].join(", "));
        assert!(parse_text(&text).is_err());
    }
}

#[test]
fn aggregation_lengths() {
    let accepted = [
        ("10.0.0.0/8", "aggregation-length: 8"),
        ("128.0.0.0/2", "aggregation-length: 2"),
        // The largest block of the range decides.
        ("3.3.3.2-3.3.3.254", "aggregation-length: 26"),
        // Each family has its own.
        (
            "10.0.0.0/24, 'fc00::/8'",
            "aggregation-length: 24, aggregation-length-v6: 8",
        ),
        ("'fc00::/120'", "aggregation-length: 8"),
        ("10.0.0.0/24", "aggregation-length-v6: 8"),
    ];
    for (addresses, lengths) in accepted {
        let pool = pool_with(addresses, &format!("bgp-advertisements: [{{{lengths}}}]"));
        assert!(pool.is_ok(), "{addresses} {lengths}: {pool:?}");
    }
    // Each entry counts.
    let lengths = "bgp-advertisements: [{aggregation-length: 24}]";
    let error = pool_with("10.0.0.0/24, 3.3.3.0/25", lengths).unwrap_err();
    assert!(
        error.contains("24 is shorter than the prefix of 3.3.3.0/25"),
        "{error}"
    );
}

#[test]
fn a_password_shows_nowhere() {
    let secret = "secret".repeat(20);
    let error = peer_with(&format!("password: {secret}")).unwrap_err();
    assert!(!error.contains("secret"), "{error}");
    let peer = peer_with("password: secret").unwrap();
    assert!(!format!("{peer:?}").contains("secret"));
}

#[test]
fn a_quoted_text_is_found_by_its_line() {
    let source = "data:\n  config: \"peers:\\n- my-asn: 0\\n\"\n";
    let errors = parse_manifest(source).unwrap_err();
    let first = errors.lines().find(|line| line.contains("my-asn")).unwrap();
    assert_eq!(
        first,
        "metal-bgp.yaml:2:11: peers[0].my-asn: 0 is not an AS number: write one from 1 to \
         4294967295, for example 64512 (line 2, column 11 of the text)"
    );
}

#[test]
fn the_communities_of_a_pool_fit_in_a_message() {
    let advertisement = |communities: std::ops::Range<u16>| {
        let communities: Vec<_> = communities.map(|n| format!("'64512:{n}'")).collect();
        format!("{{communities: [{}]}}", communities.join(", "))
    };
    let pool = |second| {
        let [first, second] = [0..600, second].map(advertisement);
        let settings = format!("bgp-advertisements: [{first}, {second}]");
        pool_with("10.0.0.0/8", &settings)
    };
    pool(0..1000).unwrap();
    let error = pool(1..1001).unwrap_err();
    assert!(
        error.contains(
            "address-pools[0].bgp-advertisements: 1001 different communities: at most 1000 fit in \
             a BGP message, remove some"
        ),
        "{error}"
    );
}

#[test]
fn hostile_sizes_are_refused() {
    // A thousand problems are shown, the others counted.
    let text = "peers:\n".to_owned() + &"- x\n".repeat(5000);
    let errors = parse_text(&text).unwrap_err();
    assert_eq!(errors.lines().count(), 1001);
    assert_eq!(errors.lines().last(), Some("… and 4000 more"));

    // Blocks are counted before they are stored.
    let range = "'2000::1-3fff:ffff:ffff:ffff:ffff:ffff:ffff:fffe'";
    let ranges = "*a, ".repeat(100_000);
    let errors = pool_with(&format!("&a {range}, {ranges}"), "").unwrap_err();
    assert!(
        errors.contains("more than 100000 address blocks"),
        "{errors}"
    );

    // A long value is not repeated in full, and stays on one line.
    let key = format!("\"{}\\n\": 1", "x".repeat(1000));
    let errors = parse_text(&key).unwrap_err();
    assert!(
        errors.len() < 250 && errors.lines().count() == 1,
        "{errors}"
    );
}

/// A configuration that has every key.
const FULL: &str = "\
peers:
- my-asn: 64512
  peer-asn: 64513
  peer-address: 10.0.0.1
  peer-port: 1179
  source-address: 10.0.0.2
  hold-time: 1m30s
  keepalive-time: 30s
  router-id: 10.20.30.40
  password: \"a secret\"
  ebgp-multihop: yes
  node-selectors:
  - match-labels: {rack: a}
    match-expressions: [{key: host, operator: NotIn, values: [x, 'y']}]
bgp-communities:
  bar: 64512:1234
bfd-profiles:
- {name: fast, receive-interval: 50, echo-mode: off}
address-pools:
- name: one
  protocol: bgp
  addresses: [10.20.0.0/16, 10.50.0.0-10.50.1.9, 'fc00::/64']
  avoid-buggy-ips: true
  auto-assign: false
  bgp-advertisements:
  - {aggregation-length: 32, aggregation-length-v6: 128, localpref: 100, communities: [bar]}
";

/// A change of a text: at a place, so many characters removed, and these put there.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    (
        any::<prop::sample::Index>(),
        0..4_usize,
        "[-:,.{}\\[\\]'\"#&*!|>%@a-z0-9 \n\t~é]{0,3}",
    )
}

proptest! {
    #[test]
    fn whatever_is_broken_the_errors_name_a_line_of_the_text(
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let mut text: Vec<char> = FULL.chars().collect();
        for (index, removed, inserted) in changes {
            let start = index.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let origin = Origin::whole("f");
        if let Err(errors) = parse(&text, &origin, &["bgp"]) {
            prop_assert!(!errors.is_empty());
            let lines = text.lines().count() + 1;
            let places: Vec<_> = errors
                .iter()
                .map(|error| error.location.spot.unwrap().position)
                .collect();
            prop_assert!(places.is_sorted());
            prop_assert!(places.iter().all(|place| (1..=lines).contains(&place.line)));
            prop_assert!(errors.iter().all(|error| error.to_string().lines().count() == 1));
        }
    }
}

#[test]
fn every_key_at_once() {
    let config = parse_text(FULL).unwrap();
    assert_eq!((config.bgp.peers.len(), config.pools.len()), (1, 1));
}
