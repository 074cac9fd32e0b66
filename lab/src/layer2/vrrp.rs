//! Advertisements of VRRPv3 (RFC 5798), as anybody on the segment can send them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Result;
use socket2::{Domain, Protocol, Socket, Type};

use super::frame::checksum;
use crate::host::Host;

/// Its IP protocol.
const VRRP: u8 = 112;
/// All VRRP routers.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Routers do not listen to what has been forwarded.
const HOPS: u32 = 255;
/// What advertisements say of their interval, in hundredths of a second.
const INTERVAL: u16 = 100;

/// Somebody who advertises addresses.
pub struct Vrrp {
    socket: Socket,
    source: Ipv4Addr,
}

/// What is advertised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The virtual router id.
    pub router: u8,
    /// The priority; 255 is that of the owner of the addresses, to whom everybody yields.
    pub priority: u8,
    /// The addresses of the virtual router.
    pub addresses: Vec<Ipv4Addr>,
}

impl Vrrp {
    /// Opens a socket at an address of a host.
    pub fn open(host: &Host, source: Ipv4Addr) -> Result<Self> {
        let open = || -> io::Result<Socket> {
            let protocol = Protocol::from(i32::from(VRRP));
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))?;
            socket.bind(&SocketAddrV4::new(source, 0).into())?;
            socket.set_multicast_if_v4(&source)?;
            socket.set_multicast_ttl_v4(HOPS)?;
            Ok(socket)
        };
        let socket = host.enter(open)??;
        Ok(Self { socket, source })
    }

    /// Sends an advertisement to all routers.
    pub fn advertise(&self, advertisement: &Advertisement) -> io::Result<()> {
        self.send(&advertisement.encode(self.source))
    }

    /// Sends the same with a wrong checksum.
    pub fn advertise_damaged(&self, advertisement: &Advertisement) -> io::Result<()> {
        let mut packet = advertisement.encode(self.source);
        if let Some(octet) = packet.get_mut(6) {
            *octet ^= 1;
        }
        self.send(&packet)
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        let group = SocketAddrV4::new(GROUP, 0).into();
        self.socket.send_to(packet, &group).map(drop)
    }
}

impl Advertisement {
    /// The packet without its IP header, RFC 5798 section 5.1.
    fn encode(&self, source: Ipv4Addr) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).unwrap_or(u8::MAX);
        let [high, low] = INTERVAL.to_be_bytes();
        let mut packet = vec![0x31, self.router, self.priority, count, high, low, 0, 0];
        packet.extend(self.addresses.iter().flat_map(Ipv4Addr::octets));
        let length = u8::try_from(packet.len()).unwrap_or(u8::MAX);
        let pseudo = [&source.octets()[..], &GROUP.octets(), &[0, VRRP, 0, length]].concat();
        let sum = checksum(pseudo.iter().chain(&packet));
        if let Some(field) = packet.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_an_advertisement_with_its_pseudo_header_is_right() {
        let source = Ipv4Addr::new(192, 0, 2, 50);
        let advertisement = Advertisement {
            router: 51,
            priority: 255,
            addresses: vec![Ipv4Addr::new(192, 0, 2, 100)],
        };
        let packet = advertisement.encode(source);
        assert_eq!(packet[..6], [0x31, 51, 255, 1, 0, 100]);
        assert_eq!(packet[8..], [192, 0, 2, 100]);
        let pseudo = [&source.octets()[..], &GROUP.octets(), &[0, 112, 0, 12]].concat();
        assert_eq!(checksum(pseudo.iter().chain(&packet)), 0);
    }
}
