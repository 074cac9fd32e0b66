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
    pub(super) window: Window,
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
            window: Window::default(),
            heard: now,
            welcomed: None,
        }
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
