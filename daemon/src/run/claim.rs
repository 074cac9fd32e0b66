//! That there is one daemon for a node.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::sleep;
use tracing::warn;

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
pub(super) fn claim(node: &str) -> Result<UnixListener, Refused> {
    let failed = |error| Refused::Failed(node.to_owned(), error);
    let address = SocketAddr::from_abstract_name(name(node)).map_err(failed)?;
    UnixListener::bind_addr(&address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Refused::Taken(node.to_owned()),
        _ => failed(error),
    })
}

/// Claims the node as soon as the daemon that has it has ended, and the status socket is free: a pod
/// that ended for that reason would be started again and again.
pub(super) async fn await_claim(node: &str, socket: &Path) -> Result<UnixListener> {
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

/// The name of the socket that stands for a node. Of a long one it has the beginning, and a hash.
fn name(node: &str) -> Vec<u8> {
    let mut name = format!("carillon/{node}").into_bytes();
    if name.len() > NAME_BYTES {
        let hash = format!("~{:016x}", fnv(node));
        name.truncate(NAME_BYTES - hash.len());
        name.extend_from_slice(hash.as_bytes());
    }
    name
}

/// FNV-1a of 64 bits: other versions of Carillon must come to the same.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
