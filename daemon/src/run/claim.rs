//! That there is one daemon for a node.

use std::io;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use carillon_core::hash::fnv64;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt};
use tokio::time::sleep;
use tracing::warn;

use crate::cli::Role;
use crate::socket;

#[cfg(test)]
mod tests;

/// How often to look whether another daemon has ended.
const LOOK: Duration = Duration::from_millis(100);
/// How long the name of an abstract socket may be (unix(7): 108 bytes, one of which is the zero).
const NAME_BYTES: usize = 107;

/// Why a node cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Another daemon has it.
    #[error(
        "another carillon is running on this host as node {0:?}: stop it, or give this one another \
         --node-name"
    )]
    Taken(String),
    /// All else.
    #[error("cannot claim the node name {0:?}")]
    Failed(String, #[source] io::Error),
}

/// Makes sure that no other daemon of this host speaks for the same node: two would tear down each
/// other's sessions. The kernel frees the name when the process ends, however it ends.
///
/// Any user of the host may have the name. Only a holder who could run a daemon here counts, root
/// or the user of this one; without the name, `None`, the daemon runs all the same.
pub(super) fn claim(node: &str) -> Result<Option<UnixListener>, Refused> {
    let failed = |error: io::Error| Refused::Failed(node.to_owned(), error);
    let name = name(node);
    let address = SocketAddr::from_abstract_name(&name).map_err(failed)?;
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let own = own_uid().map_err(failed)?;
            match holder(&name) {
                Ok(holder) if is_believed(holder, own) => Err(Refused::Taken(node.to_owned())),
                found => {
                    tell_of_stranger(node, found);
                    Ok(None)
                }
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Keeps the claim; who asks whose it is, is not left waiting.
pub(super) async fn hold(listener: Option<UnixListener>) {
    let listener = listener.and_then(|listener| {
        listener.set_nonblocking(true).ok()?;
        tokio::net::UnixListener::from_std(listener).ok()
    });
    loop {
        match &listener {
            Some(listener) => {
                if listener.accept().await.is_err() {
                    sleep(LOOK).await;
                }
            }
            None => std::future::pending().await,
        }
    }
}

/// Whether this user's word counts that a daemon is running.
fn is_believed(holder: u32, own: u32) -> bool {
    holder == 0 || holder == own
}

/// The user that listens under a name; it does not have to answer.
fn holder(name: &[u8]) -> nix::Result<u32> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let stream = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(stream.as_raw_fd(), &UnixAddr::new_abstract(name)?)?;
    Ok(getsockopt(&stream, PeerCredentials)?.uid())
}

fn own_uid() -> io::Result<u32> {
    let (stream, _peer) = UnixStream::pair()?;
    Ok(getsockopt(&stream, PeerCredentials)?.uid())
}

fn tell_of_stranger(node: &str, found: nix::Result<u32>) {
    let who = match found {
        Ok(uid) => format!("a program of the user {uid}"),
        Err(error) => format!("a program that does not say whose it is ({error})"),
    };
    warn!(
        "{who} has the socket by which carillon claims the node name {node:?} (@carillon/…): that \
         is no carillon of this host, and this one runs on without it"
    );
}

/// Claims the node as soon as the daemon that has it has ended, and the status socket is free: a pod
/// that ended for that reason would be started again and again.
pub(super) async fn await_claim(node: &str, socket: &Path) -> Result<Option<UnixListener>> {
    let mut told = false;
    let mut wait = async |what: anyhow::Error| {
        if !std::mem::replace(&mut told, true) {
            warn!("{what:#}; waiting until it has ended");
        }
        sleep(LOOK).await;
    };
    let claimed = loop {
        match claim(node) {
            Err(taken @ Refused::Taken(_)) => wait(taken.into()).await,
            claimed => break claimed?,
        }
    };
    while socket::is_answered(socket) {
        wait(anyhow!("another carillon answers on {}", socket.display())).await;
    }
    Ok(claimed)
}

/// The name of the socket that stands for a node. Of a long one it has the beginning, and a hash. Other
/// versions of Carillon must come to the same.
fn name(node: &str) -> Vec<u8> {
    let mut name = format!("carillon/{node}").into_bytes();
    if name.len() > NAME_BYTES {
        let hash = format!("~{:016x}", fnv64(node.as_bytes()));
        name.truncate(NAME_BYTES - hash.len());
        name.extend_from_slice(hash.as_bytes());
    }
    name
}

/// What no two daemons of a host may be. One that announces nothing stands in nobody's way but that
/// of another such; no node has a slash in its name.
pub(super) fn role_name(role: Role, node: &str) -> String {
    if role.announces() {
        node.to_owned()
    } else {
        format!("{node}/controller")
    }
}
