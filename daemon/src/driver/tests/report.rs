//! What the daemon tells of itself.

use carillon_core::config::{Config, L2Advertisement, Peer};
use carillon_core::interface::{Interface, MacAddress};
use carillon_core::selector::{Operator, Requirement, Selector};
use carillon_host::interfaces;
use carillon_objects::source::Verdict;

use super::*;

fn peers(daemon: &Daemon) -> Vec<String> {
    let (interfaces, peers) = daemon.driver.neighbors_of(&key("web"));
    assert!(interfaces.is_empty());
    peers.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_is_told_with_the_peers_that_have_its_routes_and_by_their_names() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    assert_eq!(peers(&daemon), [""; 0], "nobody has them yet");
    daemon.hear_backends();
    assert_eq!(peers(&daemon), [NEIGHBOR]);
    let (vip, set) = (IpAddr::from([192, 0, 2, 0]), daemon.set());
    assert!(set.by_vip.contains_key(&vip));
    let told = BackendEvent::Reaches {
        neighbor: "198.51.100.7".into(),
        vips: set.by_vip.clone(),
    };
    daemon.driver.told("bgp", &told, daemon.now);
    assert_eq!(peers(&daemon), ["198.51.100.7", NEIGHBOR]);

    let address = IpAddr::from([198, 51, 100, 7]);
    let mut elsewhere = Peer::new(64512, 64513, address);
    (elsewhere.name, elsewhere.node_selectors) = ("elsewhere".into(), Vec::new());
    elsewhere.node_selectors.push(Selector {
        requirements: vec![Requirement {
            key: "rack".to_owned(),
            operator: Operator::Exists,
        }],
    });
    let mut here = Peer::new(64512, 64513, address);
    here.name = "tor".into();
    let mut config = Config::default();
    config.bgp.peers = vec![elsewhere.into(), here.into()];
    let node = Node::named("n");
    assert!(daemon.driver.reporter.configured(&config, &node));
    assert!(!daemon.driver.reporter.configured(&config, &node));
    assert_eq!(peers(&daemon), [NEIGHBOR, "tor"]);

    let gone = BackendEvent::Reaches {
        neighbor: "198.51.100.7".into(),
        vips: Announcements::new(),
    };
    daemon.driver.told("bgp", &gone, daemon.now);
    assert_eq!(peers(&daemon), [NEIGHBOR]);
}

#[test]
fn the_configuration_is_judged_by_what_of_it_is_in_force() {
    let dir = Dir::new();
    let empty = Daemon::started(&dir.journal(), &[]);
    assert_eq!(empty.driver.verdict(), Verdict::Unknown);
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual())]);
    assert_eq!(daemon.driver.verdict(), Verdict::Valid);
    daemon.write("c.yaml", &usual().replace("protocol: bgp", "protocol: bpg"));
    let Verdict::Invalid { causes, .. } = daemon.driver.verdict() else {
        panic!("{:?}", daemon.driver.verdict());
    };
    assert!(causes[0].contains("bpg"), "{causes:?}");
    daemon.write("c.yaml", "a: [");
    let verdict = daemon.driver.verdict();
    assert!(
        matches!(verdict, Verdict::Invalid { .. } | Verdict::Unknown),
        "{verdict:?}"
    );
    daemon.write("c.yaml", &usual());
    assert_eq!(daemon.driver.verdict(), Verdict::Valid);
}

/// An interface on which everything can be announced.
pub(super) fn eth0() -> interfaces::Known {
    let interface = Interface {
        index: 2,
        name: "eth0".into(),
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: vec!["192.0.2.99/24".parse().unwrap()],
    };
    interfaces::Known {
        interfaces: Some([interface].into()),
        ..interfaces::Known::default()
    }
}

#[test]
fn where_a_service_is_announced_at_layer_2_is_told_by_its_owner_and_that_nobody_can_by_one() {
    let dir = Dir::new();
    let layer2 = usual().replace("bgp", "layer2");
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &layer2), ("w.yaml", &web())]);
    daemon.driver.set_interfaces(eth0(), daemon.now);
    daemon.settle();
    daemon.pass(MINUTE);
    daemon.hear_backends();
    daemon.settle();
    let (interfaces, peers) = daemon.driver.neighbors_of(&key("web"));
    let interfaces: Vec<&str> = interfaces.iter().map(|name| &**name).collect();
    assert_eq!((interfaces, peers.len()), (vec![NEIGHBOR], 0));
    assert_eq!(daemon.driver.failure(&key("web")), None);

    let mut config = Config::clone(daemon.driver.config.in_force.as_ref().unwrap());
    for advertisement in &mut config.layer2 {
        let mut other = L2Advertisement::clone(advertisement);
        other.interfaces = BTreeSet::from(["eth9".into()]).into();
        *advertisement = other.into();
    }
    let elsewhere = speaker::Input::Config(config.into());
    daemon.driver.speaker.handle(elsewhere);
    daemon.settle();
    daemon.pass(MINUTE);
    let (interfaces, _) = daemon.driver.neighbors_of(&key("web"));
    assert_eq!(interfaces.len(), 0);
    let failure = daemon.driver.failure(&key("web")).unwrap();
    for text in ["192.0.2.0", "on node \"n\"", "protocol \"layer2\"", "eth9"] {
        assert!(failure.contains(text), "{failure}");
    }
}
