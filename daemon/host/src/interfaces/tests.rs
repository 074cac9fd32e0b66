use std::collections::BTreeMap;
use std::net::IpAddr;

use carillon_core::interface::MacAddress;
use ipnet::IpNet;
use proptest::prelude::*;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
};
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkLayerType, LinkMessage, State, WirelessEvent,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::change::{Change, Link};
use super::table::Table;
use super::*;

mod kernel;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn up() -> LinkFlags {
    LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp | LinkFlags::Broadcast
}

fn link(index: u32, name: &str, flags: LinkFlags) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = flags;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::OperState(State::Up),
        LinkAttribute::Address(MAC.to_vec()),
    ];
    message
}

fn address(index: u32, net: &str) -> AddressMessage {
    let net: IpNet = net.parse().unwrap();
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = net.prefix_len();
    message.attributes = vec![AddressAttribute::Address(net.addr())];
    message
}

fn list(messages: &[RouteNetlinkMessage]) -> Vec<Interface> {
    let mut table = Table::default();
    apply(&mut table, messages);
    table.list()
}

fn changed_link(message: LinkMessage) -> Option<Link> {
    match Change::of(&RouteNetlinkMessage::NewLink(message)) {
        Some(Change::Link(_, link)) => Some(link),
        None => None,
        Some(other) => panic!("{other:?}"),
    }
}

