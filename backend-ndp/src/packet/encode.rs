//! Frames to send.

use std::net::{IpAddr, Ipv6Addr};

use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
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

use super::{HOP_LIMIT, MARK, OPTIONS, solicited_node};

const ETHERNET: usize = 14;
const IP: usize = 40;
/// Both messages carry two options: a link-layer address and the mark.
const ADDRESS_OPTION: usize = 8;
const MARK_OPTION: usize = (2 + Mark::LENGTH).next_multiple_of(8);
const MESSAGE: usize = OPTIONS + ADDRESS_OPTION + MARK_OPTION;
const MESSAGE_LENGTH: u16 = 56;
const FRAME: usize = ETHERNET + IP + MESSAGE;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The ends of a packet, and who sends it.
#[derive(Clone, Copy)]
struct Ends {
    from: (MacAddress, Ipv6Addr),
    to: (MacAddress, Ipv6Addr),
    mark: Mark,
    nonce: u32,
}

/// Hands the frames that say this on an interface with these addresses to `send`. Addresses of the
/// other family are not spoken of.
pub fn encode(
    saying: Saying,
    (mac, source): (MacAddress, Ipv6Addr),
    mark: Mark,
    send: &mut dyn FnMut(&[u8]),
) {
    // The target is where an owner's advertisement comes from; there are receivers that demand it.
    let to = |source, to| Ends {
        from: (mac, source),
        to,
        mark,
        nonce: 0,
    };
    match saying {
        Saying::Announcement(IpAddr::V6(vip)) => {
            send(&unsolicited(vip, to(vip, multicast(ALL_NODES))));
        }
        // Somebody who checks whether the VIP is free is told so with all others.
        Saying::Answer(Question {
            target: IpAddr::V6(vip),
            asker:
                Asker {
                    address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                    ..
                },
            ..
        }) => send(&unsolicited(vip, to(vip, multicast(ALL_NODES)))),
        // Override: the asker may remember the station that had the VIP before.
        Saying::Answer(Question {
            target: IpAddr::V6(vip),
            asker:
                Asker {
                    mac: asker,
                    address: IpAddr::V6(address),
                },
            nonce,
        }) => {
            let flags = NeighborAdvertFlags::Solicited | NeighborAdvertFlags::Override;
            let ends = to(vip, (asker, address));
            send(&advertisement(vip, flags, Ends { nonce, ..ends }));
        }
        Saying::Probe(IpAddr::V6(vip)) => {
            send(&solicitation(
                vip,
                to(source, multicast(solicited_node(vip))),
            ));
        }
        // Who has no such address does not get what is sent to it, or does not answer.
        Saying::Inquiry(IpAddr::V6(vip), station, nonce) => {
            let ends = to(source, (station, vip));
            send(&solicitation(vip, Ends { nonce, ..ends }));
        }
        Saying::Announcement(IpAddr::V4(_))
        | Saying::Answer(_)
        | Saying::Probe(IpAddr::V4(_))
        | Saying::Inquiry(IpAddr::V4(_), ..) => {}
    }
}

fn unsolicited(vip: Ipv6Addr, ends: Ends) -> [u8; FRAME] {
    advertisement(vip, NeighborAdvertFlags::Override, ends)
}

fn advertisement(vip: Ipv6Addr, flags: u8, ends: Ends) -> [u8; FRAME] {
    frame(ends, NdpOptionTypes::TargetLLAddr, |message| {
        if let Some(mut advert) = MutableNeighborAdvertPacket::new(message) {
            advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
            advert.set_flags(flags);
            advert.set_target_addr(vip);
        }
    })
}

fn solicitation(vip: Ipv6Addr, ends: Ends) -> [u8; FRAME] {
    frame(ends, NdpOptionTypes::SourceLLAddr, |message| {
        if let Some(mut solicit) = MutableNeighborSolicitPacket::new(message) {
            solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
            solicit.set_target_addr(vip);
        }
    })
}

/// A frame with a message that `fill` writes, the options and the checksum excepted.
fn frame(ends: Ends, option: NdpOptionType, fill: impl FnOnce(&mut [u8])) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
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
    let (address, mark) = options.split_at_mut(ADDRESS_OPTION);
    put(option, &ends.from.0.0, address);
    put(MARK, &ends.mark.encode(ends.nonce), mark);
    let sum = Icmpv6Packet::new(message).map(|icmp| checksum(&icmp, &ends.from.1, &ends.to.1));
    if let (Some(sum), Some(mut icmp)) = (sum, MutableIcmpv6Packet::new(message)) {
        icmp.set_checksum(sum);
    }
    frame
}

/// Writes an option, as long as the place for it.
fn put(kind: NdpOptionType, data: &[u8], place: &mut [u8]) {
    let units = u8::try_from(place.len() / 8).unwrap_or_default();
    if let Some(mut option) = MutableNdpOptionPacket::new(place) {
        option.set_option_type(kind);
        option.set_length(units);
        option.set_data(data);
    }
}

/// The end that an IPv6 group is (RFC 2464 section 7).
fn multicast(group: Ipv6Addr) -> (MacAddress, Ipv6Addr) {
    let [.., a, b, c, d] = group.octets();
    (MacAddress([0x33, 0x33, a, b, c, d]), group)
}

fn hardware(mac: MacAddress) -> MacAddr {
    MacAddr::from(mac.0)
}
