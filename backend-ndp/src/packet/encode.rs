//! Frames to send.

use std::net::{IpAddr, Ipv6Addr};

use carillon_core::interface::MacAddress;
use carillon_layer2::{Asker, Question, Saying};
use pnet_base::MacAddr;
use pnet_packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet_packet::icmpv6::ndp::{
    MutableNdpOptionPacket, MutableNeighborAdvertPacket, MutableNeighborSolicitPacket,
    NdpOptionType, NdpOptionTypes, NeighborAdvertFlags,
};
use pnet_packet::icmpv6::{Icmpv6Packet, Icmpv6Types, MutableIcmpv6Packet, checksum};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::MutableIpv6Packet;

use super::{HOP_LIMIT, OPTIONS, solicited_node};

const ETHERNET: usize = 14;
const IP: usize = 40;
/// Both messages carry one option: a link-layer address.
const MESSAGE: usize = OPTIONS + 8;
const MESSAGE_LENGTH: u16 = 32;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The ends of a packet.
#[derive(Clone, Copy)]
struct Ends {
    from: (MacAddress, Ipv6Addr),
    to: (MacAddress, Ipv6Addr),
}

/// Hands the frames that say this on an interface with these addresses to `send`. Addresses of the
/// other family are not spoken of.
pub fn encode(saying: Saying, mac: MacAddress, source: Ipv6Addr, send: &mut dyn FnMut(&[u8])) {
    let from = (mac, source);
    let to_group = |group| Ends {
        from,
        to: (multicast(group), group),
    };
    match saying {
        Saying::Announcement(IpAddr::V6(vip)) => {
            send(&advertisement(
                vip,
                NeighborAdvertFlags::Override,
                to_group(ALL_NODES),
            ));
        }
        Saying::Answer(Question {
            target: IpAddr::V6(vip),
            asker:
                Asker {
                    mac,
                    address: IpAddr::V6(asker),
                },
        }) => {
            // Override: the asker may remember the station that had the VIP before. Somebody who
            // checks whether the VIP is free is told so with all others.
            let frame = if asker.is_unspecified() {
                advertisement(vip, NeighborAdvertFlags::Override, to_group(ALL_NODES))
            } else {
                let flags = NeighborAdvertFlags::Solicited | NeighborAdvertFlags::Override;
                let to = (mac, asker);
                advertisement(vip, flags, Ends { from, to })
            };
            send(&frame);
        }
        Saying::Probe(IpAddr::V6(vip)) => {
            send(&solicitation(vip, to_group(solicited_node(vip))));
        }
        Saying::Announcement(IpAddr::V4(_)) | Saying::Answer(_) | Saying::Probe(IpAddr::V4(_)) => {}
    }
}

fn advertisement(vip: Ipv6Addr, flags: u8, ends: Ends) -> [u8; ETHERNET + IP + MESSAGE] {
    frame(ends, NdpOptionTypes::TargetLLAddr, |message| {
        if let Some(mut advert) = MutableNeighborAdvertPacket::new(message) {
            advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
            advert.set_flags(flags);
            advert.set_target_addr(vip);
        }
    })
}

fn solicitation(vip: Ipv6Addr, ends: Ends) -> [u8; ETHERNET + IP + MESSAGE] {
    frame(ends, NdpOptionTypes::SourceLLAddr, |message| {
        if let Some(mut solicit) = MutableNeighborSolicitPacket::new(message) {
            solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
            solicit.set_target_addr(vip);
        }
    })
}

/// A frame with a message that `fill` writes, the option and the checksum excepted.
fn frame(
    ends: Ends,
    option: NdpOptionType,
    fill: impl FnOnce(&mut [u8]),
) -> [u8; ETHERNET + IP + MESSAGE] {
    let mut frame = [0; ETHERNET + IP + MESSAGE];
    let (header, packet) = frame.split_at_mut(ETHERNET);
    let (ip_header, message) = packet.split_at_mut(IP);
    if let Some(mut ethernet) = MutableEthernetPacket::new(header) {
        ethernet.set_destination(hardware(ends.to.0));
        ethernet.set_source(hardware(ends.from.0));
        ethernet.set_ethertype(EtherTypes::Ipv6);
    }
    if let Some(mut ip) = MutableIpv6Packet::new(ip_header) {
        ip.set_version(6);
        ip.set_payload_length(MESSAGE_LENGTH);
        ip.set_next_header(IpNextHeaderProtocols::Icmpv6);
        ip.set_hop_limit(HOP_LIMIT);
        ip.set_source(ends.from.1);
        ip.set_destination(ends.to.1);
    }
    fill(message);
    let (_, options) = message.split_at_mut(OPTIONS);
    if let Some(mut address) = MutableNdpOptionPacket::new(options) {
        address.set_option_type(option);
        address.set_length(1);
        address.set_data(&ends.from.0.0);
    }
    let sum = Icmpv6Packet::new(message).map(|icmp| checksum(&icmp, &ends.from.1, &ends.to.1));
    if let (Some(sum), Some(mut icmp)) = (sum, MutableIcmpv6Packet::new(message)) {
        icmp.set_checksum(sum);
    }
    frame
}

/// The Ethernet address of an IPv6 group (RFC 2464 section 7).
fn multicast(group: Ipv6Addr) -> MacAddress {
    let [.., a, b, c, d] = group.octets();
    MacAddress([0x33, 0x33, a, b, c, d])
}

fn hardware(mac: MacAddress) -> MacAddr {
    MacAddr::from(mac.0)
}
