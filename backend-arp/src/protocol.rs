//! ARP as a protocol of layer 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use carillon_core::address::Family;
use carillon_core::interface::{Interface, MacAddress};
use carillon_core::mark::Mark;
use carillon_layer2::{Coverage, Filter, Link, Message, Protocol, Saying};

use crate::packet::{self, ETHERTYPE};

#[cfg(test)]
mod tests;

/// The Address Resolution Protocol for IPv4 on Ethernet (RFC 826, RFC 5227).
#[derive(Clone, Copy, Debug)]
pub struct Arp;

impl Protocol for Arp {
    const NAME: &'static str = "arp";
    const FAMILY: Family = Family::V4;
    const ETHERTYPE: u16 = ETHERTYPE;

    fn link(interface: &Interface) -> Result<Link, String> {
        let mac = interface.mac.ok_or("it has no Ethernet address")?;
        if !interface.has_own_address(Family::V4) {
            return Err("it has no IPv4 address (one of 169.254.0.0/16 does not count)".to_owned());
        }
        let source = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Link { mac, source })
    }

    fn filter(mac: MacAddress, addresses: &Coverage) -> Filter {
        let filter = packet::filter(mac);
        let spans = match addresses {
            Coverage::Blocks(blocks) => return filter.word_among(packet::ADDRESSES, blocks),
            Coverage::Spans(spans) => spans.iter(),
        };
        let bounds = spans.filter_map(|span| match (span.start(), span.end()) {
            (IpAddr::V4(least), IpAddr::V4(most)) => Some((least.to_bits(), most.to_bits())),
            (IpAddr::V4(_) | IpAddr::V6(_), IpAddr::V4(_) | IpAddr::V6(_)) => None,
        });
        filter.word_within(packet::ADDRESSES, &bounds.collect::<Vec<_>>())
    }

    fn decode(frame: &[u8]) -> Option<Message> {
        packet::decode(frame)
    }

    fn encode(saying: Saying, link: Link, mark: Mark, send: &mut dyn FnMut(&[u8])) {
        packet::encode(saying, link.mac, mark, send);
    }

    fn group(_vip: IpAddr) -> Option<Ipv6Addr> {
        None
    }
}
