use carillon_gossip::record::Claim;

use super::*;
use crate::address::Family;
use crate::backend::{Caps, Ownership as Kind};
use crate::endpoint::EndpointSlice;
use crate::interface::{Exclusion, Interfaces};
use crate::node::Node;
use crate::service::{Families, Service};
use crate::testing::{
    self, beginning, endpoint, endpoint_slice, interface, ip as vip, layer2_config, pool, published,
};

const IPV4: &str = "192.0.2.100";
const OTHER: &str = "192.0.2.101";
const IPV6: &str = "2001:db8::100";

/// One that has this address, and is called like it.
fn service(text: &str) -> Service {
    let mut service = published(testing::service(text), &[text]);
    service.families = Ok(Families::One(Family::of(vip(text))));
    service
}

fn slice(text: &str) -> EndpointSlice {
    EndpointSlice {
        family: Family::of(vip(text)),
        ..endpoint_slice(text, [endpoint("n")])
    }
}

fn interfaces() -> Arc<Interfaces> {
    let eth0 = interface(2, "eth0", &["192.0.2.1/24", "2001:db8::1/64"]);
    Arc::new(Interfaces::usable(&[eth0], &Exclusion::default()))
}

/// A speaker with Services of these addresses, the election beside it, and perhaps a gate.
struct Site {
    speaker: Speaker,
    election: Election,
    gate: Option<Gate>,
    now: Instant,
}

impl Site {
    fn new(vips: &[&str]) -> Self {
        let caps = [("arp", Family::V4), ("ndp", Family::V6)].map(|(name, family)| Caps {
            name,
            ownership: Kind::Exclusive(family),
            uses_interfaces: true,
        });
        let settings = Settings {
            node: "n".into(),
            ipv4: true,
            ipv6: true,
            rebalance: None,
        };
        let now = beginning();
        let mut site = Self {
            speaker: Speaker::new(Node::named("n"), speaker::Settings::default(), &caps),
            election: Election::new(settings, &["arp", "ndp"], now),
            gate: None,
            now,
        };
        let lan = pool("lan", &["192.0.2.0/24", "2001:db8::/64"]);
        let config = speaker::Input::Config(Arc::new(layer2_config([lan])));
        site.speaker.handle(config);
        for vip in vips {
            site.speaker.handle(speaker::Input::Service(service(vip)));
            site.speaker.handle(speaker::Input::Endpoints(slice(vip)));
        }
        site.speaker.handle(speaker::Input::Synced);
        site.election.handle(Input::Synced, now);
        site.election.handle(Input::Interfaces(interfaces()), now);
        site
    }

    /// The generations that the backends are given, and the VIPs that those have.
    fn settle(&mut self) -> BTreeMap<&'static str, (u64, Vec<IpAddr>)> {
        let gate = self.gate.as_mut();
        let sets = self.election.settle(&mut self.speaker, gate, self.now);
        let vips = |set: &AnnouncementSet| set.by_vip.keys().copied().collect();
        let sets = sets.into_iter();
        sets.map(|(name, set)| (name, (set.generation, vips(&set))))
            .collect()
    }

    fn set_usable(&mut self, vips: &[&str]) {
        let usable = vips.iter().map(|text| vip(text)).collect();
        let gate = self.gate.get_or_insert_default();
        gate.set_usable(Arc::new(usable));
    }

    fn applied(&mut self, backend: &str, generation: u64) {
        let event = BackendEvent::Applied { generation };
        self.election.told(backend, &event, self.now);
    }

    /// The VIPs that are claimed.
    fn claims(&mut self) -> Vec<IpAddr> {
        self.settle();
        let claims = self.election.records.iter();
        let claims = claims.filter_map(|(key, value)| match (key, value) {
            (Key::Claim(vip), Value::Claim(Claim { term: 1, .. })) => Some(*vip),
            _ => None,
        });
        claims.collect()
    }
}

