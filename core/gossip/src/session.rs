//! Who is at the other end, and that what it says is new.
//!
//! ```text
//!   A                                          B
//!   │ ── Hello: A, use token a ──────────────▶ │   anybody may have kept this one and sent it again
//!   │ ◀─ a: Welcome: B, use token b ────────── │   B lives: nobody else could know a by now
//!   │ ── b, 1: Confirm, or anything else ────▶ │   A lives
//!   │ ◀─ a, 1: … ─────────────────────────────▶ │
//! ```
//!
//! A token is drawn by lot by the one that receives it. So a datagram that was recorded is of no
//! use for another member, nor for another run of the same; and the counter beside it shows those
//! that come twice.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use super::MemberId;
use super::status::Dropped;
use super::wire::{self, Hello, Message, Plain, encode_hello, encode_plain};

mod callers;
mod dials;
mod peer;
mod window;

use callers::Callers;
use dials::Dials;
use peer::{Session, draw};

/// How many sessions there may be, and introductions under way.
pub(crate) const MAX_PEERS: usize = 4096;
/// How long an introduction may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a datagram.
#[derive(Debug)]
pub(crate) enum Outcome {
    Dropped(Dropped),
    /// It was about an introduction only.
    Introduction,
    /// It comes from this member itself, which was called at this address if one is known.
    Own(Option<SocketAddr>),
    Said {
        peer: MemberId,
        /// The introduction is complete.
        is_new: bool,
        /// The address at which the peer was called, if this is its answer.
        dialed: Option<SocketAddr>,
        /// `None`: not understood.
        message: Option<Message>,
    },
}

