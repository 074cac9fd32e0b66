use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::backend::{Caps, Ownership as Kind};
use carillon_core::config::{Config, Pool, PoolProtocol};
use carillon_core::endpoint::{Endpoint, EndpointSlice};
use carillon_core::interface::{Exclusion, Interface, Interfaces, MacAddress};
use carillon_core::membership::record::Claim;
use carillon_core::node::Node;
use carillon_core::service::{Families, Ingress, Service, ServiceFacts, ServiceKey, TrafficPolicy};

use super::*;

const VIP: &str = "192.0.2.100";

fn vip() -> IpAddr {
    VIP.parse().unwrap()
}

fn config() -> Config {
    let pool = Pool {
        name: "lan".into(),
        protocol: PoolProtocol {
            name: "layer2",
            ipv4: Some("arp"),
            ipv6: Some("ndp"),
        },
        blocks: vec!["192.0.2.0/24".parse().unwrap()],
        avoid_buggy_ips: false,
        auto_assign: true,
        bgp_advertisements: Vec::new(),
    };
    Config {
        pools: [(pool.name.clone(), Arc::new(pool))].into(),
        peers: Vec::new(),
    }
}

fn service() -> Service {
    let facts = ServiceFacts {
        key: ServiceKey::new("default", "web"),
        is_load_balancer: true,
        load_balancer_class: None,
        families: Ok(Families::One(Family::V4)),
        address_pool: None,
        requested: Ok(Vec::new()),
        sharing_key: None,
        ports: std::collections::BTreeSet::new(),
        external_traffic_policy: TrafficPolicy::Cluster,
        selector: BTreeMap::new(),
    };
    Service::new(facts, [Ingress::Address(vip())])
}

fn slice() -> EndpointSlice {
    EndpointSlice {
        key: ServiceKey::new("default", "web-1"),
        service: ServiceKey::new("default", "web"),
        endpoints: vec![Endpoint {
            node: Some("n".into()),
            has_address: true,
            ready: Some(true),
            serving: None,
        }],
    }
}

fn interfaces() -> Arc<Interfaces> {
    let eth0 = Interface {
        index: 2,
        name: "eth0".into(),
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: vec!["192.0.2.1/24".parse().unwrap()],
    };
    Arc::new(Interfaces::usable(&[eth0], &Exclusion::default()))
}

/// A speaker with one Service, and the election beside it.
struct Site {
    speaker: Speaker,
    election: Election,
    now: Instant,
}

impl Site {
    fn new() -> Self {
        let caps = ["arp", "ndp"].map(|name| Caps {
            name,
            ownership: Kind::Exclusive(Family::V4),
        });
        let settings = Settings {
            node: "n".into(),
            ipv4: true,
            ipv6: true,
            rebalance: None,
        };
        let now = Instant::now();
        let mut site = Self {
            speaker: Speaker::new(Node::named("n"), None, &caps),
            election: Election::new(settings, &["arp", "ndp"], now),
            now,
        };
        for input in [
            speaker::Input::Config(Arc::new(config())),
            speaker::Input::Service(service()),
            speaker::Input::Endpoints(slice()),
            speaker::Input::Synced,
        ] {
            site.speaker.handle(input);
        }
        site.election.handle(Input::Synced, now);
        site.election.handle(Input::Interfaces(interfaces()), now);
        site
    }

    /// Gives the backends what is new, as the driver does; returns which was given which generation.
    fn settle(&mut self, is_partial: bool) -> BTreeMap<&'static str, u64> {
        let mut changes: BTreeMap<_, _> = self.speaker.take_changes().into_iter().collect();
        self.election.settle(&mut self.speaker, self.now);
        changes.extend(self.speaker.take_changes());
        for (name, set) in &changes {
            self.election.given(name, set.generation, is_partial);
        }
        self.election.seal(self.now);
        changes
            .into_iter()
            .map(|(name, set)| (name, set.generation))
            .collect()
    }

    fn claim(&mut self) -> Option<Claim> {
        self.election.settle(&mut self.speaker, self.now);
        match self.election.records.get(&Key::Claim(vip()))? {
            Value::Claim(claim) => Some(*claim),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_vip_is_claimed_when_every_backend_has_it_on_the_wire() {
    let mut site = Site::new();
    assert!(!site.election.is_settled());
    site.election.set_alone(site.now);
    let given = site.settle(false);
    assert_eq!(site.claim(), None);
    site.election.applied("arp", given["arp"], site.now);
    assert_eq!(site.claim(), None, "the other has not said so");
    site.election.applied("ndp", given["ndp"], site.now);
    assert_eq!(site.claim().unwrap().term, 1);
}

#[test]
fn what_is_held_back_is_not_claimed() {
    let mut site = Site::new();
    site.election.set_alone(site.now);
    let given = site.settle(true);
    for (name, generation) in given {
        site.election.applied(name, generation, site.now);
    }
    assert_eq!(site.claim(), None);
    for (name, generation) in [("arp", 8), ("ndp", 9)] {
        site.election.given(name, generation, false);
        site.election.seal(site.now);
        site.election.applied(name, generation, site.now);
    }
    assert!(site.claim().is_some());
}

#[test]
fn who_comes_to_know_others_tells_them_all_that_was_said_before() {
    let mut site = Site::new();
    site.settle(false);
    let (gossip, mut told) = mpsc::unbounded_channel();
    let me = MemberId {
        address: "192.0.2.1:7480".parse().unwrap(),
        generation: 7,
    };
    site.election.joined(me, gossip, site.now);
    let mut keys = Vec::new();
    while let Ok(command) = told.try_recv() {
        match command {
            Command::Publish(key, Some(_)) => keys.push(key),
            Command::Owner(owns) => assert!(!owns),
            _ => panic!("nothing else is told"),
        }
    }
    assert_eq!(keys, [Key::Node, Key::Interface(2)]);
    assert!(
        !site.election.is_settled(),
        "what they have is not known yet"
    );
    site.election.heard(Event::Settled, site.now);
    assert!(site.election.is_settled());
}

#[test]
fn an_address_moves_only_where_it_can() {
    let mut site = Site::new();
    site.election.set_alone(site.now);
    site.settle(false);
    let refused = site.election.move_to(vip(), "m", site.now).unwrap_err();
    assert!(
        refused.contains("there is no node \"m\"; there are n"),
        "{refused}"
    );
    let unknown = "192.0.2.7".parse().unwrap();
    let refused = site.election.move_to(unknown, "n", site.now).unwrap_err();
    assert!(refused.contains("192.0.2.7"), "{refused}");
}
