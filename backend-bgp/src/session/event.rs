//! What a session and its owner tell each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use carillon_core::config::Peer;

use crate::export::Routes;
use crate::packet::Notification;

/// What happens to a session.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// It is wanted.
    Start,
    /// It is no longer wanted: withdraw everything, send this NOTIFICATION, and end.
    Stop(Notification),
    /// These are the routes to announce.
    Routes(Routes),
    /// These are the settings of the peer; those that differ need no other session.
    Peer(Arc<Peer>),
    /// TCP is connected, from this address.
    Connected(SocketAddr),
    /// TCP could not connect.
    ConnectFailed(io::Error),
    /// The connection was closed by the peer, or failed.
    Closed(Option<io::Error>),
    /// The peer sent these octets.
    Received(&'a [u8]),
    /// This many octets of [`Session::poll_transmit`](super::Session::poll_transmit) are written.
    Written(usize),
    /// The peer's TCP has acknowledged all that is written.
    Acknowledged,
}

/// What a session wants of its owner, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Connect to the peer.
    Connect,
    /// Close the connection, after these octets if the peer takes them; or stop connecting.
    Disconnect(Vec<u8>),
    /// The session is Established.
    Up,
    /// It no longer is, or an attempt failed for a new reason.
    Down(String),
}
