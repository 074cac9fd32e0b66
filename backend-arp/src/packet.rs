//! ARP frames (RFC 826, RFC 5227).
//!
//! Behind the packet, where an Ethernet wants frames to be filled up, is our mark: receivers pass over
//! whatever is there.
//!
//! Decoding never panics, whatever the octets.

use std::net::{IpAddr, Ipv4Addr};

use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_layer2::{Asker, Filter, Message, Question, Saying};
use pnet_base::MacAddr;
use pnet_packet::arp::{
    ArpHardwareType, ArpHardwareTypes, ArpOperation, ArpOperations, ArpPacket, MutableArpPacket,
};
use pnet_packet::ethernet::{EtherType, EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet_packet::{MutablePacket, Packet};

#[cfg(test)]
mod tests;

/// Of ARP frames.
pub const ETHERTYPE: u16 = 0x0806;
/// The shortest frame that an Ethernet takes, without its check sequence.
const FRAME: usize = 60;
/// Where in a frame the addresses of the sender and the target are.
pub(crate) const ADDRESSES: [u32; 2] = [28, 38];
/// The length of an Ethernet header with an ARP packet.
const PACKET: usize = 14 + 28;
const BROADCAST: MacAddress = MacAddress([0xff; 6]);
const ZERO: MacAddress = MacAddress([0; 6]);

/// What an ARP packet is about; the rest is the same in all.
#[derive(Clone, Copy)]
struct Content {
    to: MacAddress,
    operation: ArpOperation,
    sender: Ipv4Addr,
    target: (MacAddress, Ipv4Addr),
    nonce: u32,
}

/// Hands the frames that say this on an interface with this Ethernet address to `send`. Addresses of
/// the other family are not spoken of.
pub fn encode(saying: Saying, from: MacAddress, mark: Mark, send: &mut dyn FnMut(&[u8])) {
    let mut put = |content| send(&frame(content, from, mark));
    let request = |to, sender, target| Content {
        to,
        operation: ArpOperations::Request,
        sender,
        target: (ZERO, target),
        nonce: 0,
    };
    let reply = |to, sender, target| Content {
        to,
        operation: ArpOperations::Reply,
        sender,
        target,
        nonce: 0,
    };
    match saying {
        // The first is the form of RFC 5227. Some stacks take replies only, and Linux takes a reply
        // over an entry of less than a second only if it is about its sender.
        Saying::Announcement(IpAddr::V4(vip)) => {
            put(request(BROADCAST, vip, vip));
            put(reply(BROADCAST, vip, (from, vip)));
        }
        Saying::Answer(Question {
            target: IpAddr::V4(vip),
            asker:
                Asker {
                    mac,
                    address: IpAddr::V4(asker),
                },
            nonce,
        }) => put(Content {
            nonce,
            ..reply(mac, vip, (mac, asker))
        }),
        Saying::Probe(IpAddr::V4(vip)) => put(request(BROADCAST, Ipv4Addr::UNSPECIFIED, vip)),
        Saying::Inquiry(IpAddr::V4(vip), station, nonce) => put(Content {
            nonce,
            ..request(station, Ipv4Addr::UNSPECIFIED, vip)
        }),
        Saying::Announcement(IpAddr::V6(_))
        | Saying::Answer(_)
        | Saying::Probe(IpAddr::V6(_))
        | Saying::Inquiry(IpAddr::V6(_), ..) => {}
    }
}

fn frame(content: Content, from: MacAddress, mark: Mark) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(hardware(content.to));
        ethernet.set_source(hardware(from));
        ethernet.set_ethertype(EtherTypes::Arp);
        if let Some(mut arp) = MutableArpPacket::new(ethernet.payload_mut()) {
            arp.set_hardware_type(ArpHardwareTypes::Ethernet);
            arp.set_protocol_type(EtherTypes::Ipv4);
            arp.set_hw_addr_len(6);
            arp.set_proto_addr_len(4);
            arp.set_operation(content.operation);
            arp.set_sender_hw_addr(hardware(from));
            arp.set_sender_proto_addr(content.sender);
            arp.set_target_hw_addr(hardware(content.target.0));
            arp.set_target_proto_addr(content.target.1);
        }
    }
    let padding = frame.get_mut(PACKET..PACKET + Mark::LENGTH);
    if let Some(padding) = padding {
        padding.copy_from_slice(&mark.encode(content.nonce));
    }
    frame
}

/// What a frame says, if it is ARP for IPv4 on Ethernet and makes sense.
pub fn decode(frame: &[u8]) -> Option<Message> {
    let ethernet = EthernetPacket::new(frame)?;
    if ethernet.get_ethertype() != EtherType(ETHERTYPE) {
        return None;
    }
    let arp = ArpPacket::new(ethernet.payload())?;
    let kind = (arp.get_hardware_type(), arp.get_protocol_type());
    let lengths = (arp.get_hw_addr_len(), arp.get_proto_addr_len());
    if kind != (ArpHardwareType(1), EtherTypes::Ipv4) || lengths != (6, 4) {
        return None;
    }
    let station = station(arp.get_sender_hw_addr())?;
    let (sender, target) = (arp.get_sender_proto_addr(), arp.get_target_proto_addr());
    let asks = match arp.get_operation() {
        // A request of the sender for itself is an announcement.
        ArpOperations::Request => sender != target && !target.is_unspecified(),
        ArpOperations::Reply => false,
        _ => return None,
    };
    let mark = frame.get(PACKET..).and_then(Mark::decode);
    let nonce = mark.map_or(0, |(_, nonce)| nonce);
    Some(Message {
        station,
        claim: (!sender.is_unspecified()).then_some(IpAddr::V4(sender)),
        is_direct: !ethernet.get_destination().is_multicast(),
        question: asks.then_some(Question {
            target: IpAddr::V4(target),
            asker: Asker {
                mac: station,
                address: IpAddr::V4(sender),
            },
            nonce,
        }),
        mark: mark.map(|(mark, _)| mark),
        nonce,
    })
}

/// Lets the frames through that [`decode`] understands, but not those of this station.
pub(crate) fn filter(mac: MacAddress) -> Filter {
    Filter::new()
        .half(12, &[ETHERTYPE])
        .word(14, 0x0001_0800)
        .half(18, &[0x0604])
        .half(20, &[1, 2])
        .not_mac(22, mac)
}

fn hardware(mac: MacAddress) -> MacAddr {
    MacAddr::from(mac.0)
}

/// The address of a single station; groups and nobody do not speak.
fn station(mac: MacAddr) -> Option<MacAddress> {
    let is_station = !mac.is_zero() && !mac.is_multicast();
    is_station.then(|| MacAddress(mac.octets()))
}
