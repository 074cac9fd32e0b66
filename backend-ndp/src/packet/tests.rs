use std::ops::RangeInclusive;

use carillon_layer2::{Coverage, Link, Protocol, Saying};
use etherparse::icmpv6::NdpOptionSlice;
use etherparse::{Icmpv6Type, SlicedPacket};
use proptest::prelude::*;

use super::*;
use crate::Ndp;

const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const PEER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12ab, 0xcdef);
const PEER_ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 3);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ANY: RangeInclusive<IpAddr> = IpAddr::V6(VIP)..=IpAddr::V6(VIP);

fn own_mark() -> Mark {
    Mark::of("alpha", 7)
}

fn frame_of(saying: Saying) -> Vec<u8> {
    let mut frames = Vec::new();
    let source = IpAddr::V6(LOCAL);
    let link = Link { mac: OWN, source };
    Ndp::encode(saying, link, own_mark(), &mut |frame| {
        frames.push(frame.to_vec());
    });
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

fn question(address: Ipv6Addr) -> Question {
    Question {
        target: IpAddr::V6(VIP),
        asker: Asker {
            mac: PEER,
            address: IpAddr::V6(address),
        },
        nonce: 0,
    }
}

/// What another implementation finds in a frame.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Ethernet and IPv6 destination.
    to: ([u8; 6], Ipv6Addr),
    source: Ipv6Addr,
    target: Ipv6Addr,
    /// Router, solicited, override; `None` for a solicitation.
    flags: Option<[bool; 3]>,
    option: Option<[u8; 6]>,
}

fn seen(frame: &[u8]) -> Option<Seen> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(etherparse::LinkSlice::Ethernet2(ethernet)) = packet.link else {
        return None;
    };
    let Some(etherparse::NetSlice::Ipv6(ip)) = packet.net else {
        return None;
    };
    let Some(etherparse::TransportSlice::Icmpv6(icmp)) = packet.transport else {
        return None;
    };
    let header = ip.header();
    assert!(icmp.is_checksum_valid(header.source(), header.destination()));
    assert_eq!(header.hop_limit(), 255);
    let (target, flags, option) = match icmp.icmp_type() {
        Icmpv6Type::NeighborSolicitation => {
            let solicit =
                etherparse::icmpv6::NeighborSolicitationPayloadSlice::from_slice(icmp.payload())
                    .ok()?;
            let option = solicit
                .options_iterator()
                .flatten()
                .find_map(|one| match one {
                    NdpOptionSlice::SourceLinkLayerAddress(one) => {
                        one.link_layer_address().try_into().ok()
                    }
                    _ => None,
                });
            (solicit.target_address(), None, option)
        }
        Icmpv6Type::NeighborAdvertisement(advert) => {
            let slice =
                etherparse::icmpv6::NeighborAdvertisementPayloadSlice::from_slice(icmp.payload())
                    .ok()?;
            let option = slice
                .options_iterator()
                .flatten()
                .find_map(|one| match one {
                    NdpOptionSlice::TargetLinkLayerAddress(one) => {
                        one.link_layer_address().try_into().ok()
                    }
                    _ => None,
                });
            let flags = [advert.router, advert.solicited, advert.r#override];
            (slice.target_address(), Some(flags), option)
        }
        _ => return None,
    };
    Some(Seen {
        to: (ethernet.destination(), header.destination_addr()),
        source: header.source_addr(),
        target,
        flags,
        option,
    })
}

#[test]
fn an_announcement_overrides_what_all_nodes_remember() {
    let expected = Seen {
        to: ([0x33, 0x33, 0, 0, 0, 1], ALL_NODES),
        source: VIP,
        target: VIP,
        flags: Some([false, false, true]),
        option: Some(OWN.0),
    };
    let frame = frame_of(Saying::Announcement(IpAddr::V6(VIP)));
    assert_eq!(seen(&frame), Some(expected));
}

#[test]
fn an_answer_goes_to_the_asker_and_overrides() {
    let expected = Seen {
        to: (PEER.0, PEER_ADDRESS),
        source: VIP,
        target: VIP,
        flags: Some([false, true, true]),
        option: Some(OWN.0),
    };
    let frame = frame_of(Saying::Answer(question(PEER_ADDRESS)));
    assert_eq!(seen(&frame), Some(expected));
}

#[test]
fn who_has_no_address_is_answered_with_all_nodes() {
    let answer = frame_of(Saying::Answer(question(Ipv6Addr::UNSPECIFIED)));
    assert_eq!(answer, frame_of(Saying::Announcement(IpAddr::V6(VIP))));
}