#[test]
fn a_vip_is_claimed_when_it_is_on_the_wire_whatever_becomes_of_another_protocol() {
    let mut site = Site::new(&[IPV4, IPV6]);
    assert!(!site.election.is_settled());
    site.election.handle(Input::Alone, site.now);
    let given = site.settle();
    assert_eq!(given["arp"].1, [vip(IPV4)]);
    assert_eq!(given["ndp"].1, [vip(IPV6)]);
    assert_eq!(site.claims(), [] as [IpAddr; 0]);
    site.applied("arp", given["arp"].0);
    assert_eq!(site.claims(), [vip(IPV4)], "ndp is stuck");
    site.applied("ndp", given["ndp"].0);
    assert_eq!(site.claims(), [vip(IPV4), vip(IPV6)]);
}

#[test]
fn an_older_set_on_the_wire_proves_nothing() {
    let mut site = Site::new(&[IPV4]);
    let before = site.settle()["arp"].0;
    site.election.handle(Input::Alone, site.now);
    let given = site.settle()["arp"].0;
    assert!(given > before);
    site.applied("arp", before);
    assert_eq!(site.claims(), [] as [IpAddr; 0]);
    site.applied("arp", given);
    assert_eq!(site.claims(), [vip(IPV4)]);
}

#[test]
fn what_is_held_back_is_claimed_when_it_is_usable_and_holds_nothing_else_back() {
    let mut site = Site::new(&[IPV4, OTHER]);
    site.election.handle(Input::Alone, site.now);
    site.set_usable(&[]);
    let nothing = site.settle()["arp"].clone();
    assert_eq!(nothing.1, [] as [IpAddr; 0]);
    site.applied("arp", nothing.0);
    assert_eq!(site.claims(), [] as [IpAddr; 0]);

    site.set_usable(&[OTHER]);
    let one = site.settle()["arp"].clone();
    assert_eq!(one.1, [vip(OTHER)]);
    site.applied("arp", one.0);
    assert_eq!(site.claims(), [vip(OTHER)]);

    site.set_usable(&[IPV4, OTHER]);
    let both = site.settle()["arp"].0;
    site.applied("arp", both);
    assert_eq!(site.claims(), [vip(IPV4), vip(OTHER)]);
}

#[test]
fn an_address_that_is_lost_before_it_is_announced_is_not_claimed() {
    let mut site = Site::new(&[IPV4]);
    site.election.handle(Input::Alone, site.now);
    site.set_usable(&[IPV4]);
    site.settle();
    site.set_usable(&[]);
    let without = site.settle()["arp"].0;
    site.applied("arp", without);
    assert_eq!(site.claims(), [] as [IpAddr; 0]);
    site.set_usable(&[IPV4]);
    let with = site.settle()["arp"].0;
    site.applied("arp", with);
    assert_eq!(site.claims(), [vip(IPV4)]);
}

#[test]
fn who_comes_to_know_others_tells_them_all_that_was_said_before() {
    let mut site = Site::new(&[IPV4]);
    site.settle();
    assert_eq!(site.election.poll_effect(), None, "there is nobody to tell");
    let me = MemberId {
        address: "192.0.2.1:7480".parse().unwrap(),
        generation: 7,
    };
    site.election.joined(me, site.now);
    let mut keys = Vec::new();
    while let Some(effect) = site.election.poll_effect() {
        match effect {
            Effect::Publish(key, Some(_)) => keys.push(key),
            Effect::Owner(owns) => assert!(!owns),
            other => panic!("{other:?}"),
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
    let mut site = Site::new(&[IPV4]);
    site.election.handle(Input::Alone, site.now);
    site.settle();
    let mut refused = |text| {
        let result = site.election.move_vip(vip(text), "m", site.now);
        result.unwrap_err().to_string()
    };
    assert!(refused(IPV4).contains("there is no node \"m\"; there are n"));
    assert!(refused("192.0.2.7").contains("192.0.2.7"));
}
