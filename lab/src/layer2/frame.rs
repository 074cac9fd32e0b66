//! ARP and Neighbour Discovery on Ethernet, read and written without the code under test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use carillon_core::interface::MacAddress;

#[cfg(test)]
mod tests;

const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;
/// All stations.
const BROADCAST: MacAddress = MacAddress([0xff; 6]);

/// A frame of ARP or Neighbour Discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The station that sent it.
    pub source: MacAddress,
    /// The station or group that it is for.
    pub destination: MacAddress,
    /// What it says.
    pub message: Message,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// ARP.
    Arp(Arp),
    /// A Neighbour Solicitation.
    Solicitation {
        /// The asker's address; `::` when it looks for duplicates of its own.
        from: Ipv6Addr,
        /// The address asked for.
        target: Ipv6Addr,
        /// The source link-layer option.
        link: Option<MacAddress>,
    },
    /// A Neighbour Advertisement.
    Advertisement {
        /// The IPv6 destination.
        to: Ipv6Addr,
        /// The address that the sender has.
        target: Ipv6Addr,
        /// R, S and O.
        flags: [bool; 3],
        /// The target link-layer option.
        link: Option<MacAddress>,
        /// 255 in every valid one.
        hop_limit: u8,
    },
}

/// An ARP packet for IPv4 on Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Otherwise it is a reply.
    pub is_request: bool,
    /// The sender's hardware address.
    pub sender_mac: MacAddress,
    /// The sender's address; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The target's hardware address.
    pub target_mac: MacAddress,
    /// The address asked for, or that of the one who asked.
    pub target: Ipv4Addr,
}

impl Frame {
    /// Reads a frame; `None` if it is of another kind, or cut short.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let destination = mac(bytes, 0)?;
        let source = mac(bytes, 6)?;
        let message = match u16::from_be_bytes(array(bytes, 12)?) {
            ARP => parse_arp(bytes.get(14..)?)?,
            IPV6 => parse_ipv6(bytes.get(14..)?)?,
            _ => return None,
        };
        Some(Self {
            source,
            destination,
            message,
        })
    }

    /// The address that the sender says to have, and the station that has it: what neighbours
    /// believe.
    pub fn claim(&self) -> Option<(IpAddr, MacAddress)> {
        match self.message {
            Message::Arp(arp) => {
                (!arp.sender.is_unspecified()).then(|| (arp.sender.into(), arp.sender_mac))
            }
            Message::Solicitation { from, link, .. } => Some((from.into(), link?)),
            Message::Advertisement { target, link, .. } => {
                Some((target.into(), link.unwrap_or(self.source)))
            }
        }
    }
}

fn parse_arp(packet: &[u8]) -> Option<Message> {
    let ethernet_and_ipv4 = packet.starts_with(&[0, 1, 8, 0, 6, 4]);
    let operation = u16::from_be_bytes(array(packet, 6)?);
    (ethernet_and_ipv4 && (1..=2).contains(&operation)).then_some(())?;
    Some(Message::Arp(Arp {
        is_request: operation == 1,
        sender_mac: mac(packet, 8)?,
        sender: array::<4>(packet, 14)?.into(),
        target_mac: mac(packet, 18)?,
        target: array::<4>(packet, 24)?.into(),
    }))
}

fn parse_ipv6(packet: &[u8]) -> Option<Message> {
    let icmp = packet.get(40..)?;
    (*packet.get(6)? == ICMPV6).then_some(())?;
    let (from, to): ([u8; 16], [u8; 16]) = (array(packet, 8)?, array(packet, 24)?);
    let target: [u8; 16] = array(icmp, 8)?;
    let options = icmp.get(24..)?;
    match *icmp.first()? {
        SOLICITATION => Some(Message::Solicitation {
            from: from.into(),
            target: target.into(),
            link: link(options, SOURCE_LINK),
        }),
        ADVERTISEMENT => {
            let flags = *icmp.get(4)?;
            Some(Message::Advertisement {
                to: to.into(),
                target: target.into(),
                flags: [0x80, 0x40, 0x20].map(|bit| flags & bit != 0),
                link: link(options, TARGET_LINK),
                hop_limit: *packet.get(7)?,
            })
        }
        _ => None,
    }
}

/// The link-layer option of this type.
fn link(mut options: &[u8], wanted: u8) -> Option<MacAddress> {
    loop {
        let (kind, length) = (*options.first()?, usize::from(*options.get(1)?) * 8);
        if kind == wanted {
            return mac(options, 2);
        }
        options = options.get(length.max(8)..)?;
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn mac(bytes: &[u8], at: usize) -> Option<MacAddress> {
    array(bytes, at).map(MacAddress)
}

/// An ARP frame, for all if it is a request or says something of its sender only, or else for its
/// target.
pub fn arp(packet: &Arp) -> Vec<u8> {
    let for_all = packet.is_request || packet.sender == packet.target;
    let destination = if for_all {
        BROADCAST
    } else {
        packet.target_mac
    };
    let mut frame = ethernet(destination, packet.sender_mac, ARP);
    let operation = if packet.is_request { 1 } else { 2 };
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(packet.sender_mac.0);
    frame.extend(packet.sender.octets());
    frame.extend(packet.target_mac.0);
    frame.extend(packet.target.octets());
    frame
}

/// A Neighbour Solicitation to the target's group, or to a station that is believed to have the
/// target. From `::` it looks for duplicates.
pub fn solicitation(
    source: MacAddress,
    from: Ipv6Addr,
    target: Ipv6Addr,
    believed: Option<MacAddress>,
) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    );
    let (to, destination) = match believed {
        Some(station) => (target, station),
        None => (group, MacAddress([0x33, 0x33, 0xff, a, b, c])),
    };
    let option = (!from.is_unspecified()).then_some((SOURCE_LINK, source));
    let frame = ethernet(destination, source, IPV6);
    discovery(frame, (from, to), (SOLICITATION, 0), target, option)
}

/// A Neighbour Advertisement to all nodes, with the flags O only.
pub fn advertisement(source: MacAddress, target: Ipv6Addr) -> Vec<u8> {
    let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let frame = ethernet(MacAddress([0x33, 0x33, 0, 0, 0, 1]), source, IPV6);
    let option = Some((TARGET_LINK, source));
    discovery(frame, (target, to), (ADVERTISEMENT, 0x20), target, option)
}

fn ethernet(destination: MacAddress, source: MacAddress, kind: u16) -> Vec<u8> {
    [&destination.0[..], &source.0, &kind.to_be_bytes()].concat()
}

fn discovery(
    mut frame: Vec<u8>,
    (from, to): (Ipv6Addr, Ipv6Addr),
    (kind, flags): (u8, u8),
    target: Ipv6Addr,
    option: Option<(u8, MacAddress)>,
) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(target.octets());
    if let Some((kind, mac)) = option {
        icmp.extend([kind, 1]);
        icmp.extend(mac.0);
    }
    let length = u8::try_from(icmp.len()).unwrap_or(u8::MAX);
    let pseudo = [
        &from.octets()[..],
        &to.octets(),
        &[0, 0, 0, length, 0, 0, 0, ICMPV6],
    ]
    .concat();
    let sum = checksum(pseudo.iter().chain(&icmp));
    if let Some(field) = icmp.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend(icmp);
    frame
}

/// The Internet checksum of an even number of octets.
pub(super) fn checksum<'a>(octets: impl Iterator<Item = &'a u8>) -> u16 {
    let mut sum = 0_u32;
    for (index, octet) in octets.enumerate() {
        sum += u32::from(*octet) << if index % 2 == 0 { 8 } else { 0 };
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
