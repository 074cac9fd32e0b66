//! Everything a router can do wrong, and what it is told.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use carillon_core::address::Family;
use proptest::prelude::*;

use super::pair::{Pair, ebgp, hosts, ibgp, open};
use crate::fsm::State;
use crate::packet::message::put_keepalive;
use crate::packet::{
    Capabilities, FamilySet, Message, Notification, Open, Reason, RouteRefresh, update,
};
use crate::session::{Event, Input};

fn refresh() -> RouteRefresh {
    RouteRefresh {
        afi: 1,
        subtype: 0,
        safi: 1,
    }
}

fn encoded(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut octets = Vec::new();
    put(&mut octets);
    octets
}

/// A message with any type and body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16], &length[..], &[kind], body].concat()
}

fn keepalive() -> Vec<u8> {
    encoded(put_keepalive)
}

fn end_of_rib() -> Vec<u8> {
    encoded(|out| update::put_end_of_rib(Family::V4, out))
}

/// An UPDATE whose lengths contradict each other.
fn broken_update() -> Vec<u8> {
    message(2, &[0, 9, 0, 0])
}

fn with(change: impl FnOnce(&mut Open)) -> Vec<u8> {
    let mut open = open();
    change(&mut open);
    encoded(|out| open.encode(out))
}

/// The router sends `octets`; the session ends with this reason.
#[track_caller]
fn ends(mut pair: Pair, octets: &[u8], reason: Reason) {
    let refused = pair.session.peer.clone();
    pair.input(Input::Received(octets));
    let (code, subcode) = reason.codes();
    let notification = pair.notification().map(|n| (n.code, n.subcode));
    assert_eq!(notification, Some((code, subcode)), "{}", pair.last_error());
    assert_eq!(pair.session.state, State::Active, "{refused:?}");
    assert!(matches!(
        pair.events[..],
        [.., Event::Disconnect(_), Event::Down(_)]
    ));
    assert!(pair.session.poll_timeout().is_some(), "it will try again");
}

#[test]
fn headers() {
    let bad_marker = [0; 19];
    let bad_length = [&[0xff; 16][..], &[0, 18, 4]].concat();
    let bad_type = message(9, &[]);
    for pair in [Pair::open_sent, Pair::open_confirm, Pair::established] {
        ends(pair(ebgp()), &bad_marker, Reason::ConnectionNotSynchronized);
        ends(pair(ebgp()), &bad_length, Reason::BadMessageLength);
        ends(pair(ebgp()), &bad_type, Reason::BadMessageType);
        ends(
            pair(ebgp()),
            b"SSH-2.0-OpenSSH_9.2p1 Debian",
            Reason::ConnectionNotSynchronized,
        );
    }
}

#[test]
fn opens() {
    let waiting = || Pair::open_sent(ebgp());
    ends(waiting(), &with(|open| open.asn = 64513), Reason::BadPeerAs);
    ends(
        waiting(),
        &with(|open| open.hold_time = 2),
        Reason::UnacceptableHoldTime,
    );
    let zero_id = with(|open| open.router_id = Ipv4Addr::UNSPECIFIED);
    ends(waiting(), &zero_id, Reason::BadBgpIdentifier);
    let only_v6 = with(|open| {
        open.capabilities.multiprotocol = Some(FamilySet::from_iter([Family::V6]));
    });
    ends(waiting(), &only_v6, Reason::UnsupportedCapability);
    let version_3 = message(1, &[3, 0xfc, 0, 0, 90, 1, 1, 1, 1, 0]);
    ends(waiting(), &version_3, Reason::UnsupportedVersion);
    let our_id = with(|open| open.router_id = "192.168.7.13".parse().unwrap());
    ends(Pair::open_sent(ibgp()), &our_id, Reason::BadBgpIdentifier);
}

#[test]
fn an_external_router_may_have_our_identifier() {
    let mut pair = Pair::open_sent(ebgp());
    pair.input(Input::Received(&with(|open| {
        open.router_id = "192.168.7.13".parse().unwrap();
    })));
    assert_eq!(pair.session.state, State::OpenConfirm);
}

#[test]
fn an_open_without_capabilities_is_enough_for_ipv4() {
    let mut pair = Pair::open_sent(ebgp());
    pair.input(Input::Routes(hosts(1)));
    pair.input(Input::Received(&with(|open| {
        open.capabilities = Capabilities::default();
    })));
    pair.say(put_keepalive);
    assert_eq!(pair.table.len(), 1);
}

