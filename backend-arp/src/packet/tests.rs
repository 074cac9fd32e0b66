use std::ops::RangeInclusive;

use carillon_layer2::{Coverage, Link, Protocol};
use etherparse::{ArpOperation as Operation, SlicedPacket};
use proptest::prelude::*;

use super::*;
use crate::Arp;

const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const PEER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);
const PEER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);
const EVERYWHERE: RangeInclusive<IpAddr> =
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)..=IpAddr::V4(Ipv4Addr::BROADCAST);

fn mark() -> Mark {
    Mark::of("alpha", 7)
}

fn frames(saying: Saying) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let source = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let link = Link { mac: OWN, source };
    Arp::encode(saying, link, mark(), &mut |frame| {
        frames.push(frame.to_vec());
    });
    frames
}

fn question(address: Ipv4Addr) -> Question {
    Question {
        target: IpAddr::V4(VIP),
        asker: Asker {
            mac: PEER,
            address: IpAddr::V4(address),
        },
        nonce: 5,
    }
}

/// What another implementation finds in a frame: to whom, operation, sender, target.
#[derive(Debug, PartialEq)]
struct Seen {
    to: [u8; 6],
    operation: Operation,
    sender: ([u8; 6], [u8; 4]),
    target: ([u8; 6], [u8; 4]),
}

fn seen(frame: &[u8]) -> Seen {
    assert_eq!(frame.len(), 60, "the shortest frame of an Ethernet");
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(etherparse::LinkSlice::Ethernet2(ethernet)) = &packet.link else {
        panic!("no Ethernet: {packet:?}");
    };
    assert_eq!(ethernet.source(), OWN.0);
    let Some(etherparse::NetSlice::Arp(arp)) = &packet.net else {
        panic!("no ARP: {packet:?}");
    };
    Seen {
        to: ethernet.destination(),
        operation: arp.operation(),
        sender: (
            arp.sender_hw_addr().try_into().unwrap(),
            arp.sender_protocol_addr().try_into().unwrap(),
        ),
        target: (
            arp.target_hw_addr().try_into().unwrap(),
            arp.target_protocol_addr().try_into().unwrap(),
        ),
    }
}

#[test]
fn an_announcement_is_a_request_and_a_reply_about_the_sender() {
    let seen: Vec<Seen> = frames(Saying::Announcement(IpAddr::V4(VIP)))
        .iter()
        .map(|frame| seen(frame))
        .collect();
    let sender = (OWN.0, VIP.octets());
    let to = [0xff; 6];
    let request = Seen {
        to,
        operation: Operation::REQUEST,
        sender,
        target: ([0; 6], VIP.octets()),
    };
    let reply = Seen {
        to,
        operation: Operation::REPLY,
        sender,
        target: sender,
    };
    assert_eq!(seen, [request, reply]);
}

#[test]
fn an_answer_goes_to_the_asker() {
    for asker in [PEER_ADDRESS, Ipv4Addr::UNSPECIFIED] {
        let frames = frames(Saying::Answer(question(asker)));
        let [frame] = frames.as_slice() else {
            panic!("one frame: {frames:?}");
        };
        let expected = Seen {
            to: PEER.0,
            operation: Operation::REPLY,
            sender: (OWN.0, VIP.octets()),
            target: (PEER.0, asker.octets()),
        };
        assert_eq!(seen(frame), expected);
    }
}

#[test]
fn a_probe_claims_nothing() {
    let frames = frames(Saying::Probe(IpAddr::V4(VIP)));
    let [frame] = frames.as_slice() else {
        panic!("one frame: {frames:?}");
    };
    let expected = Seen {
        to: [0xff; 6],
        operation: Operation::REQUEST,
        sender: (OWN.0, [0; 4]),
        target: ([0; 6], VIP.octets()),
    };
    assert_eq!(seen(frame), expected);
    let message = Message {
        station: OWN,
        claim: None,
        is_direct: false,
        question: Some(Question {
            target: IpAddr::V4(VIP),
            asker: Asker {
                mac: OWN,
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            },
            nonce: 0,
        }),
        mark: Some(mark()),
        nonce: 0,
    };
    assert_eq!(decode(frame), Some(message));
}

#[test]
fn announcements_and_answers_are_claims() {
    let to_all = frames(Saying::Announcement(IpAddr::V4(VIP)));
    let to_one = frames(Saying::Answer(question(PEER_ADDRESS)));
    let all = to_all.into_iter().map(|frame| (frame, false));
    for (frame, is_direct) in all.chain(to_one.into_iter().map(|frame| (frame, true))) {
        let claim = Message {
            station: OWN,
            claim: Some(IpAddr::V4(VIP)),
            is_direct,
            question: None,
            mark: Some(mark()),
            nonce: if is_direct { 5 } else { 0 },
        };
        assert_eq!(decode(&frame), Some(claim));
    }
}