/// All sessions of one member.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) me: MemberId,
    run: u64,
    /// The version of the protocol that this member speaks.
    version: u8,
    peers: BTreeMap<SocketAddr, Session>,
    /// Which tokens are shown by whom.
    tokens: BTreeMap<u64, SocketAddr>,
    dials: Dials,
    callers: Callers,
    /// What is to be sealed and sent.
    pub(crate) out: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Sessions {
    pub(crate) fn new(me: MemberId, rng: &mut StdRng) -> Self {
        Self {
            me,
            run: wire::run(rng.random(), wire::VERSION),
            version: wire::VERSION,
            peers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            dials: Dials::default(),
            callers: Callers::default(),
            out: VecDeque::new(),
        }
    }

    /// Speaks as an earlier version does, before anything was said.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn speak(&mut self, version: u8) {
        self.version = version;
        self.run = wire::run(!self.run, version);
    }

    /// The version of what is said to this member; `None` without a session.
    pub(crate) fn version(&self, member: MemberId) -> Option<u8> {
        let session = self.peers.get(&member.address)?;
        (session.peer == member).then_some(session.version)
    }

    /// Whether somebody there has proved that it lives.
    pub(crate) fn knows(&self, address: SocketAddr) -> bool {
        self.peers.contains_key(&address)
    }

    /// When this member was last heard directly.
    pub(crate) fn heard(&self, member: MemberId) -> Option<Instant> {
        let session = self.peers.get(&member.address)?;
        (session.peer == member).then_some(session.heard)
    }

    /// How many introductions are under way.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.dials.len() + self.callers.len()
    }

    /// The tokens that others use.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn shown(&self) -> Vec<u64> {
        self.tokens.keys().copied().collect()
    }

    /// Says something to the member at this address, after an introduction if need be.
    pub(crate) fn send(
        &mut self,
        to: SocketAddr,
        message: Message,
        rng: &mut StdRng,
        now: Instant,
    ) {
        if let Some(session) = self.peers.get_mut(&to) {
            let plaintext = session.next(&message);
            self.out.extend(plaintext.map(|plaintext| (to, plaintext)));
            return;
        }
        self.dial(to, rng, now);
        self.dials.wait(to, message);
    }

    /// Calls whoever is at this address, unless that was done just now.
    pub(crate) fn dial(&mut self, to: SocketAddr, rng: &mut StdRng, now: Instant) {
        if to == self.me.address {
            return;
        }
        let Some(token) = self.dials.call(to, rng, now) else {
            return;
        };
        let hello = self.hello(token);
        self.out.push_back((to, encode_hello(&hello)));
    }

    /// Tells all peers that this member has another generation now.
    pub(crate) fn rename(&mut self, me: MemberId, rng: &mut StdRng, now: Instant) {
        self.me = me;
        self.dials.clear();
        for address in self.peers.keys().copied().collect::<Vec<_>>() {
            self.dial(address, rng, now);
        }
    }

    pub(crate) fn handle(
        &mut self,
        from: SocketAddr,
        plain: Plain,
        rng: &mut StdRng,
        now: Instant,
    ) -> Outcome {
        match plain {
            Plain::Hello(hello) => self.handle_hello(from, hello, rng, now),
            Plain::Said {
                token,
                counter,
                message,
            } => {
                let message = message.filter(|message| self.understands(message));
                if let Some(address) = self.tokens.get(&token) {
                    return self.handle_known(*address, token, counter, message, now);
                }
                if let Some(hello) = self.callers.find(token) {
                    return self.handle_caller(hello, token, counter, message, now);
                }
                if let (Some(to), Some(Message::Welcome(hello))) =
                    (self.dials.find(token), &message)
                {
                    return self.handle_welcome(to, *hello, now);
                }
                Outcome::Dropped(Dropped::Stranger)
            }
        }
    }

    fn understands(&self, message: &Message) -> bool {
        self.version > 1 || !matches!(message, Message::Records(_))
    }

    fn handle_known(
        &mut self,
        address: SocketAddr,
        token: u64,
        counter: u64,
        message: Option<Message>,
        now: Instant,
    ) -> Outcome {
        let Some(session) = self.peers.get_mut(&address) else {
            return Outcome::Dropped(Dropped::Stranger);
        };
        if !session.accept(token, counter) {
            return Outcome::Dropped(Dropped::Replayed);
        }
        session.heard = now;
        Outcome::Said {
            peer: session.peer,
            is_new: false,
            dialed: None,
            message,
        }
    }

    fn handle_hello(
        &mut self,
        from: SocketAddr,
        hello: Hello,
        rng: &mut StdRng,
        now: Instant,
    ) -> Outcome {
        // It may have another source than the address that was called.
        if let Some(own) = self.own(&hello, self.dials.find(hello.token)) {
            return own;
        }
        let Some(token) = self.answer(hello, rng, now) else {
            return Outcome::Introduction;
        };
        let welcome = Message::Welcome(self.hello(token));
        self.out
            .push_back((from, encode_plain(hello.token, 0, &welcome)));
        Outcome::Introduction
    }

    /// What comes of it if this member says hello to itself, or another run at its address does.
    fn own(&self, hello: &Hello, dialed: Option<SocketAddr>) -> Option<Outcome> {
        if hello.run == self.run {
            return Some(Outcome::Own(dialed));
        }
        let is_own = hello.from.address == self.me.address;
        is_own.then_some(Outcome::Dropped(Dropped::Own))
    }

    /// The token that a caller is to use, unless it was told just now, or too many call.
    fn answer(&mut self, hello: Hello, rng: &mut StdRng, now: Instant) -> Option<u64> {
        let recent = |at: Instant| now < at + callers::INTERVAL;
        // A peer that asks for another token is a caller again: only when it has proved that it
        // lives is that token used.
        if let Some(session) = self.peers.get_mut(&hello.from.address)
            && session.is(&hello)
        {
            if session.welcomed.is_some_and(recent) {
                return None;
            }
            session.welcomed = Some(now);
            let [token, _] = session.shown;
            return Some(token);
        }
        self.callers.answer(hello, rng, now)
    }

    /// A caller has proved that it lives.
    fn handle_caller(
        &mut self,
        hello: Hello,
        token: u64,
        counter: u64,
        message: Option<Message>,
        now: Instant,
    ) -> Outcome {
        if !self.establish(&hello, token, now) {
            return Outcome::Introduction;
        }
        self.callers.remove(token);
        if let Some(session) = self.peers.get_mut(&hello.from.address) {
            session.accept(token, counter);
        }
        Outcome::Said {
            peer: hello.from,
            is_new: true,
            dialed: None,
            message,
        }
    }

    fn handle_welcome(&mut self, dialed: SocketAddr, hello: Hello, now: Instant) -> Outcome {
        if let Some(own) = self.own(&hello, Some(dialed)) {
            return own;
        }
        let Some((token, waiting)) = self.dials.take(dialed) else {
            return Outcome::Dropped(Dropped::Stranger);
        };
        if !self.establish(&hello, token, now) {
            return Outcome::Introduction;
        }
        let to = hello.from.address;
        if let Some(session) = self.peers.get_mut(&to) {
            for message in std::iter::once(Message::Confirm).chain(waiting) {
                let plaintext = session.next(&message);
                self.out.extend(plaintext.map(|plaintext| (to, plaintext)));
            }
        }
        Outcome::Said {
            peer: hello.from,
            is_new: true,
            dialed: Some(dialed),
            message: Some(Message::Confirm),
        }
    }

    /// Whether this run is the latest of its address; if not, it is told.
    fn establish(&mut self, hello: &Hello, shown: u64, now: Instant) -> bool {
        let address = hello.from.address;
        let known = self.peers.get_mut(&address);
        if let Some(session) = known {
            if session.run != hello.run && session.peer.generation >= hello.from.generation {
                let stale = Message::Stale(session.peer.generation);
                self.out
                    .push_back((address, encode_plain(hello.token, 0, &stale)));
                return false;
            }
            if session.run == hello.run {
                session.peer = session.peer.max(hello.from);
                session.token = hello.token;
                session.heard = now;
                let [latest, _] = session.shown;
                if shown != latest {
                    let before = session.show(shown);
                    self.tokens.remove(&before);
                    self.tokens.insert(shown, address);
                }
                return true;
            }
        }
        self.forget(address);
        self.make_room();
        let session = Session::new(hello, shown, self.version, now);
        self.peers.insert(address, session);
        self.tokens.insert(shown, address);
        true
    }

    fn forget(&mut self, address: SocketAddr) {
        if let Some(session) = self.peers.remove(&address) {
            for token in session.shown {
                self.tokens.remove(&token);
            }
        }
    }

    fn make_room(&mut self) {
        if self.peers.len() >= MAX_PEERS
            && let Some((address, _)) = self.peers.iter().min_by_key(|(_, s)| s.heard)
        {
            self.forget(*address);
        }
    }

    fn hello(&self, token: u64) -> Hello {
        Hello {
            from: self.me,
            run: self.run,
            token,
        }
    }
}
