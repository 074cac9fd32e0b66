use std::sync::LazyLock;

use super::*;
use crate::config::{Config, L2Advertisement, Pool, PreferredNodes};
use crate::endpoint::Endpoint;
use crate::labels::Labels;
use crate::node::EXCLUDE_LABEL;
use crate::selector::{Operator, Requirement, Selector};
use crate::service::Ingress;
use crate::testing::{self, endpoint_slice, pool};

fn config() -> Config {
    let careful = |name, blocks| Pool {
        avoid_buggy_ips: true,
        ..pool(name, blocks)
    };
    testing::config([
        careful("a", &["198.51.100.0/24", "2001:db8:a::/64"]),
        careful("b", &["203.0.113.0/24"]),
    ])
}

/// How its pools are announced by BGP.
fn plan() -> Plan {
    Plan::new(&config(), &[testing::shared("bgp")], &Nodes::new(), "n")
}

/// How they are announced by ARP and NDP.
fn exclusive() -> Plan {
    let layer2 = [("arp", Family::V4), ("ndp", Family::V6)]
        .map(|(name, family)| testing::exclusive(name, family));
    let config = testing::layer2_config(config().pools.into_values());
    Plan::new(&config, &layer2, &Nodes::new(), "n")
}

/// No labels of nodes, and nothing that time has decided.
static NOTHING: LazyLock<(Nodes, Local, Settings)> = LazyLock::new(Default::default);

/// Of each address the nodes that one at a time may announce it.
fn scopes(grant: &Grant) -> Vec<Scope> {
    let ways = grant.vips.iter().flat_map(|granted| &*granted.ways);
    ways.map(|way| match &way.announcers {
        Ok(Announcers::OneOf(scope)) => scope.clone(),
        other => panic!("{other:?}"),
    })
    .collect()
}

fn service(published: &[&str]) -> Service {
    service_of(published, TrafficPolicy::Cluster)
}

fn service_of(published: &[&str], external_traffic_policy: TrafficPolicy) -> Service {
    let ingress = |text: &&str| match text.parse() {
        Ok(address) => Ingress::Address(address),
        Err(_) => Ingress::Other((*text).into()),
    };
    let mut service = testing::service("demo");
    service.external_traffic_policy = external_traffic_policy;
    service.publish(published.iter().map(ingress));
    service
}

fn endpoint(node: &str, ready: Option<bool>, serving: Option<bool>) -> Endpoint {
    Endpoint {
        ready,
        serving,
        ..testing::endpoint(node)
    }
}

fn slice(family: Family, endpoints: &[Endpoint]) -> EndpointSlice {
    EndpointSlice {
        family,
        ..endpoint_slice("demo", endpoints.to_vec())
    }
}

fn decide(
    service: &Service,
    node: &Node,
    endpoints: &[Endpoint],
) -> Result<Vec<IpAddr>, &'static str> {
    decide_with(service, node, &[&slice(Family::V4, endpoints)])
}

fn decide_with(
    service: &Service,
    node: &Node,
    slices: &[&EndpointSlice],
) -> Result<Vec<IpAddr>, &'static str> {
    let blocks = Blocks::new(&config());
    let facts = Facts {
        blocks: Some(&blocks),
        settings: &NOTHING.2,
        node,
        is_draining: false,
        left: LeftToMetallb::default(),
        plan: &plan(),
        nodes: &NOTHING.0,
        local: &NOTHING.1,
    };
    facts
        .decide(service, slices)
        .map(|grant| grant.addresses().collect())
        .map_err(|reason| reason.token())
}

