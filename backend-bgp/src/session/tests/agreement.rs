//! What the OPENs say and lead to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::backend::Detail;
use carillon_core::config::Community;

use super::pair::{FALLBACK, OURS, Pair, ebgp, ibgp, open, routes};
use crate::fsm::State;
use crate::packet::Attributes;
use crate::packet::attribute::{Communities, LocalPref};
use crate::packet::message::put_keepalive;
use crate::packet::{Capabilities, Message, Notification, Open, Reason};
use crate::session::{Input, router_id_of};

fn our_open(pair: &Pair) -> &Open {
    match &pair.received[..] {
        [Message::Open(open), ..] => open,
        received => panic!("{received:?}"),
    }
}

fn over_ipv6() -> Pair {
    let mut peer = ebgp();
    peer.address = "2001:db8:7::10".parse().unwrap();
    let mut pair = Pair::new(peer);
    pair.input(Input::Start);
    let local: SocketAddr = "[2001:db8:7::13]:40000".parse().unwrap();
    pair.input(Input::Connected(local));
    pair
}

fn fact(pair: &mut Pair, label: &str) -> String {
    let facts = pair.session.status(Detail::Routes, pair.now).facts;
    let found = facts.into_iter().find(|fact| fact.label == label);
    found.map_or_else(String::new, |fact| fact.value.to_string())
}

#[test]
fn our_open_says_who_we_are() {
    let pair = Pair::open_sent(ebgp());
    let open = our_open(&pair);
    assert_eq!(open.asn, OURS);
    assert_eq!(open.hold_time, 90);
    assert_eq!(
        open.router_id,
        Ipv4Addr::new(192, 168, 7, 13),
        "the local address"
    );
    let families: Vec<_> = open.capabilities.families().iter().collect();
    assert_eq!(families, [Family::V4]);
    assert!(open.capabilities.four_octet_as && open.capabilities.route_refresh);
}

#[test]
fn a_configured_router_id_counts_first() {
    let mut peer = ebgp();
    peer.router_id = Some(Ipv4Addr::new(1, 2, 3, 4));
    assert_eq!(
        our_open(&Pair::open_sent(peer)).router_id,
        Ipv4Addr::new(1, 2, 3, 4)
    );
}

#[test]
fn over_ipv6_the_node_name_makes_the_router_id_and_ipv6_is_offered() {
    let pair = over_ipv6();
    assert_eq!(our_open(&pair).router_id, FALLBACK);
    let families: Vec<_> = our_open(&pair).capabilities.families().iter().collect();
    assert_eq!(families, [Family::V6]);
}

#[test]
fn an_ipv4_mapped_address_is_an_ipv4_address() {
    let mut pair = Pair::new(ebgp());
    pair.input(Input::Start);
    pair.input(Input::Connected(
        "[::ffff:192.168.7.13]:40000".parse().unwrap(),
    ));
    assert_eq!(our_open(&pair).router_id, Ipv4Addr::new(192, 168, 7, 13));
}

#[test]
fn router_ids_of_nodes_are_stable_and_not_zero() {
    assert_eq!(router_id_of("worker-0"), router_id_of("worker-0"));
    assert_ne!(router_id_of("worker-0"), router_id_of("worker-1"));
    for number in 0..1000 {
        let [first, ..] = router_id_of(&format!("worker-{number}")).octets();
        assert!((1..=126).contains(&first), "a host's address");
    }
}

#[test]
fn each_session_announces_the_routes_of_its_family() {
    let both =
        || routes(["198.51.100.1/32", "2001:db8::1/128"].map(|prefix| prefix.parse().unwrap()));
    let mut v4 = Pair::established(ebgp());
    v4.input(Input::Routes(both()));
    assert_eq!(v4.table, ["198.51.100.1/32".parse().unwrap()].into());
    assert_eq!(fact(&mut v4, "address families"), "IPv4 unicast");
    assert_eq!(fact(&mut v4, "prefixes sent"), "1");

    let mut v6 = over_ipv6();
    v6.say(|out| open().encode(out));
    v6.say(put_keepalive);
    v6.input(Input::Routes(both()));
    assert_eq!(v6.table, ["2001:db8::1/128".parse().unwrap()].into());
    let announced = v6.session.status(Detail::Routes, v6.now).announced;
    assert_eq!(&*announced[0].attributes, "next hop 2001:db8:7::13");
}

