//! NDP as a protocol of layer 2.

use std::net::{IpAddr, Ipv6Addr};

use carillon_core::address::Family;
use carillon_core::interface::{Interface, MacAddress};
use carillon_core::mark::Mark;
use carillon_layer2::{Coverage, Filter, Link, Message, Protocol, Saying};

use ipnet::IpNet;

use crate::packet::{self, ETHERTYPE, solicited_node};

#[cfg(test)]
mod tests;

/// Neighbour discovery for IPv6 on Ethernet (RFC 4861), as far as addresses are resolved.
#[derive(Clone, Copy, Debug)]
pub struct Ndp;

impl Protocol for Ndp {
    const NAME: &'static str = "ndp";
    const FAMILY: Family = Family::V6;
    const ETHERTYPE: u16 = ETHERTYPE;

    fn link(interface: &Interface) -> Result<Link, String> {
        let mac = interface.mac.ok_or("it has no Ethernet address")?;
        let mut addresses = interface.addresses.iter().map(IpNet::addr);
        let source = addresses.find(
            |address| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()),
        );
        let source = source.ok_or(
            "it has no link-local IPv6 address, without which there is no NDP; enable IPv6 on it \
             (sysctl net.ipv6.conf.*.disable_ipv6, addr_gen_mode)",
        )?;
        Ok(Link { mac, source })
    }

    // The solicited-node groups keep nearly all out that concerns others.
    fn filter(mac: MacAddress, _addresses: &Coverage) -> Filter {
        packet::filter(mac)
    }

    fn decode(frame: &[u8]) -> Option<Message> {
        packet::decode(frame)
    }

    fn encode(saying: Saying, link: Link, mark: Mark, send: &mut dyn FnMut(&[u8])) {
        if let IpAddr::V6(source) = link.source {
            packet::encode(saying, (link.mac, source), mark, send);
        }
    }

    fn group(vip: IpAddr) -> Option<Ipv6Addr> {
        match vip {
            IpAddr::V6(vip) => Some(solicited_node(vip)),
            IpAddr::V4(_) => None,
        }
    }
}
