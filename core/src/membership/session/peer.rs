//! Those at the other end, in each state of an introduction.

use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;

use super::super::MemberId;
use super::super::wire::{Hello, Message, encode_plain};
use super::window::Window;

/// A peer that has proved that it lives.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: MemberId,
    pub(super) run: u64,
    /// What the peer wants to see.
    pub(super) token: u64,
    pub(super) counter: u64,
    /// What it shows: the latest, and the one before.
    pub(super) shown: [u64; 2],
    pub(super) window: Window,
    pub(super) heard: Instant,
    pub(super) welcomed: Option<Instant>,
}

/// An address that was called, and has not answered yet.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) token: u64,
    pub(super) at: Instant,
    pub(super) waiting: Vec<Message>,
}

/// Somebody who has called, and has not proved yet that it lives.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) hello: Hello,
    pub(super) token: u64,
    pub(super) at: Instant,
}

impl Session {
    /// One with whoever said this hello, and has shown this token.
    pub(super) fn new(hello: &Hello, shown: u64, now: Instant) -> Self {
        Self {
            peer: hello.from,
            run: hello.run,
            token: hello.token,
            counter: 0,
            shown: [shown, shown],
            window: Window::default(),
            heard: now,
            welcomed: None,
        }
    }

    pub(super) fn next(&mut self, message: &Message) -> Vec<u8> {
        self.counter += 1;
        encode_plain(self.token, self.counter, message)
    }

    pub(super) fn is(&self, hello: &Hello) -> bool {
        self.peer == hello.from && self.run == hello.run && self.token == hello.token
    }
}

/// A new token.
pub(super) fn draw(rng: &mut StdRng) -> u64 {
    rng.random_range(1..=u64::MAX)
}