#[test]
fn addresses_decide_first() {
    let node = Node::named("n");
    let ready = [endpoint("n", None, None)];
    let tokens = |published: &[&str]| decide(&service(published), &node, &ready);
    assert_eq!(
        tokens(&["198.51.100.1"]),
        Ok(vec!["198.51.100.1".parse().unwrap()])
    );
    assert_eq!(
        tokens(&["198.51.100.0"]).map(|v| v.len()),
        Ok(1),
        "buggy ones are announced"
    );
    assert_eq!(tokens(&[]), Err("noIPAllocated"));
    assert_eq!(tokens(&["198.51.100.1", "host.example"]), Err("invalidIP"));
    assert_eq!(tokens(&["192.0.2.1"]), Err("ipNotAllowed"));
    assert_eq!(
        tokens(&["198.51.100.1", "203.0.113.1"]),
        Err("ipNotAllowed"),
        "two pools"
    );

    let mut other = service(&["198.51.100.1"]);
    other.load_balancer_class = Some("example.org/lb".into());
    assert_eq!(decide(&other, &node, &ready), Err("otherClass"));
    other.is_load_balancer = false;
    assert_eq!(decide(&other, &node, &ready), Err("notLoadBalancer"));
}

#[test]
fn nothing_is_announced_without_a_configuration() {
    let facts = Facts {
        blocks: None,
        settings: &NOTHING.2,
        node: &Node::named("n"),
        is_draining: false,
        left: LeftToMetallb::default(),
        plan: &plan(),
        nodes: &NOTHING.0,
        local: &NOTHING.1,
    };
    let reason = facts.decide(&service(&["198.51.100.1"]), &[]).unwrap_err();
    assert_eq!(reason.token(), "noConfiguration");
}

#[test]
fn an_unfit_node_does_not_announce() {
    let (demo, ready) = (service(&["198.51.100.1"]), [endpoint("n", None, None)]);
    let mut node = Node::named("n");
    node.labels = [(EXCLUDE_LABEL, "")].into_iter().collect();
    assert_eq!(
        decide(&demo, &node, &ready),
        Err("nodeLabeledExcludeBalancers")
    );
    let unfit = |node: &Node, label| node_may_announce(node, label).map_err(|why| why.token());
    assert_eq!(unfit(&node, ExcludeLabel::Ignored), Ok(()));
    node.network_unavailable = true;
    assert_eq!(decide(&demo, &node, &ready), Err("nodeNetworkUnavailable"));
    let label = ExcludeLabel::Ignored;
    assert_eq!(unfit(&node, label), Err("nodeNetworkUnavailable"));
}

#[test]
fn endpoints_must_be_ready_or_still_serving() {
    let (node, demo) = (Node::named("n"), service(&["198.51.100.1"]));
    let with = |ready, serving| decide(&demo, &node, &[endpoint("m", ready, serving)]).is_ok();
    assert!(with(None, None));
    assert!(with(Some(true), None));
    assert!(with(Some(false), Some(true)), "terminating but serving");
    assert!(!with(Some(false), Some(false)));
    assert!(!with(Some(false), None));
    let no_address = Endpoint {
        has_address: false,
        ..endpoint("m", None, None)
    };
    assert_eq!(decide(&demo, &node, &[no_address]), Err("noEndpoints"));
    assert_eq!(decide(&demo, &node, &[]), Err("noEndpoints"));
}

#[test]
fn local_policy_wants_an_endpoint_here() {
    let node = Node::named("n");
    let mut demo = service(&["198.51.100.1"]);
    demo.external_traffic_policy = TrafficPolicy::Local;
    let elsewhere = endpoint("m", Some(true), None);
    let here = endpoint("n", Some(true), None);
    let dying_here = endpoint("n", Some(false), Some(false));
    assert_eq!(
        decide(&demo, &node, &[elsewhere.clone(), dying_here]),
        Err("noLocalEndpoints")
    );
    assert!(decide(&demo, &node, &[elsewhere, here]).is_ok());
}

