//! Connecting to a peer.

use std::io;
use std::net::SocketAddr;

use carillon_core::config::Peer;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::options::set_options;

/// Connects to a peer. Takes as long as the kernel lets it.
pub(super) async fn connect(peer: &Peer) -> io::Result<TcpStream> {
    let remote = SocketAddr::new(peer.address, peer.port);
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    set_options(&socket, peer)?;
    if let Some(source) = peer.source_address {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    TcpSocket::from_std_stream(socket.into())
        .connect(remote)
        .await
}