#[test]
fn messages_that_have_no_place_in_their_state() {
    let open = encoded(|out| open().encode(out));
    let refresh = encoded(|out| refresh().encode(out));
    for octets in [keepalive(), end_of_rib(), broken_update(), refresh.clone()] {
        ends(
            Pair::open_sent(ebgp()),
            &octets,
            Reason::UnexpectedInOpenSent,
        );
    }
    for octets in [open.clone(), end_of_rib(), broken_update(), refresh] {
        ends(
            Pair::open_confirm(ebgp()),
            &octets,
            Reason::UnexpectedInOpenConfirm,
        );
    }
    let bad_open = with(|open| open.hold_time = 1);
    for octets in [open, bad_open] {
        ends(
            Pair::established(ebgp()),
            &octets,
            Reason::UnexpectedInEstablished,
        );
    }
}

/// RFC 6608 section 4.
#[test]
fn the_notification_for_an_unexpected_message_has_its_type() {
    let update = end_of_rib();
    for (mut pair, octets, kind) in [
        (Pair::open_sent(ebgp()), keepalive(), 4),
        (Pair::open_sent(ebgp()), broken_update(), 2),
        (Pair::open_confirm(ebgp()), update, 2),
        (
            Pair::established(ebgp()),
            encoded(|out| open().encode(out)),
            1,
        ),
    ] {
        pair.input(Input::Received(&octets));
        assert_eq!(pair.notification().unwrap().data, [kind]);
    }
}

#[test]
fn updates_that_cannot_be_read_end_the_session() {
    ends(
        Pair::established(ebgp()),
        &broken_update(),
        Reason::MalformedAttributeList,
    );
    let bad_prefix = message(2, &[0, 0, 0, 0, 33, 10, 0, 0, 0, 0]);
    ends(
        Pair::established(ebgp()),
        &bad_prefix,
        Reason::InvalidNetworkField,
    );
    let short_refresh = message(5, &[0, 1]);
    ends(
        Pair::established(ebgp()),
        &short_refresh,
        Reason::InvalidRouteRefreshLength,
    );
}

#[test]
fn updates_with_wrong_attributes_do_not() {
    let mut pair = Pair::established(ebgp());
    // A route without any of the mandatory attributes.
    let update = message(2, &[0, 0, 0, 0, 24, 10, 0, 0]);
    for _ in 0..3 {
        pair.input(Input::Received(&update));
    }
    assert_eq!(pair.session.state, State::Established);
    assert_eq!(pair.notification(), None);
    assert!(!pair.session.counters.faults.is_empty());
    assert!(pair.session.counters.faults.len() <= 3, "one for each kind");
}

#[test]
fn a_received_notification_is_not_answered() {
    for pair in [Pair::open_sent, Pair::open_confirm, Pair::established] {
        let mut pair = pair(ebgp());
        let text = "maintenance until 6";
        let cease = Notification::with_communication(Reason::AdministrativeShutdown, text);
        pair.say(|out| cease.encode(out));
        assert_eq!(pair.notification(), None);
        assert_eq!(pair.session.state, State::Active);
        assert!(pair.last_error().contains(text), "{}", pair.last_error());
    }
}

#[test]
fn what_comes_after_the_end_is_no_news() {
    let mut pair = Pair::established(ebgp());
    pair.say(|out| Notification::new(Reason::MaximumPrefixes).encode(out));
    let before = (pair.downs().len(), pair.last_error());
    pair.say(put_keepalive);
    pair.input(Input::Closed(Some(io::ErrorKind::ConnectionReset.into())));
    pair.input(Input::ConnectFailed(io::ErrorKind::TimedOut.into()));
    assert_eq!((pair.downs().len(), pair.last_error()), before);
}

#[test]
fn reasons_help() {
    let cases: [(Pair, Vec<u8>, &str); 6] = [
        (
            Pair::open_sent(ebgp()),
            with(|open| open.asn = 64513),
            "the router says it is AS 64513, the configuration says AS 64512",
        ),
        (
            Pair::open_sent(ebgp()),
            b"220 mail.example.com ESMTP".to_vec(),
            "192.168.7.10 does not speak BGP",
        ),
        (
            Pair::open_sent(ebgp()),
            encoded(|out| Notification::new(Reason::BadPeerAs).encode(out)),
            "it expects another AS number of this node than 64500",
        ),
        (
            Pair::established(ebgp()),
            encoded(|out| Notification::new(Reason::MaximumPrefixes).encode(out)),
            "Maximum Number of Prefixes Reached (6/1); raise its limit",
        ),
        (
            Pair::open_sent(ebgp()),
            keepalive(),
            "the router sent KEEPALIVE in state OpenSent",
        ),
        (
            Pair::open_sent(ebgp()),
            with(|open| {
                open.capabilities.multiprotocol = Some(FamilySet::from_iter([Family::V6]));
            }),
            "the router does not offer IPv4 unicast in this session",
        ),
    ];
    for (mut pair, octets, expected) in cases {
        pair.input(Input::Received(&octets));
        assert!(
            pair.last_error().contains(expected),
            "{}",
            pair.last_error()
        );
    }
}

