//! What serves an address on a host: it answers datagrams, and says which host it is on.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use crate::host::Host;

const PATIENCE: Duration = Duration::from_millis(100);

/// Answers every datagram to an address with the same datagram, followed by a number that tells the
/// host. The host need not have the address yet.
pub struct Responder {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// The port on which it answers.
    pub const PORT: u16 = 7007;

    /// Starts one.
    pub fn start(host: &Host, address: IpAddr, number: u8) -> Result<Self> {
        let socket = host.enter(|| bind((address, Self::PORT).into()))?;
        let socket = socket.with_context(|| format!("no socket for {address}"))?;
        let ended: Arc<AtomicBool> = Arc::default();
        let end = ended.clone();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 64];
            while !end.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(buffer.get_mut(..63).unwrap_or_default())
                else {
                    continue;
                };
                if let Some(last) = buffer.get_mut(length) {
                    *last = number;
                }
                // Without the address, or a cable, it cannot be sent: nobody hears it, as in life.
                let _ = socket.send_to(buffer.get(..=length).unwrap_or_default(), from);
            }
        });
        Ok(Self {
            ended,
            thread: Some(thread),
        })
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
