//! What systemd is told of this daemon (sd_notify(3), Type=notify).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::debug;

#[cfg(test)]
mod tests;

/// Where a service manager listens, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

/// What it can be told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice {
    /// The daemon does its work.
    Ready,
    /// It is alive (`WatchdogSec=`).
    Alive,
    /// It is about to end.
    Stopping,
}

impl Notifier {
    /// The manager that has started this process, if it wants to know (`NOTIFY_SOCKET`).
    pub(crate) fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        Self::to(&name).unwrap_or_else(|error| {
            debug!(%error, ?name, "NOTIFY_SOCKET is of no use");
            Self::default()
        })
    }

    /// One that listens on the socket of this name: a path, or an abstract one after `@`.
    pub(crate) fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self(Some((socket, address))))
    }

    /// Tells it. A manager that does not read misses it.
    pub(crate) fn tell(&self, notice: Notice) {
        let text = match notice {
            Notice::Ready => "READY=1",
            Notice::Alive => "WATCHDOG=1",
            Notice::Stopping => "STOPPING=1",
        };
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(text.as_bytes(), address)
        {
            debug!(%error, text, "the service manager is not told");
        }
    }
}
