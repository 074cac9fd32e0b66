//! Packet sockets: frames as they are on the wire.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::host::Host;

/// `ETH_P_ALL` in network byte order, as a packet socket wants it.
const ALL: i32 = 0x0003_u16.to_be() as i32;
/// How long a receiver waits before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(50);
/// Enough for a burst of some 10 000 small frames.
const BUFFER: usize = 32 << 20;

/// ARP, Neighbour Solicitations and Advertisements, without what this host sends: (code, jump if
/// true, jump if false, operand).
const FILTER: [(u16, u8, u8, u32); 11] = [
    // The type of packet: outgoing ones go to the end.
    (0x20, 0, 0, 0xffff_f004),
    (0x15, 8, 0, 4),
    // The EtherType: ARP.
    (0x28, 0, 0, 12),
    (0x15, 5, 0, 0x0806),
    // IPv6 with ICMPv6 of type 135 or 136.
    (0x15, 0, 5, 0x86dd),
    (0x30, 0, 0, 20),
    (0x15, 0, 3, 58),
    (0x30, 0, 0, 54),
    (0x35, 0, 1, 135),
    (0x06, 0, 0, 0xffff),
    (0x06, 0, 0, 0),
];

/// A socket that receives every frame of ARP and Neighbour Discovery that comes in on any interface
/// of a host, and sends what it is given.
pub struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens one on a host.
    pub fn open(host: &Host) -> Result<Self> {
        let socket = host.enter(|| -> io::Result<Socket> {
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(ALL)))?;
            let filter =
                FILTER.map(|(code, yes, no, operand)| SockFilter::new(code, yes, no, operand));
            socket.attach_filter(&filter)?;
            socket.set_recv_buffer_size(BUFFER)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        })?;
        Ok(Self(socket.context("no packet socket")?))
    }

    /// The next frame and the index of the interface that it came in on; `None` when none came for
    /// a while.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
        match recvfrom::<LinkAddr>(self.0.as_raw_fd(), buffer) {
            Ok((length, from)) => Ok(Some((length, from.map_or(0, |from| from.ifindex())))),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a frame out of an interface, see [`interface`].
    pub fn send(&self, interface: &LinkAddr, frame: &[u8]) -> io::Result<()> {
        sendto(self.0.as_raw_fd(), frame, interface, MsgFlags::empty())?;
        Ok(())
    }
}

/// An interface of a host.
pub fn interface(host: &Host, name: &str) -> Result<LinkAddr> {
    let found = host.enter(|| -> nix::Result<_> {
        let mut all = getifaddrs()?.filter(|entry| entry.interface_name == name);
        Ok(all.find_map(|entry| entry.address?.as_link_addr().copied()))
    })??;
    found.with_context(|| format!("{} has no {name}", host.name()))
}
