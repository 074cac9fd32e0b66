//! Neighbour solicitations and advertisements in Ethernet frames (RFC 4861).
//!
//! Decoding never panics, whatever the octets.

use std::net::{IpAddr, Ipv6Addr};

use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_layer2::{Asker, Filter, Message, Question};
use pnet_base::MacAddr;
use pnet_packet::Packet;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmpv6::ndp::{
    NdpOptionType, NdpOptionTypes, NeighborAdvertFlags, NeighborAdvertPacket, NeighborSolicitPacket,
};
use pnet_packet::icmpv6::{Icmpv6Code, Icmpv6Packet, Icmpv6Types, checksum};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::Ipv6Packet;

mod encode;
#[cfg(test)]
mod tests;

pub use encode::encode;

/// Of IPv6 frames.
pub const ETHERTYPE: u16 = 0x86dd;
/// What a packet has that no router has forwarded.
const HOP_LIMIT: u8 = 255;
/// The length of both messages before their options.
const OPTIONS: usize = 24;
/// The type of the option with our mark: one for experiments (RFC 4727), which receivers pass over
/// (RFC 4861 section 4.6).
const MARK: NdpOptionType = NdpOptionType(253);

/// The group where questions for an address are sent: those that share its last 24 bits.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0);
    Ipv6Addr::from_bits(group.to_bits() | address.to_bits() & 0x00ff_ffff)
}

/// What a frame says, if it is a solicitation or an advertisement that RFC 4861 sections 7.1.1 and
/// 7.1.2 find valid, and no extension headers precede it.
pub fn decode(frame: &[u8]) -> Option<Message> {
    let ethernet = EthernetPacket::new(frame)?;
    if ethernet.get_ethertype() != EtherTypes::Ipv6 {
        return None;
    }
    let station = station(ethernet.get_source())?;
    let ip = Ipv6Packet::new(ethernet.payload())?;
    let is_ndp = ip.get_version() == 6
        && ip.get_next_header() == IpNextHeaderProtocols::Icmpv6
        && ip.get_hop_limit() == HOP_LIMIT;
    let (source, destination) = (ip.get_source(), ip.get_destination());
    if !is_ndp || source.is_multicast() || source.is_loopback() {
        return None;
    }
    if ip.payload().len() != usize::from(ip.get_payload_length()) {
        return None;
    }
    let icmp = Icmpv6Packet::new(ip.payload())?;
    if icmp.get_icmpv6_code() != Icmpv6Code(0)
        || icmp.get_checksum() != checksum(&icmp, &source, &destination)
    {
        return None;
    }
    let is_direct = !ethernet.get_destination().is_multicast();
    match icmp.get_icmpv6_type() {
        Icmpv6Types::NeighborSolicit => {
            let solicit = NeighborSolicitPacket::new(icmp.packet())?;
            let message = solicitation(&solicit, station, source, destination)?;
            Some(Message {
                is_direct,
                ..message
            })
        }
        Icmpv6Types::NeighborAdvert => {
            let advert = NeighborAdvertPacket::new(icmp.packet())?;
            let message = advertisement(&advert, station, source, destination)?;
            Some(Message {
                is_direct,
                ..message
            })
        }
        _ => None,
    }
}

fn solicitation(
    solicit: &NeighborSolicitPacket<'_>,
    station: MacAddress,
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> Option<Message> {
    let target = unicast(solicit.get_target_addr())?;
    let option = link_layer_address(solicit.packet(), NdpOptionTypes::SourceLLAddr).ok()?;
    if source.is_unspecified() && (option.is_some() || destination != solicited_node(target)) {
        return None;
    }
    let (mark, nonce) = mark(solicit.packet()).unzip();
    let nonce = nonce.unwrap_or_default();
    Some(Message {
        station: option.unwrap_or(station),
        // Who says at what station the source is, has it.
        claim: option.map(|_| IpAddr::V6(source)),
        is_direct: false,
        question: Some(Question {
            target: IpAddr::V6(target),
            asker: Asker {
                mac: option.unwrap_or(station),
                address: IpAddr::V6(source),
            },
            nonce,
        }),
        mark,
        nonce,
    })
}

fn advertisement(
    advert: &NeighborAdvertPacket<'_>,
    station: MacAddress,
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> Option<Message> {
    let target = unicast(advert.get_target_addr())?;
    let option = link_layer_address(advert.packet(), NdpOptionTypes::TargetLLAddr).ok()?;
    let is_solicited = advert.get_flags() & NeighborAdvertFlags::Solicited != 0;
    if source.is_unspecified() || destination.is_multicast() && is_solicited {
        return None;
    }
    let (mark, nonce) = mark(advert.packet()).unzip();
    Some(Message {
        station: option.unwrap_or(station),
        claim: Some(IpAddr::V6(target)),
        is_direct: false,
        question: None,
        mark,
        nonce: nonce.unwrap_or_default(),
    })
}

/// An option does not say what it should.
struct BadOption;

/// The address in the first option of this type, if there is one.
fn link_layer_address(
    message: &[u8],
    wanted: NdpOptionType,
) -> Result<Option<MacAddress>, BadOption> {
    let mut rest = message.get(OPTIONS..).ok_or(BadOption)?;
    let mut found = None;
    while let [kind, length, ..] = *rest {
        let length = usize::from(length) * 8;
        if length == 0 {
            return Err(BadOption);
        }
        let (option, after) = rest.split_at_checked(length).ok_or(BadOption)?;
        if NdpOptionType(kind) == wanted && found.is_none() {
            let address = option.get(2..).and_then(|octets| octets.try_into().ok());
            let address: [u8; 6] = address.ok_or(BadOption)?;
            found = Some(station(MacAddr::from(address)).ok_or(BadOption)?);
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(found)
    } else {
        Err(BadOption)
    }
}

/// The mark in a message whose options were found valid, and its nonce.
fn mark(message: &[u8]) -> Option<(Mark, u32)> {
    let mut rest = message.get(OPTIONS..)?;
    while let [kind, length, ..] = *rest {
        let (option, after) = rest.split_at_checked(usize::from(length).max(1) * 8)?;
        let mark = option.get(2..).and_then(Mark::decode);
        if NdpOptionType(kind) == MARK && mark.is_some() {
            return mark;
        }
        rest = after;
    }
    None
}

/// Lets the frames through that [`decode`] understands, but not those of this station.
pub(crate) fn filter(mac: MacAddress) -> Filter {
    Filter::new()
        .half(12, &[ETHERTYPE])
        .byte(20, &[IpNextHeaderProtocols::Icmpv6.0])
        .byte(21, &[HOP_LIMIT])
        .byte(
            54,
            &[
                Icmpv6Types::NeighborSolicit.0,
                Icmpv6Types::NeighborAdvert.0,
            ],
        )
        .not_mac(6, mac)
}

/// The address of a single station; groups and nobody do not speak.
fn station(mac: MacAddr) -> Option<MacAddress> {
    let is_station = !mac.is_zero() && !mac.is_multicast();
    is_station.then(|| MacAddress(mac.octets()))
}

fn unicast(address: Ipv6Addr) -> Option<Ipv6Addr> {
    let is_unicast = !address.is_multicast() && !address.is_unspecified() && !address.is_loopback();
    is_unicast.then_some(address)
}
