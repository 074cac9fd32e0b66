use std::ops::RangeInclusive;

use carillon_layer2::{Link, Protocol, Saying};
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

fn frame_of(saying: Saying) -> Vec<u8> {
    let mut frames = Vec::new();
    let source = IpAddr::V6(LOCAL);
    Ndp::encode(saying, Link { mac: OWN, source }, &mut |frame| {
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
            let solicit = etherparse::icmpv6::NeighborSolicitationPayloadSlice::from_slice(
                icmp.payload(),
            )
            .ok()?;
            let option = solicit.options_iterator().flatten().find_map(|one| match one {
                NdpOptionSlice::SourceLinkLayerAddress(one) => {
                    one.link_layer_address().try_into().ok()
                }
                _ => None,
            });
            (solicit.target_address(), None, option)
        }
        Icmpv6Type::NeighborAdvertisement(advert) => {
            let slice = etherparse::icmpv6::NeighborAdvertisementPayloadSlice::from_slice(
                icmp.payload(),
            )
            .ok()?;
            let option = slice.options_iterator().flatten().find_map(|one| match one {
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