#[test]
fn a_probe_asks_the_solicited_node_group() {
    let expected = Seen {
        to: (
            [0x33, 0x33, 0xff, 0xab, 0xcd, 0xef],
            "ff02::1:ffab:cdef".parse().unwrap(),
        ),
        source: LOCAL,
        target: VIP,
        flags: None,
        option: Some(OWN.0),
    };
    assert_eq!(
        seen(&frame_of(Saying::Probe(IpAddr::V6(VIP)))),
        Some(expected)
    );
}

#[test]
fn all_that_we_say_has_our_mark() {
    let sayings = [
        Saying::Announcement(IpAddr::V6(VIP)),
        Saying::Answer(question(PEER_ADDRESS)),
        Saying::Probe(IpAddr::V6(VIP)),
    ];
    for saying in sayings {
        let message = decode(&frame_of(saying)).unwrap();
        assert_eq!(message.mark, Some(own_mark()));
    }
}

/// A frame with this ICMPv6 message, valid in all else.
fn frame(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
    frame.extend(PEER.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend([58, 255]);
    frame.extend(source.octets());
    frame.extend(destination.octets());
    frame.extend(message);
    if let Some(icmp) = Icmpv6Packet::new(message) {
        let sum = checksum(&icmp, &source, &destination);
        frame[56..58].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

fn message(kind: u8, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    message.extend(VIP.octets());
    message.extend(options);
    message
}

const SOURCE_OPTION: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 9];
const TARGET_OPTION: [u8; 8] = [2, 1, 2, 0, 0, 0, 0, 9];
const NONCE: [u8; 8] = [14, 1, 1, 2, 3, 4, 5, 6];
const OPTION_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

#[test]
fn solicitations_of_all_kinds_ask() {
    let group = solicited_node(VIP);
    let both = [NONCE, SOURCE_OPTION].concat();
    let cases: [(Ipv6Addr, Ipv6Addr, &[u8], MacAddress); 5] = [
        (PEER_ADDRESS, group, &SOURCE_OPTION, OPTION_MAC),
        (PEER_ADDRESS, group, &both, OPTION_MAC),
        (PEER_ADDRESS, group, &[], PEER),
        // What a neighbour asks that only wants to know whether the VIP is still there.
        (PEER_ADDRESS, VIP, &[], PEER),
        (Ipv6Addr::UNSPECIFIED, group, &NONCE, PEER),
    ];
    for (source, destination, options, mac) in cases {
        let frame = frame(source, destination, &message(135, 0, options));
        let mut question = question(source);
        question.asker.mac = mac;
        let expected = Message {
            station: mac,
            claim: (mac == OPTION_MAC).then_some(IpAddr::V6(source)),
            is_direct: false,
            question: Some(question),
            mark: None,
            nonce: 0,
        };
        assert_eq!(decode(&frame), Some(expected), "{source} {options:?}");
        assert!(Ndp::filter(OWN, &Coverage::Spans(vec![ANY])).passes(2, &frame));
        assert!(
            !Ndp::filter(PEER, &Coverage::Spans(vec![ANY])).passes(2, &frame),
            "ours"
        );
    }
}

#[test]
fn advertisements_claim() {
    let cases: [(Ipv6Addr, u8, &[u8], MacAddress); 3] = [
        (ALL_NODES, 0x20, &TARGET_OPTION, OPTION_MAC),
        (PEER_ADDRESS, 0x60, &TARGET_OPTION, OPTION_MAC),
        (PEER_ADDRESS, 0x40, &[], PEER),
    ];
    for (destination, flags, options, station) in cases {
        let frame = frame(LOCAL, destination, &message(136, flags, options));
        let expected = Message {
            station,
            claim: Some(IpAddr::V6(VIP)),
            is_direct: false,
            question: None,
            mark: None,
            nonce: 0,
        };
        assert_eq!(decode(&frame), Some(expected));
        assert!(Ndp::filter(OWN, &Coverage::Spans(vec![ANY])).passes(2, &frame));
    }
}

#[test]
fn a_mark_is_found_behind_other_options_and_of_this_version_only() {
    let octets = &own_mark().encode(0)[..14];
    let whole = [&[253, 2], octets].concat();
    let other_type = [&[254, 2], octets].concat();
    let mut other_version = whole.clone();
    other_version[6] = 9;
    let short: [u8; 8] = whole[..8].try_into().unwrap();
    let short = [&[253, 1], &short[2..]].concat();
    let cases = [
        (vec![&TARGET_OPTION[..], &NONCE, &whole], Some(own_mark())),
        (vec![&other_version, &whole], Some(own_mark())),
        (vec![&short, &whole], Some(own_mark())),
        (vec![&short], None),
        (vec![&other_type], None),
        (vec![&other_version], None),
    ];
    for (options, expected) in cases {
        let options = options.concat();
        let frame = frame(LOCAL, ALL_NODES, &message(136, 0x20, &options));
        assert_eq!(decode(&frame).unwrap().mark, expected, "{options:?}");
    }
}

#[test]
fn what_rfc_4861_finds_invalid_says_nothing() {
    let group = solicited_node(VIP);
    let unspecified = Ipv6Addr::UNSPECIFIED;
    let asked: [(Ipv6Addr, Ipv6Addr, &[u8], &str); 7] = [
        (ALL_NODES, group, &[], "a group as the source"),
        (unspecified, VIP, &[], "DAD by unicast"),
        (unspecified, group, &SOURCE_OPTION, "DAD with an option"),
        (LOCAL, group, &[1, 0, 0, 0, 0, 0, 0, 0], "an empty option"),
        (LOCAL, group, &[1, 2, 0, 0, 0, 0, 0, 0], "a cut option"),
        (LOCAL, group, &[1], "half an option"),
        (LOCAL, group, &[1, 1, 1, 0, 0, 0, 0, 9], "a group's MAC"),
    ];
    for (source, destination, options, what) in asked {
        let frame = frame(source, destination, &message(135, 0, options));
        assert_eq!(decode(&frame), None, "{what}");
    }
    let told = [
        (LOCAL, message(136, 0x40, &[]), "solicited by a group"),
        (unspecified, message(136, 0, &[]), "from nobody"),
        (LOCAL, message(133, 0, &[]), "another message"),
        (LOCAL, message(136, 0, &[])[..20].to_vec(), "a short one"),
    ];
    for (source, message, what) in told {
        assert_eq!(decode(&frame(source, ALL_NODES, &message)), None, "{what}");
    }
    let mut group_target = message(135, 0, &[]);
    group_target[8] = 0xff;
    assert_eq!(decode(&frame(PEER_ADDRESS, group, &group_target)), None);
}

#[test]
fn what_is_no_ndp_says_nothing() {
    let group = solicited_node(VIP);
    let valid = frame(PEER_ADDRESS, group, &message(135, 0, &SOURCE_OPTION));
    let cases = [
        (13, 0, "no IPv6"),
        (14, 0x40, "version 4"),
        (19, 40, "longer than the frame"),
        (20, 0, "an extension header"),
        (21, 254, "forwarded"),
        (55, 1, "a code"),
        (57, 0, "a wrong checksum"),
        (70, 1, "a damaged target"),
    ];
    for (at, value, what) in cases {
        let mut frame = valid.clone();
        assert_ne!(frame[at], value, "{what}");
        frame[at] = value;
        assert_eq!(decode(&frame), None, "{what}");
    }
    for length in 0..valid.len() {
        assert_eq!(decode(&valid[..length]), None, "{length} octets");
    }
}

proptest! {
    #[test]
    fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&octets);
    }

    /// Changed messages with right checksums: what is understood is what another implementation
    /// reads, and it passes the kernel's filter.
    #[test]
    fn what_is_understood_is_what_another_reads(
        kind in 135..137_u8,
        flags in any::<u8>(),
        from_nobody in any::<bool>(),
        destination in prop::sample::select(vec![VIP, PEER_ADDRESS, ALL_NODES, solicited_node(VIP)]),
        options in prop::collection::vec(
            prop::sample::select(vec![SOURCE_OPTION, TARGET_OPTION, NONCE]), 0..4),
        is_marked in any::<bool>(),
        changes in prop::collection::vec((0..56_usize, any::<u8>()), 0..3),
    ) {
        let source = if from_nobody { Ipv6Addr::UNSPECIFIED } else { PEER_ADDRESS };
        let mark = is_marked.then(|| [&[253, 2], &own_mark().encode(0)[..14]].concat());
        let options = [options.concat(), mark.unwrap_or_default()].concat();
        let mut octets = message(kind, flags, &options);
        for (at, value) in changes {
            if let Some(octet) = octets.get_mut(at) {
                *octet = value;
            }
        }
        octets[2..4].fill(0);
        let frame = frame(source, destination, &octets);
        let Some(message) = decode(&frame) else {
            return Ok(());
        };
        prop_assert!(Ndp::filter(OWN, &Coverage::Spans(vec![ANY])).passes(0, &frame));
        let seen = seen(&frame).unwrap();
        prop_assert_eq!(message.station.0, seen.option.unwrap_or(PEER.0));
        if let Some(question) = message.question {
            prop_assert_eq!(seen.flags, None);
            prop_assert_eq!(question.target, IpAddr::V6(seen.target));
            prop_assert_eq!(question.asker.address, IpAddr::V6(source));
        } else {
            prop_assert_eq!(message.claim, Some(IpAddr::V6(seen.target)));
        }
    }
}