#[test]
fn where_one_node_announces_the_endpoints_say_which_can() {
    let config = config();
    let scope = |policy, endpoints: &[Endpoint]| {
        let facts = Facts {
            blocks: Some(&Blocks::new(&config)),
            settings: &NOTHING.2,
            // What this node may is another question: others must know which nodes can.
            node: &Node {
                network_unavailable: true,
                ..Node::named("n")
            },
            is_draining: false,
            left: LeftToMetallb::default(),
            plan: &exclusive(),
            nodes: &NOTHING.0,
            local: &NOTHING.1,
        };
        let service = service_of(&["198.51.100.1"], policy);
        let grant = facts.decide(&service, &[&slice(Family::V4, endpoints)]);
        grant.map(|grant| {
            let [scope] = &scopes(&grant)[..] else {
                panic!("{grant:?}")
            };
            scope.clone()
        })
    };
    let here_and_there = [
        endpoint("n", Some(true), None),
        endpoint("m", Some(true), None),
        endpoint("sick", Some(false), None),
    ];
    let nodes: [Arc<str>; 2] = ["m".into(), "n".into()];
    assert_eq!(
        scope(TrafficPolicy::Cluster, &here_and_there),
        Ok(Scope::Anywhere)
    );
    assert_eq!(
        scope(TrafficPolicy::Local, &here_and_there),
        Ok(Scope::of_nodes(nodes))
    );
    for policy in [TrafficPolicy::Cluster, TrafficPolicy::Local] {
        assert_eq!(scope(policy, &[]), Err(WithdrawReason::NoEndpoints));
    }
    let local = |endpoints: &[(&str, bool)]| {
        let endpoint =
            |(node, is_ready): &(&str, bool)| endpoint(node, Some(*is_ready), Some(true));
        let endpoints: Vec<_> = endpoints.iter().map(endpoint).collect();
        let scope = scope(TrafficPolicy::Local, &endpoints).unwrap();
        let nodes = scope.nodes().into_iter().flatten();
        let last = |node: &Arc<str>| if scope.is_last_resort(node) { "-" } else { "+" };
        let nodes = nodes.map(|node| format!("{}{node}", last(node)));
        nodes.collect::<Vec<_>>().join(" ")
    };
    for (endpoints, expected) in [
        (&[("m", true), ("n", false)][..], "+m -n"),
        (&[("m", true), ("n", false), ("n", true)], "+m +n"),
        (&[("m", false), ("n", false)], "+m +n"),
        (&[("n", false)], "+n"),
    ] {
        assert_eq!(local(endpoints), expected, "{endpoints:?}");
    }
}

/// A selector of objects with this label.
fn matching(key: &str, value: &str) -> Selector {
    Selector {
        requirements: vec![Requirement {
            key: key.to_owned(),
            operator: Operator::In([value.to_owned()].into()),
        }],
    }
}

/// One of the pool `a` for these nodes, which prefers by weight and label.
fn preferring(
    name: &str,
    nodes: &[(&str, &str)],
    preferred: &[(u8, &str, &str)],
) -> L2Advertisement {
    let nodes = nodes.iter().map(|(key, value)| matching(key, value));
    let preferred = preferred.iter().map(|(weight, key, value)| PreferredNodes {
        weight: *weight,
        nodes: matching(key, value),
    });
    let mut advertisement = testing::l2_advertisement("a");
    advertisement.name = name.into();
    advertisement.audience.nodes = nodes.collect();
    advertisement.preferred_nodes = preferred.collect();
    advertisement
}

