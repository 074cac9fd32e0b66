//! A way to the API server on which every answer takes its time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use carillon_lab::Host;
use rand::RngExt as _;

/// How long what the API server says is under way.
const TAKES: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(6);

/// Listens on a port of this host, for as long as the test runs, and passes everything on to
/// another. What comes back is late; but for the greetings, as a server greets before it works.
pub(crate) fn listen(host: &Host, port: u16, server: SocketAddr) -> Result<()> {
    host.enter(|| {
        let listener = TcpListener::bind(("0.0.0.0", port))?;
        // Its sockets are those of the host, as the thread is.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || pass_on(client, server));
            }
        });
        Ok(())
    })?
}

fn pass_on(client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let said = Arc::new(AtomicUsize::new(0));
    let (from, mut to) = (client.try_clone()?, server.try_clone()?);
    let counted = said.clone();
    thread::spawn(move || -> io::Result<()> {
        for_each_part(from, |part| {
            counted.fetch_add(1, Ordering::Relaxed);
            to.write_all(&part)
        })?;
        to.shutdown(Shutdown::Both)
    });
    let (sender, parts) = channel::<(Instant, Vec<u8>)>();
    let mut back = client;
    thread::spawn(move || -> io::Result<()> {
        for (at, part) in parts {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            back.write_all(&part)?;
        }
        back.shutdown(Shutdown::Both)
    });
    for_each_part(server, |part| {
        let is_greeting = said.load(Ordering::Relaxed) <= 1;
        let takes = if is_greeting {
            Duration::ZERO
        } else {
            rand::rng().random_range(TAKES)
        };
        let sent = sender.send((Instant::now() + takes, part));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    })
}

/// Reads until the end.
fn for_each_part(
    mut from: TcpStream,
    mut take: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        take(buffer.get(..read).unwrap_or_default().to_vec())?;
    }
}
