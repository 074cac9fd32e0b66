//! A connection in its three states.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use carillon_core::backend::BoxFuture;
use carillon_core::config::Peer;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::connect::connect;

/// How long a closed connection may take to hand over its last octets.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection to a peer.
pub(super) enum Link {
    /// There is none.
    Down,
    /// It is being made.
    Connecting(BoxFuture<io::Result<TcpStream>>),
    /// It is there.
    Up(TcpStream),
}

/// What happens to a connection.
pub(super) enum Happening {
    /// It is made, from this address, or could not be made.
    Connected(io::Result<SocketAddr>),
    /// It may be read or written.
    Ready,
}

impl Link {
    pub(super) fn connecting(peer: Arc<Peer>) -> Self {
        Self::Connecting(Box::pin(async move { connect(&peer).await }))
    }

    /// Waits for the next happening; it may be dropped and called again.
    pub(super) async fn next(&mut self, writing: bool) -> Happening {
        match self {
            Self::Down => std::future::pending().await,
            Self::Connecting(attempt) => {
                let outcome = attempt.await;
                let local = outcome.and_then(|stream| {
                    let local = stream.local_addr()?;
                    *self = Self::Up(stream);
                    Ok(local)
                });
                if local.is_err() {
                    *self = Self::Down;
                }
                Happening::Connected(local)
            }
            Self::Up(stream) => {
                let mut interest = Interest::READABLE;
                if writing {
                    interest |= Interest::WRITABLE;
                }
                // An error shows when the stream is used.
                let _ = stream.ready(interest).await;
                Happening::Ready
            }
        }
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Up(stream) => stream.try_read(buffer),
            Self::Down | Self::Connecting(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Whether the peer's TCP has acknowledged all that was written.
    pub(super) fn is_acknowledged(&self) -> bool {
        let Self::Up(stream) = self else {
            return true;
        };
        let mut octets: libc::c_int = 0;
        #[expect(unsafe_code, reason = "no crate wraps this request")]
        // SAFETY: the request writes an `int` (tcp(7), SIOCOUTQ), and the pointer is that of a live one.
        let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
        result == 0 && octets == 0
    }

    /// Has the kernel end the connection when what was written is not acknowledged, or finds no room
    /// with the peer, for this long (tcp(7), `TCP_USER_TIMEOUT`).
    pub(super) fn limit_silence(&self, time: Duration) {
        if let Self::Up(stream) = self
            && let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(time))
        {
            tracing::debug!(%error, "TCP_USER_TIMEOUT cannot be set");
        }
    }

    pub(super) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Up(stream) => stream.try_write(octets),
            Self::Down | Self::Connecting(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Closes a connection after these octets. What the peer still sends is read and dropped: closing
/// over unread octets would make the kernel reset the connection, and the peer lose our last
/// words.
pub(super) async fn close(mut stream: TcpStream, unsent: Vec<u8>) {
    let closing = async {
        stream.write_all(&unsent).await?;
        stream.shutdown().await?;
        let mut dropped = [0; 4096];
        while stream.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    // There is nobody to tell that the peer did not take them.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}