#[test]
fn the_other_family_is_not_spoken_of() {
    let other: IpAddr = "2001:db8::1".parse().unwrap();
    let mut question = question(PEER_ADDRESS);
    assert!(frames(Saying::Announcement(other)).is_empty());
    assert!(frames(Saying::Probe(other)).is_empty());
    question.target = other;
    assert!(frames(Saying::Answer(question)).is_empty());
}

/// A request as a Linux host sends it.
fn request() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(PEER.0);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(PEER.0);
    frame.extend(PEER_ADDRESS.octets());
    frame.extend([0; 6]);
    frame.extend(VIP.octets());
    frame
}

#[test]
fn a_request_asks_and_claims() {
    let message = Message {
        station: PEER,
        claim: Some(IpAddr::V4(PEER_ADDRESS)),
        is_direct: false,
        question: Some(Question {
            nonce: 0,
            ..question(PEER_ADDRESS)
        }),
        mark: None,
        nonce: 0,
    };
    assert_eq!(decode(&request()), Some(message));
}

#[test]
fn what_is_not_arp_for_ipv4_says_nothing() {
    let cases = [
        (13, 0, "another type of frame"),
        (15, 6, "hardware that is no Ethernet"),
        (17, 1, "another protocol"),
        (18, 8, "longer hardware addresses"),
        (19, 16, "longer protocol addresses"),
        (21, 3, "a reverse request"),
        (20, 1, "a large operation"),
        (22, 1, "a group as the sender"),
    ];
    for (at, value, what) in cases {
        let mut frame = request();
        frame[at] = value;
        assert_eq!(decode(&frame), None, "{what}");
        let filtered = Arp::filter(OWN, &Coverage::Spans(vec![EVERYWHERE]));
        if at != 22 {
            assert!(!filtered.passes(0, &frame), "{what}");
        }
    }
    let mut nobody = request();
    nobody[22..28].fill(0);
    assert_eq!(decode(&nobody), None, "a sender without address");
    for length in 0..42 {
        assert_eq!(decode(&request()[..length]), None, "{length} octets");
    }
}

#[test]
fn the_kernel_keeps_out_what_concerns_no_vip() {
    let vips = |least: &str, most: &str| least.parse().unwrap()..=most.parse().unwrap();
    let cases = [
        ("10.9.0.100", "10.9.0.100", true),
        ("10.9.0.3", "10.9.0.3", true),
        ("10.9.0.4", "10.9.0.99", false),
        ("10.9.0.101", "10.10.0.0", false),
        ("0.0.0.0", "255.255.255.255", true),
    ];
    for (least, most, passes) in cases {
        let filter = Arp::filter(OWN, &Coverage::Spans(vec![vips(least, most)]));
        assert_eq!(filter.passes(1, &request()), passes, "{least} to {most}");
    }
    assert!(
        !Arp::filter(PEER, &Coverage::Spans(vec![EVERYWHERE])).passes(1, &request()),
        "ours"
    );
}

#[test]
fn a_frame_that_was_cut_or_filled_up_otherwise_has_no_mark() {
    let frame = frames(Saying::Probe(IpAddr::V4(VIP))).remove(0);
    for length in 42..56 {
        let message = decode(&frame[..length]).unwrap();
        assert_eq!(message.mark, None, "{length} octets");
    }
    let mut filled = frame[..42].to_vec();
    filled.extend([0; 18]);
    assert_eq!(decode(&filled).unwrap().mark, None);
    // What a tag of a VLAN leaves behind.
    let longer = [&frame[..], &[0; 4]].concat();
    assert_eq!(decode(&longer).unwrap().mark, Some(mark()));
}

proptest! {
    #[test]
    fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&octets);
        let _ = decode(&[request(), octets].concat()).unwrap();
    }

    /// Changed requests: what is understood is what another implementation reads, and it passes the
    /// kernel's filter.
    #[test]
    fn what_is_understood_is_what_another_reads(
        changes in prop::collection::vec((12..42_usize, any::<u8>()), 0..4),
        trailer in prop::collection::vec(any::<u8>(), 0..18),
    ) {
        let mut frame = request();
        frame.extend(trailer);
        for (at, value) in changes {
            frame[at] = value;
        }
        let Some(message) = decode(&frame) else {
            return Ok(());
        };
        prop_assert!(Arp::filter(OWN, &Coverage::Spans(vec![EVERYWHERE])).passes(1, &frame) || message.station == OWN);
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(etherparse::NetSlice::Arp(arp)) = packet.net else {
            return Err(TestCaseError::fail("no ARP"));
        };
        prop_assert_eq!(arp.sender_hw_addr(), message.station.0);
        let sender: [u8; 4] = arp.sender_protocol_addr().try_into().unwrap();
        prop_assert_eq!(message.claim.is_some(), sender != [0; 4]);
        if let Some(question) = message.question {
            prop_assert_eq!(arp.operation(), Operation::REQUEST);
            let target: [u8; 4] = arp.target_protocol_addr().try_into().unwrap();
            prop_assert_eq!(question.target, IpAddr::from(target));
            prop_assert_eq!(question.asker.address, IpAddr::from(sender));
        }
    }
}
