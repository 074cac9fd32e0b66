//! Those at the other end.

use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;

use super::super::MemberId;
use super::super::wire::{Hello, Message, encode_plain, version_of};
use super::window::Window;

/// A peer that has proved that it lives.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: MemberId,
    pub(super) run: u64,
    /// What is said to it is of this version of the protocol.
    pub(super) version: u8,
    /// What the peer wants to see.
    pub(super) token: u64,
    pub(super) counter: u64,
    /// What it shows: the latest, and the one before.
    pub(super) shown: [u64; 2],
    /// For each of them, which counters have come.
    windows: [Window; 2],
    pub(super) heard: Instant,
    pub(super) welcomed: Option<Instant>,
}

impl Session {
    /// One of a member of this version with whoever said this hello, and has shown this token.
    pub(super) fn new(hello: &Hello, shown: u64, version: u8, now: Instant) -> Self {
        Self {
            peer: hello.from,
            run: hello.run,
            version: version_of(hello.run).min(version),
            token: hello.token,
            counter: 0,
            shown: [shown, shown],
            windows: [Window::default(), Window::default()],
            heard: now,
            welcomed: None,
        }
    }

    /// Whether a datagram with this token and counter is new.
    pub(super) fn accept(&mut self, token: u64, counter: u64) -> bool {
        let [latest, _] = self.shown;
        let [of_latest, of_before] = &mut self.windows;
        let window = if token == latest {
            of_latest
        } else {
            of_before
        };
        window.accept(counter)
    }

    /// The peer shows this token from now on, and may count from the beginning. Returns the one that
    /// it must not show any more.
    pub(super) fn show(&mut self, token: u64) -> u64 {
        let [latest, before] = self.shown;
        let [of_latest, _] = std::mem::take(&mut self.windows);
        self.shown = [token, latest];
        self.windows = [Window::default(), of_latest];
        before
    }

    /// `None` if this cannot be said to the peer.
    pub(super) fn next(&mut self, message: &Message) -> Option<Vec<u8>> {
        let message = message.for_version(self.version)?;
        self.counter += 1;
        Some(encode_plain(self.token, self.counter, &message))
    }

    pub(super) fn is(&self, hello: &Hello) -> bool {
        self.peer == hello.from && self.run == hello.run && self.token == hello.token
    }
}

/// A new token.
pub(super) fn draw(rng: &mut StdRng) -> u64 {
    rng.random_range(1..=u64::MAX)
}