/// How a VIP of the pool `a` prefers nodes with these advertisements; the same whether all of them or
/// those with an endpoint serve.
fn weights(advertisements: Vec<L2Advertisement>) -> String {
    let labels = |pairs: &[(&str, &str)]| Labels::bounded(pairs.iter().copied());
    let nodes = Nodes::from([
        ("m".into(), labels(&[("rack", "1"), ("disk", "ssd")])),
        ("n".into(), labels(&[("rack", "1")])),
        ("o".into(), labels(&[("rack", "2"), ("disk", "ssd")])),
    ]);
    let config = Config {
        layer2: advertisements.into_iter().map(Arc::new).collect(),
        ..testing::unannounced(config().pools.into_values())
    };
    let arp = testing::exclusive("arp", Family::V4);
    let facts = Facts {
        blocks: Some(&Blocks::new(&config)),
        settings: &NOTHING.2,
        node: &Node::named("n"),
        is_draining: false,
        left: LeftToMetallb::default(),
        plan: &Plan::new(&config, &[arp], &nodes, "n"),
        nodes: &NOTHING.0,
        local: &NOTHING.1,
    };
    let weights = [TrafficPolicy::Cluster, TrafficPolicy::Local].map(|policy| {
        let service = service_of(&["198.51.100.1"], policy);
        let slice = slice(Family::V4, &["m", "n", "o"].map(testing::endpoint));
        let grant = facts.decide(&service, &[&slice]).unwrap();
        let scope = &scopes(&grant)[0];
        let weights = scope.weights().into_iter().flatten();
        let weights = weights.map(|(node, weight)| format!("{node}={weight}"));
        weights.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(weights[0], weights[1]);
    weights[0].clone()
}

#[test]
fn nodes_are_preferred_by_the_sum_of_what_the_advertisements_say_that_are_for_them() {
    let ssd = |weight| (weight, "disk", "ssd");
    let mut web = preferring("web", &[], &[(100, "rack", "2")]);
    web.audience.services = vec![matching("app", "web")];
    for (advertisements, expected) in [
        (vec![preferring("a", &[], &[])], ""),
        (vec![preferring("a", &[], &[(5, "disk", "hdd")])], ""),
        (
            vec![preferring("a", &[], &[(5, "rack", "1"), ssd(7), ssd(7)])],
            "m=19 n=5 o=14",
        ),
        (vec![preferring("a", &[("rack", "1")], &[ssd(7)])], "m=7"),
        (
            vec![
                preferring("a", &[("rack", "1")], &[ssd(7)]),
                preferring("b", &[], &[ssd(1)]),
                web,
            ],
            "m=8 o=1",
        ),
    ] {
        assert_eq!(weights(advertisements), expected);
    }
}

#[test]
fn endpoints_of_the_other_family_draw_no_traffic() {
    let node = Node::named("n");
    let both = service(&["198.51.100.1", "2001:db8:a::1"]);
    let published = both.published().to_vec();
    let (v4, v6) = published.split_at(1);
    let vips = |ingress: &[Ingress]| {
        let addresses = ingress.iter().map(|entry| match entry {
            Ingress::Address(address) => *address,
            Ingress::Other(text) => panic!("{text}"),
        });
        addresses.collect::<Vec<_>>()
    };
    let (ready, ill) = (endpoint("n", None, None), endpoint("n", Some(false), None));
    let slices = |four: &Endpoint, six: &Endpoint| {
        let of = |family, endpoint: &Endpoint| slice(family, std::slice::from_ref(endpoint));
        [of(Family::V4, four), of(Family::V6, six)]
    };
    for policy in [TrafficPolicy::Cluster, TrafficPolicy::Local] {
        let mut both = both.clone();
        both.external_traffic_policy = policy;
        let decide = |four, six| {
            let [four, six] = slices(four, six);
            decide_with(&both, &node, &[&four, &six])
        };
        assert_eq!(decide(&ready, &ill), Ok(vips(v4)));
        assert_eq!(decide(&ill, &ready), Ok(vips(v6)));
        assert_eq!(decide(&ready, &ready), Ok(vips(&published)));
        assert!(decide(&ill, &ill).is_err());
    }
    let six = slice(Family::V6, &[ready]);
    let only_four = service(&["198.51.100.1"]);
    assert_eq!(decide_with(&only_four, &node, &[&six]), Err("noEndpoints"));
}

#[test]
fn each_address_of_one_node_at_a_time_goes_where_its_family_is_served() {
    let facts = Facts {
        blocks: Some(&Blocks::new(&config())),
        settings: &NOTHING.2,
        node: &Node::named("n"),
        is_draining: false,
        left: LeftToMetallb::default(),
        plan: &exclusive(),
        nodes: &NOTHING.0,
        local: &NOTHING.1,
    };
    let service = service_of(&["198.51.100.1", "2001:db8:a::1"], TrafficPolicy::Local);
    let four = slice(Family::V4, &[endpoint("n", None, None)]);
    let six = slice(Family::V6, &[endpoint("m", None, None)]);
    let grant = facts.decide(&service, &[&four, &six]).unwrap();
    let on = |node: &str| Scope::of_nodes([node.into()]);
    assert_eq!(scopes(&grant), [on("n"), on("m")]);
}
