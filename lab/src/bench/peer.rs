//! The receiving BGP peer: one receiver for every sender that is measured.
//!
//! It listens, says only what a receiver must (OPEN, KEEPALIVE, its own End-of-RIB) and reports each
//! UPDATE with the time at which its bytes were read. Acknowledgements are never delayed
//! (`TCP_QUICKACK`), for senders that wait for them.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

pub mod wire;

use wire::Message;
pub use wire::Update;

/// Less than a third of any hold time in use.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The time between two KEEPALIVEs while a session's first routes are awaited.
const WAKE_INTERVAL: Duration = Duration::from_millis(1);
/// How long that goes on when no End-of-RIB comes.
const LOADING: Duration = Duration::from_secs(10);
const READ_SIZE: usize = 1 << 20;

/// A listening BGP speaker that receives from one neighbour at a time.
pub struct Peer {
    listener: Arc<Socket>,
    session: Arc<Mutex<Option<TcpStream>>>,
    events: Receiver<Event>,
}

/// Something that happened on the session.
#[derive(Debug)]
pub struct Event {
    /// When; for an UPDATE, when the last of its bytes was read from the socket.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
}

/// What happened on the session.
#[derive(Debug)]
pub enum EventKind {
    /// The neighbour's KEEPALIVE is here and ours, which makes it Established, is about to be written.
    Established,
    /// An UPDATE came.
    Update(Update),
    /// The session is over, with the reason.
    Closed(String),
}

impl Peer {
    /// Listens on `address` (in the network namespace of the calling thread; the sockets stay in
    /// it) and answers whoever connects as AS `asn`.
    pub fn listen(address: SocketAddr, asn: u32, router_id: Ipv4Addr) -> Result<Self> {
        let listener =
            Arc::new(listen(address).with_context(|| format!("cannot listen on {address}"))?);
        let session = Arc::new(Mutex::new(None));
        let (sender, events) = mpsc::channel();
        let (accepting, current) = (Arc::clone(&listener), Arc::clone(&session));
        thread::spawn(move || {
            // Ends when `Drop` shuts the listener down, or when nobody listens to the events.
            while let Ok((stream, _)) = accepting.accept() {
                let Err(reason) = receive(stream.into(), asn, router_id, &current, &sender);
                let reason = format!("{reason:#}");
                if sender.send(Event::now(EventKind::Closed(reason))).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            listener,
            session,
            events,
        })
    }

    /// The next event; an error when none comes within `timeout`.
    pub fn next(&self, timeout: Duration, what: &str) -> Result<Event> {
        self.events
            .recv_timeout(timeout)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    anyhow::anyhow!("{what} did not happen within {} s", timeout.as_secs_f64())
                }
                RecvTimeoutError::Disconnected => anyhow::anyhow!("the peer has ended"),
            })
    }

    /// Waits for a session to be Established and returns when that was. Passes over the end of an
    /// earlier session and failed attempts.
    pub fn established(&self, timeout: Duration) -> Result<Instant> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.next(left, "an Established session")?;
            if matches!(event.kind, EventKind::Established) {
                return Ok(event.at);
            }
        }
    }

    /// Waits for the next UPDATE that says something and returns it with its time. End-of-RIB
    /// markers are passed over.
    pub fn update(&self, timeout: Duration) -> Result<(Instant, Update)> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.next(left, "an UPDATE")?;
            match event.kind {
                EventKind::Update(update) if update.is_end_of_rib() => (),
                EventKind::Update(update) => return Ok((event.at, update)),
                EventKind::Closed(reason) => bail!("the session ended: {reason}"),
                EventKind::Established => bail!("a new session began unexpectedly"),
            }
        }
    }

    /// Forgets what has happened so far.
    pub fn drain(&self) {
        while self.events.try_recv().is_ok() {}
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both may be closed already, which is what is wanted.
        let _ = self.listener.shutdown(Shutdown::Both);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = session.as_ref() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Event {
    fn now(kind: EventKind) -> Self {
        let at = Instant::now();
        Self { at, kind }
    }
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), None)?;
    socket.set_reuse_address(true)?;
    // Room for a whole table, so that the sender never waits for this process to be scheduled.
    socket.set_recv_buffer_size(4 << 20)?;
    socket.bind(&address.into())?;
    socket.listen(8)?;
    Ok(socket)
}

/// One session, from the accepted connection to its end, which is always an error.
fn receive(
    stream: TcpStream,
    asn: u32,
    router_id: Ipv4Addr,
    current: &Mutex<Option<TcpStream>>,
    events: &Sender<Event>,
) -> Result<Infallible> {
    stream.set_nodelay(true)?;
    *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.try_clone()?);
    let mut inbox = vec![0; READ_SIZE];
    let mut filled = 0;
    let mut session = Session {
        stream,
        loaded: Arc::default(),
        established: false,
    };
    session.stream.write_all(&wire::open(asn, router_id))?;
    loop {
        // The kernel falls back to delayed acknowledgements by itself: ask again each time.
        session.stream.set_quickack(true)?;
        let length = session
            .stream
            .read(inbox.get_mut(filled..).unwrap_or_default())?;
        let at = Instant::now();
        ensure!(length > 0, "the neighbour closed the connection");
        filled += length;
        let mut unread = inbox.get(..filled).unwrap_or_default();
        while let Some((message, rest)) = wire::next(unread)? {
            session.handle(at, &message, events)?;
            unread = rest;
        }
        let left = unread.len();
        inbox.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

struct Session {
    stream: TcpStream,
    established: bool,
    /// The neighbour's End-of-RIB has come.
    loaded: Arc<AtomicBool>,
}

impl Session {
    fn handle(&mut self, at: Instant, message: &Message, events: &Sender<Event>) -> Result<()> {
        let event = match message {
            Message::Keepalive if !self.established => {
                self.established = true;
                let event = Event::now(EventKind::Established);
                self.stream.write_all(&wire::keepalive())?;
                let (stream, loaded) = (self.stream.try_clone()?, Arc::clone(&self.loaded));
                // Ends when the session does.
                thread::spawn(move || talk(stream, &loaded));
                event
            }
            Message::Update(body) => {
                let update = Update::parse(body)?;
                self.loaded.fetch_or(update.is_end_of_rib(), Relaxed);
                let kind = EventKind::Update(update);
                Event { at, kind }
            }
            Message::Notification { code, subcode } => {
                bail!("the neighbour sent NOTIFICATION {code}/{subcode}")
            }
            Message::Open | Message::Keepalive | Message::RouteRefresh => return Ok(()),
        };
        events.send(event).context("nobody listens any more")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The other copies of the socket do not keep it open.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Says what a receiver has to say once it is Established: End-of-RIB, and KEEPALIVEs.
///
/// BIRD begins to send when something wakes it after it became Established, and sleeps for seconds
/// if nothing does. So that it shows what it can, End-of-RIB comes in a segment of its own, and
/// KEEPALIVEs come often until everything is received.
fn talk(mut stream: TcpStream, loaded: &AtomicBool) -> io::Result<Infallible> {
    let deadline = Instant::now() + LOADING;
    thread::sleep(Duration::from_micros(100));
    stream.write_all(&wire::end_of_rib())?;
    loop {
        let loading = !loaded.load(Relaxed) && Instant::now() < deadline;
        thread::sleep(if loading {
            WAKE_INTERVAL
        } else {
            KEEPALIVE_INTERVAL
        });
        stream.write_all(&wire::keepalive())?;
    }
}
