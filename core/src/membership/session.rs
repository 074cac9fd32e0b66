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

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use super::MemberId;
use super::status::Dropped;
use super::wire::{Hello, Message, Plain, encode_hello, encode_plain};

mod peer;
mod window;

use peer::{Caller, Dial, Session, draw};

/// How many sessions there may be, and introductions under way.
pub(crate) const MAX_PEERS: usize = 4096;
/// How many messages wait for an introduction.
const MAX_WAITING: usize = 8;
/// How long an introduction may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon an address is called again.
const DIAL_INTERVAL: Duration = Duration::from_millis(100);
/// How soon a caller is answered again.
const WELCOME_INTERVAL: Duration = Duration::from_millis(20);

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
        message: Message,
    },
}

/// All sessions of one member.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) me: MemberId,
    run: u64,
    peers: BTreeMap<SocketAddr, Session>,
    /// Which tokens are shown by whom.
    tokens: BTreeMap<u64, SocketAddr>,
    dials: BTreeMap<SocketAddr, Dial>,
    callers: BTreeMap<(SocketAddr, u64), Caller>,
    /// What is to be sealed and sent.
    pub(crate) out: Vec<(SocketAddr, Vec<u8>)>,
}

impl Sessions {
    pub(crate) fn new(me: MemberId, rng: &mut StdRng) -> Self {
        Self {
            me,
            run: rng.random(),
            peers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            dials: BTreeMap::new(),
            callers: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// When this member was last heard directly.
    pub(crate) fn heard(&self, member: MemberId) -> Option<Instant> {
        let session = self.peers.get(&member.address)?;
        (session.peer == member).then_some(session.heard)
    }

    /// The tokens that others use.
    #[cfg(test)]
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
            self.out.push((to, plaintext));
            return;
        }
        self.dial(to, rng, now);
        if let Some(dial) = self.dials.get_mut(&to)
            && dial.waiting.len() < MAX_WAITING
        {
            dial.waiting.push(message);
        }
    }

    /// Calls whoever is at this address, unless that was done just now.
    pub(crate) fn dial(&mut self, to: SocketAddr, rng: &mut StdRng, now: Instant) {
        if to == self.me.address {
            return;
        }
        let token = match self.dials.get_mut(&to) {
            Some(dial) if now < dial.at + DIAL_INTERVAL => return,
            Some(dial) => {
                dial.at = now;
                dial.token
            }
            None => {
                self.dials.retain(|_, dial| now < dial.at + PATIENCE);
                if self.dials.len() >= MAX_PEERS {
                    return;
                }
                let token = draw(rng);
                let dial = Dial {
                    token,
                    at: now,
                    waiting: Vec::new(),
                };
                self.dials.insert(to, dial);
                token
            }
        };
        let hello = self.hello(token);
        self.out.push((to, encode_hello(&hello)));
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
                if let Some(address) = self.tokens.get(&token) {
                    return self.handle_known(*address, counter, message, now);
                }
                if let Some(key) = self.caller(token) {
                    return self.handle_caller(key, counter, message, now);
                }
                if let (Some(to), Message::Welcome(hello)) = (self.dialed(token), &message) {
                    return self.handle_welcome(to, *hello, now);
                }
                self.dial(from, rng, now);
                Outcome::Dropped(Dropped::Stranger)
            }
        }
    }

    fn handle_known(
        &mut self,
        address: SocketAddr,
        counter: u64,
        message: Message,
        now: Instant,
    ) -> Outcome {
        let Some(session) = self.peers.get_mut(&address) else {
            return Outcome::Dropped(Dropped::Stranger);
        };
        if !session.window.accept(counter) {
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
        if let Some(own) = self.own(&hello, self.dialed(hello.token)) {
            return own;
        }
        let Some(token) = self.answer(hello, rng, now) else {
            return Outcome::Introduction;
        };
        let welcome = Message::Welcome(self.hello(token));
        self.out
            .push((from, encode_plain(hello.token, 0, &welcome)));
        Outcome::Introduction
    }

    /// Where this token was shown in a call.
    fn dialed(&self, token: u64) -> Option<SocketAddr> {
        let mut dials = self.dials.iter();
        let dialed = dials.find(|(_, dial)| dial.token == token);
        dialed.map(|(address, _)| *address)
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
        let recent = |at: Instant| now < at + WELCOME_INTERVAL;
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
        let key = (hello.from.address, hello.run);
        if let Some(caller) = self.callers.get_mut(&key)
            && caller.hello == hello
        {
            if recent(caller.at) {
                return None;
            }
            caller.at = now;
            return Some(caller.token);
        }
        if self.callers.len() >= MAX_PEERS {
            self.callers.retain(|_, caller| now < caller.at + PATIENCE);
        }
        if self.callers.len() >= MAX_PEERS {
            return None;
        }
        let token = draw(rng);
        let caller = Caller {
            hello,
            token,
            at: now,
        };
        self.callers.insert(key, caller);
        Some(token)
    }

    fn caller(&self, token: u64) -> Option<(SocketAddr, u64)> {
        let mut callers = self.callers.iter();
        let (key, _) = callers.find(|(_, caller)| caller.token == token)?;
        Some(*key)
    }

    /// A caller has proved that it lives.
    fn handle_caller(
        &mut self,
        key: (SocketAddr, u64),
        counter: u64,
        message: Message,
        now: Instant,
    ) -> Outcome {
        let Some(caller) = self.callers.get(&key) else {
            return Outcome::Dropped(Dropped::Stranger);
        };
        let (hello, token) = (caller.hello, caller.token);
        if !self.establish(&hello, token, now) {
            return Outcome::Introduction;
        }
        self.callers.remove(&key);
        if let Some(session) = self.peers.get_mut(&hello.from.address) {
            session.window.accept(counter);
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
        let Some(dial) = self.dials.remove(&dialed) else {
            return Outcome::Dropped(Dropped::Stranger);
        };
        if !self.establish(&hello, dial.token, now) {
            return Outcome::Introduction;
        }
        let to = hello.from.address;
        if let Some(session) = self.peers.get_mut(&to) {
            for message in std::iter::once(Message::Confirm).chain(dial.waiting) {
                self.out.push((to, session.next(&message)));
            }
        }
        Outcome::Said {
            peer: hello.from,
            is_new: true,
            dialed: Some(dialed),
            message: Message::Confirm,
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
                    .push((address, encode_plain(hello.token, 0, &stale)));
                return false;
            }
            if session.run == hello.run {
                session.peer = session.peer.max(hello.from);
                session.token = hello.token;
                session.heard = now;
                let [latest, before] = session.shown;
                if shown != latest {
                    self.tokens.remove(&before);
                    session.shown = [shown, latest];
                    self.tokens.insert(shown, address);
                }
                return true;
            }
        }
        self.forget(address);
        self.make_room();
        self.peers.insert(address, Session::new(hello, shown, now));
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