#[test]
fn reasons_of_tcp_help() {
    let refused = io::ErrorKind::ConnectionRefused;
    let mut far = ebgp();
    far.ebgp_multihop = Some(false);
    let mut elsewhere = ebgp();
    elsewhere.source_address = Some("10.0.0.9".parse().unwrap());
    let cases = [
        (
            ebgp(),
            refused,
            "nothing listens on 192.168.7.10:179; is BGP running there?",
        ),
        (far, io::ErrorKind::HostUnreachable, "set ebgp-multihop"),
        (
            ebgp(),
            io::ErrorKind::NetworkUnreachable,
            "this node's routing table has none",
        ),
        (
            elsewhere,
            io::ErrorKind::AddrNotAvailable,
            "the source address 10.0.0.9 is not an address of this node",
        ),
    ];
    for (peer, kind, expected) in cases {
        let mut pair = Pair::new(peer);
        pair.input(Input::Start);
        pair.input(Input::ConnectFailed(kind.into()));
        assert!(
            pair.last_error().contains(expected),
            "{}",
            pair.last_error()
        );
    }
    let mut pair = Pair::open_sent(ebgp());
    pair.input(Input::Closed(None));
    assert_eq!(
        pair.last_error(),
        "the router closed the connection before its OPEN: is 192.168.7.13 configured as a \
         neighbour there?"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Octets(Vec<u8>),
    Mutated(usize, usize, u8),
    Connect,
    Fail,
    Close,
    Pass(u64),
    Routes(u32),
    Reads(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Step::Octets),
        8 => (0..6usize, any::<usize>(), prop_oneof![3 => Just(0u8), 1 => any::<u8>()])
            .prop_map(|(which, at, flip)| Step::Mutated(which, at, flip)),
        3 => Just(Step::Connect),
        1 => Just(Step::Fail),
        1 => Just(Step::Close),
        2 => (0..200u64).prop_map(Step::Pass),
        2 => (0..2000u32).prop_map(Step::Routes),
        1 => any::<bool>().prop_map(Step::Reads),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no panic, no timer that spins, and a stop ends it.
    #[test]
    fn anything_may_happen(steps in prop::collection::vec(step(), 1..60)) {
        let mut pair = Pair::new(ebgp());
        pair.input(Input::Start);
        for step in steps {
            match step {
                Step::Octets(octets) => pair.input(Input::Received(&octets)),
                Step::Mutated(which, at, flip) => {
                    let mut octets = match which {
                        0 | 1 => with(|_| ()),
                        2 | 3 => keepalive(),
                        4 => end_of_rib(),
                        _ => encoded(|out| refresh().encode(out)),
                    };
                    let at = at % octets.len();
                    octets[at] ^= flip;
                    pair.input(Input::Received(&octets));
                }
                Step::Connect if pair.session.state == State::Connect => pair.connect(),
                Step::Connect => {}
                Step::Fail if pair.session.state == State::Connect => {
                    pair.input(Input::ConnectFailed(io::ErrorKind::TimedOut.into()));
                }
                Step::Fail | Step::Close => pair.input(Input::Closed(None)),
                Step::Pass(seconds) => pair.pass(Duration::from_secs(seconds)),
                Step::Routes(count) => pair.input(Input::Routes(hosts(count))),
                Step::Reads(reads) => pair.reads = reads,
            }
            let (received, output) = pair.held();
            prop_assert!(output < 128 * 1024, "bounded");
            prop_assert!(received < 4096, "bounded");
        }
        pair.input(Input::Stop(Notification::new(Reason::PeerDeconfigured)));
        pair.pass(Duration::from_secs(5));
        prop_assert!(pair.session.is_finished());
        prop_assert_eq!(pair.session.poll_timeout(), None);
    }
}

#[test]
fn the_last_words_are_the_last() {
    let mut pair = Pair::established(ebgp());
    pair.input(Input::Routes(hosts(10)));
    pair.input(Input::Received(&[0; 19]));
    assert!(matches!(
        pair.received.last(),
        Some(Message::Notification(_))
    ));
}