fn new_address(message: AddressMessage) -> Option<Change> {
    Change::of(&RouteNetlinkMessage::NewAddress(message))
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn an_interface_is_put_together_from_its_link_and_its_addresses() {
    let found = list(&[
        RouteNetlinkMessage::NewAddress(address(2, "fe80::1/64")),
        RouteNetlinkMessage::NewAddress(address(7, "192.0.2.9/24")),
        RouteNetlinkMessage::NewLink(link(7, "eth1", LinkFlags::Up)),
        RouteNetlinkMessage::NewLink(link(2, "eth0", up())),
        RouteNetlinkMessage::NewAddress(address(2, "192.0.2.1/24")),
        RouteNetlinkMessage::NewAddress(address(9, "192.0.2.7/24")),
    ]);
    let eth0 = Interface {
        index: 2,
        name: "eth0".into(),
        mac: Some(MacAddress(MAC)),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: vec![net("192.0.2.1/24"), net("fe80::1/64")],
    };
    let eth1 = Interface {
        index: 7,
        name: "eth1".into(),
        is_running: false,
        addresses: vec![net("192.0.2.9/24")],
        ..eth0.clone()
    };
    assert_eq!(found, [eth0, eth1]);
}

#[test]
fn only_a_link_that_is_up_with_carrier_runs() {
    for missing in [LinkFlags::Up, LinkFlags::Running, LinkFlags::LowerUp] {
        let flags = up().difference(missing);
        let found = changed_link(link(2, "eth0", flags)).unwrap();
        assert!(!found.is_running, "without {missing:?}");
    }
}

#[test]
fn flags_and_masters_are_told() {
    let special = up() | LinkFlags::Noarp | LinkFlags::Loopback;
    let found = changed_link(link(2, "eth0", special)).unwrap();
    assert!(!found.has_arp && found.is_loopback);

    let mut port = link(2, "eth0", up());
    port.attributes.push(LinkAttribute::Controller(5));
    assert!(changed_link(port).unwrap().has_master);
    let mut free = link(2, "eth0", up());
    free.attributes.push(LinkAttribute::Controller(0));
    assert!(!changed_link(free).unwrap().has_master);
}

#[test]
fn only_an_ethernet_has_a_mac() {
    let mut tunnel = link(2, "tun0", up());
    tunnel.header.link_layer_type = LinkLayerType::Tunnel;
    assert_eq!(changed_link(tunnel).unwrap().mac, None);
    for octets in [vec![], vec![0; 6], vec![1; 20]] {
        let mut odd = link(2, "eth0", up());
        odd.attributes[2] = LinkAttribute::Address(octets);
        assert_eq!(changed_link(odd).unwrap().mac, None);
    }
}

#[test]
fn messages_about_a_role_or_a_part_of_a_link_change_nothing() {
    let mut port = link(2, "eth0", LinkFlags::empty());
    port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(changed_link(port.clone()), None);
    assert_eq!(Change::of(&RouteNetlinkMessage::DelLink(port)), None);

    let mut wireless = link(2, "wlan0", up());
    wireless.attributes = vec![
        LinkAttribute::IfName("wlan0".to_owned()),
        LinkAttribute::Wireless(WirelessEvent::Other(Vec::new())),
    ];
    assert_eq!(changed_link(wireless), None);

    let mut nameless = link(2, "eth0", up());
    nameless.attributes.remove(0);
    assert_eq!(changed_link(nameless), None);
}

#[test]
fn links_are_renamed_and_go_with_their_addresses() {
    let renamed = list(&[
        RouteNetlinkMessage::NewLink(link(2, "eth0", up())),
        RouteNetlinkMessage::NewAddress(address(2, "192.0.2.1/24")),
        RouteNetlinkMessage::NewLink(link(2, "uplink", up())),
    ]);
    assert_eq!((&*renamed[0].name, renamed.len()), ("uplink", 1));
    assert_eq!(renamed[0].addresses, [net("192.0.2.1/24")]);

    let again = list(&[
        RouteNetlinkMessage::NewLink(link(2, "eth0", up())),
        RouteNetlinkMessage::NewAddress(address(2, "192.0.2.1/24")),
        RouteNetlinkMessage::DelLink(link(2, "eth0", up())),
        RouteNetlinkMessage::NewLink(link(2, "other", up())),
    ]);
    assert_eq!(again[0].addresses, []);
}

#[test]
fn the_address_of_the_node_counts_and_not_that_of_its_peer() {
    let peer = |prefix: u8, peer: &str| {
        let mut message = address(2, "192.0.2.1/32");
        let peer: IpAddr = peer.parse().unwrap();
        message.header.prefix_len = prefix;
        message.attributes = vec![
            AddressAttribute::Address(peer),
            AddressAttribute::Local("192.0.2.1".parse().unwrap()),
        ];
        new_address(message).unwrap()
    };
    let told = |text| Change::Address(2, net(text));
    assert_eq!(peer(24, "192.0.2.1"), told("192.0.2.1/24"));
    assert_eq!(peer(24, "192.0.2.2"), told("192.0.2.1/24"));
    assert_eq!(peer(24, "198.51.100.1"), told("192.0.2.1/32"));
}

#[test]
fn addresses_that_are_not_certain_to_be_unique_do_not_count() {
    for flag in [AddressFlags::Tentative, AddressFlags::Dadfailed] {
        let gone = Some(Change::AddressGone(2, net("2001:db8::1/64")));
        let mut message = address(2, "2001:db8::1/64");
        message.attributes.push(AddressAttribute::Flags(flag));
        assert_eq!(new_address(message), gone);

        // Kernels of old have them only in the header.
        let mut message = address(2, "2001:db8::1/64");
        let byte = u8::try_from(flag.bits()).unwrap();
        message.header.flags = AddressHeaderFlags::from_bits_retain(byte);
        assert_eq!(new_address(message), gone);
    }
}

#[test]
fn vips_that_we_have_assigned_do_not_count() {
    let with = |protocol| {
        let mut message = address(2, "192.0.2.1/32");
        let protocol = AddressAttribute::Protocol(AddressProtocol::from(protocol));
        message.attributes.push(protocol);
        new_address(message)
    };
    let address = net("192.0.2.1/32");
    assert_eq!(with(67), Some(Change::AddressGone(2, address)));
    assert_eq!(with(3), Some(Change::Address(2, address)));
}

#[test]
fn an_impossible_prefix_is_passed_over() {
    let mut message = address(2, "192.0.2.1/32");
    message.header.prefix_len = 33;
    assert_eq!(new_address(message), None);
}

proptest! {
    /// Beside a model that is slow and obvious.
    #[test]
    fn the_table_is_what_its_changes_say(changes in prop::collection::vec(change(), 0..40)) {
        let mut table = Table::default();
        let (mut links, mut addresses) = (BTreeMap::new(), Vec::new());
        for change in changes {
            table.apply(change.clone());
            match change {
                Change::Link(index, link) => {
                    links.insert(index, link.name);
                }
                Change::LinkGone(index) => {
                    links.remove(&index);
                    addresses.retain(|(of, _)| *of != index);
                }
                Change::Address(index, net) => addresses.push((index, net)),
                Change::AddressGone(index, net) => addresses.retain(|one| *one != (index, net)),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let expected: Vec<_> = links.into_iter().map(|(index, name)| {
            let of_it = addresses.iter().filter(|(of, _)| *of == index);
            (index, name, of_it.map(|(_, net)| *net).collect::<Vec<_>>())
        }).collect();
        let list = table.list().into_iter();
        let found: Vec<_> = list.map(|one| (one.index, one.name, one.addresses)).collect();
        prop_assert_eq!(found, expected);
    }
}

fn change() -> impl Strategy<Value = Change> {
    let net = (0..3u8).prop_map(|host| IpNet::new([192, 0, 2, host].into(), 24).unwrap());
    let link = "[ab]".prop_map(|name| Link {
        name: name.into(),
        mac: None,
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        lower: None,
    });
    prop_oneof![
        3 => (1..4u32, link).prop_map(|(index, link)| Change::Link(index, link)),
        1 => (1..4u32).prop_map(Change::LinkGone),
        5 => (1..4u32, net.clone()).prop_map(|(index, net)| Change::Address(index, net)),
        2 => (1..4u32, net).prop_map(|(index, net)| Change::AddressGone(index, net)),
    ]
}
