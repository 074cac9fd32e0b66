//! The UDP socket of the daemons: of one family, or of both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A socket that belongs to no runtime yet.
#[derive(Debug)]
pub(super) struct Socket {
    inner: std::net::UdpSocket,
    bound: SocketAddr,
}

/// A socket in the runtime that waits for it. It says IPv4 addresses as such, also if it is one of
/// IPv6.
#[derive(Debug)]
pub(super) struct Registered {
    inner: UdpSocket,
    is_ipv6: bool,
}

impl Socket {
    /// At this address. That of no interface, `::`, is for IPv4 as well.
    ///
    /// # Errors
    /// The system refuses: the address is not there, or used by somebody else.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::open(address, false)
    }

    /// `is_shared`: another socket of this process that is, too, may be at the same address.
    fn open(address: SocketAddr, is_shared: bool) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_nonblocking(true)?;
        socket.set_reuse_port(is_shared)?;
        socket.bind(&address.into())?;
        let inner = std::net::UdpSocket::from(socket);
        let bound = inner.local_addr()?;
        Ok(Self { inner, bound })
    }

    /// At this port of all addresses, of both families where the system has both.
    ///
    /// # Errors
    /// The port is used by somebody else.
    pub(super) fn bind_all(port: u16) -> io::Result<Self> {
        let [all, v4] = [
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
        ]
        .map(|address| SocketAddr::new(address, port));
        match Self::bind(all) {
            Err(error) if is_without_ipv6(&error) => Self::bind(v4),
            result => result,
        }
    }

    /// Where it is bound.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Whether something can be sent there.
    pub(super) fn reaches(&self, address: IpAddr) -> bool {
        match (self.bound.ip(), address) {
            (IpAddr::V4(_), _) => address.is_ipv4(),
            (IpAddr::V6(bound), IpAddr::V4(_)) => bound.is_unspecified(),
            (IpAddr::V6(_), IpAddr::V6(_)) => true,
        }
    }

    /// Another one at the same address, which at no time is anybody else's. Its buffer is empty: what
    /// one interface does not send fills the buffer of a socket for all of them.
    ///
    /// # Errors
    /// The system has no more sockets.
    pub(super) fn renew(&mut self) -> io::Result<()> {
        SockRef::from(&self.inner).set_reuse_port(true)?;
        let other = Self::open(self.bound, true);
        let before = match other {
            Ok(other) => std::mem::replace(self, other),
            Err(error) => {
                SockRef::from(&self.inner).set_reuse_port(false)?;
                return Err(error);
            }
        };
        drop(before);
        // No other process may have the address, not even one of the same user.
        SockRef::from(&self.inner).set_reuse_port(false)
    }

    /// For the runtime of the calling thread.
    pub(super) fn register(&self) -> io::Result<Registered> {
        Ok(Registered {
            inner: UdpSocket::from_std(self.inner.try_clone()?)?,
            is_ipv6: self.bound.is_ipv6(),
        })
    }
}

impl Registered {
    /// Waits until there may be a datagram.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.inner.readable().await
    }

    /// The next datagram that is there.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.inner.try_recv_from(buffer)?;
        Ok((length, canonical(from)))
    }

    /// Sends a datagram, as soon as the buffer has room for it.
    ///
    /// # Errors
    /// The system refuses; [`io::ErrorKind::WouldBlock`]: there is no room within this time.
    pub(super) async fn send(
        &self,
        datagram: &[u8],
        to: SocketAddr,
        patience: Duration,
    ) -> io::Result<()> {
        let to = match to {
            SocketAddr::V4(v4) if self.is_ipv6 => mapped(v4),
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        };
        match timeout(patience, self.inner.send_to(datagram, to)).await {
            Ok(sent) => sent.map(|_| ()),
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn mapped(address: SocketAddrV4) -> SocketAddr {
    let ip = address.ip().to_ipv6_mapped();
    SocketAddrV6::new(ip, address.port(), 0, 0).into()
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let codes = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    let codes = codes.map(|code| Some(code as i32));
    codes.contains(&error.raw_os_error())
}

/// The address from which the kernel would send to another host. Nothing is sent.
pub(super) fn local_address_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let unspecified = match peer {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let probe = std::net::UdpSocket::bind((unspecified, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}
