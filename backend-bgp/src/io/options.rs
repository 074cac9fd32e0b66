//! The options that BGP wants of the sockets of a connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use carillon_core::config::{Password, Peer};
use socket2::{SockAddr, SockAddrStorage, Socket};

/// The longest password that the kernel takes (`TCP_MD5SIG_MAXKEYLEN`).
const MAX_PASSWORD: usize = libc::TCP_MD5SIG_MAXKEYLEN;
/// DSCP CS6, network control: "bits 0-2 of the DSCP field set to 110" (RFC 4271 appendix E).
const TRAFFIC_CLASS: u32 = 0xc0;
/// The hop limit of a multihop session.
const MULTIHOP_TTL: u32 = 255;

/// Sets them, as the settings of the peer have it.
///
/// # Errors
/// The kernel does not take one of them.
pub(super) fn set_options(socket: &Socket, peer: &Peer) -> io::Result<()> {
    let remote = SocketAddr::new(peer.address, peer.port);
    socket.set_tcp_nodelay(true)?;
    if let Some(password) = &peer.password {
        set_md5(socket, remote, password)?;
    }
    match remote {
        SocketAddr::V4(_) => socket.set_tos_v4(TRAFFIC_CLASS)?,
        SocketAddr::V6(_) => socket.set_tclass_v6(TRAFFIC_CLASS)?,
    }
    if let Some(ttl) = ttl(peer) {
        match remote {
            SocketAddr::V4(_) => socket.set_ttl_v4(ttl)?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(ttl)?,
        }
    }
    Ok(())
}

/// The hop limit: external sessions can be held to one hop, or let over many; for all others the
/// kernel has its default.
fn ttl(peer: &Peer) -> Option<u32> {
    match peer.ebgp_multihop {
        _ if peer.is_internal() => None,
        Some(false) => Some(1),
        Some(true) => Some(MULTIHOP_TTL),
        None => None,
    }
}

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C)]
struct TcpMd5Sig {
    address: SockAddrStorage,
    flags: u8,
    prefix_len: u8,
    key_len: u16,
    interface: libc::c_int,
    key: [u8; MAX_PASSWORD],
}

/// Signs all segments to and from the peer (RFC 2385).
fn set_md5(socket: &Socket, remote: SocketAddr, password: &Password) -> io::Result<()> {
    let octets = password.0.as_bytes();
    let mut key = [0; MAX_PASSWORD];
    let (Some(place), Ok(key_len)) = (key.get_mut(..octets.len()), u16::try_from(octets.len()))
    else {
        let (is, limit) = (octets.len(), MAX_PASSWORD);
        let text = format!("the password has {is} octets, TCP MD5 takes at most {limit}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    place.copy_from_slice(octets);
    let length = u32::try_from(size_of::<TcpMd5Sig>()).map_err(io::Error::other)?;
    let option = TcpMd5Sig {
        address: SockAddr::from(remote).as_storage(),
        flags: 0,
        prefix_len: 0,
        key_len,
        interface: 0,
        key,
    };
    #[expect(unsafe_code, reason = "no crate wraps this socket option")]
    // SAFETY: the pointer and the length are those of a live `struct tcp_md5sig`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MD5SIG,
            (&raw const option).cast(),
            length,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    let text = format!("this kernel does not take a TCP MD5 password: {error}");
    Err(io::Error::new(error.kind(), text))
}