#[test]
fn attributes_fit_the_kind_of_peer() {
    let attributes = Attributes::default()
        .with(Some(LocalPref(0)))
        .with(Communities::new([Community(0xfc00_0007)]));
    let attributes = Arc::new(attributes);
    for (peer, expected) in [
        (ebgp(), "next hop 192.168.7.13, communities 64512:7"),
        (
            ibgp(),
            "next hop 192.168.7.13, local preference 0, communities 64512:7",
        ),
    ] {
        let mut pair = Pair::established(peer);
        let prefix: ipnet::IpNet = "198.51.100.1/32".parse().unwrap();
        pair.input(Input::Routes(
            [(prefix, attributes.clone())].into_iter().collect(),
        ));
        let announced = pair.session.status(Detail::Routes, pair.now).announced;
        assert_eq!(&*announced[0].attributes, expected);
    }
}

#[test]
fn status_says_what_was_agreed() {
    let mut pair = Pair::open_sent(ebgp());
    assert_eq!(fact(&mut pair, "remote router ID"), "", "not known yet");
    pair.say(|out| {
        Open {
            hold_time: 30,
            ..open()
        }
        .encode(out);
    });
    pair.say(put_keepalive);
    let status = pair.session.status(Detail::Routes, pair.now);
    assert_eq!(
        (status.name.as_str(), status.state.as_str()),
        ("192.168.7.10", "Established")
    );
    assert_eq!(pair.session.state, State::Established);
    for (label, expected) in [
        ("type", "eBGP"),
        ("local AS", "64500"),
        ("remote AS", "64512"),
        ("local address", "192.168.7.13"),
        ("remote router ID", "192.168.7.10"),
        ("hold time", "30 s"),
        ("keepalive interval", "10 s"),
    ] {
        assert_eq!(fact(&mut pair, label), expected, "{label}");
    }
}

#[test]
fn a_router_that_knows_no_capabilities_gets_an_open_without() {
    let refuse = |pair: &mut Pair| {
        pair.say(|out| Notification::new(Reason::UnsupportedOptionalParameter).encode(out));
        pair.until_connect();
        pair.received.clear();
    };
    let mut pair = Pair::open_sent(ebgp());
    pair.input(Input::Routes(routes(["198.51.100.1/32".parse().unwrap()])));
    refuse(&mut pair);
    pair.connect();
    assert_eq!(our_open(&pair).capabilities, Capabilities::default());
    pair.say(|out| {
        Open {
            capabilities: Capabilities::default(),
            ..open()
        }
        .encode(out);
    });
    pair.say(put_keepalive);
    assert_eq!(pair.table.len(), 1);

    pair.input(Input::Closed(None));
    pair.until_connect();
    pair.received.clear();
    pair.connect();
    assert!(our_open(&pair).capabilities.route_refresh, "tried anew");

    let mut peer = ebgp();
    peer.my_asn = 70_000;
    let mut large = Pair::open_sent(peer);
    refuse(&mut large);
    large.connect();
    assert!(our_open(&large).capabilities.four_octet_as, "not possible");
    let mut v6 = over_ipv6();
    refuse(&mut v6);
    v6.connect();
    assert_ne!(our_open(&v6).capabilities, Capabilities::default());
}

#[test]
fn a_link_local_address_is_no_next_hop() {
    let mut peer = ebgp();
    peer.address = "2001:db8:7::10".parse().unwrap();
    let mut pair = Pair::new(peer);
    pair.input(Input::Start);
    pair.input(Input::Connected("[fe80::13]:40000".parse().unwrap()));
    assert_eq!(
        (pair.received.len(), pair.session.state),
        (0, State::Active)
    );
    assert!(
        pair.last_error().contains("fe80::13, a link-local address"),
        "{}",
        pair.last_error()
    );
}

#[test]
fn a_port_other_than_bgps_own_is_part_of_the_name() {
    let mut peer = ebgp();
    peer.port = 1790;
    assert_eq!(Pair::new(peer).session.name(), "192.168.7.10:1790");
    let mut peer = ebgp();
    (peer.port, peer.address) = (1790, "2001:db8::1".parse().unwrap());
    assert_eq!(Pair::new(peer).session.name(), "[2001:db8::1]:1790");
}
