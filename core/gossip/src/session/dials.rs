//! Addresses that were called, and have not answered yet.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::super::wire::Message;
use super::{MAX_PEERS, PATIENCE, draw};

/// How many messages wait for an introduction.
const MAX_WAITING: usize = 8;
/// How soon an address is called again.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Dial {
    token: u64,
    /// When it was called last.
    at: Instant,
    waiting: Vec<Message>,
}

/// Each call is forgotten after [`PATIENCE`], and the first of all if there are too many: so an
/// answer that is on its way finds its call, whatever else comes in.
#[derive(Debug, Default)]
pub(super) struct Dials {
    by_address: BTreeMap<SocketAddr, Dial>,
    by_token: BTreeMap<u64, SocketAddr>,
    /// The tokens, and when they were first shown.
    order: VecDeque<(Instant, u64)>,
}

impl Dials {
    /// The token to show to this address, unless it was called just now.
    pub(super) fn call(&mut self, to: SocketAddr, rng: &mut StdRng, now: Instant) -> Option<u64> {
        self.expire(now);
        if let Some(dial) = self.by_address.get_mut(&to) {
            if now < dial.at + INTERVAL {
                return None;
            }
            dial.at = now;
            return Some(dial.token);
        }
        let token = draw(rng);
        let dial = Dial {
            token,
            at: now,
            waiting: Vec::new(),
        };
        self.by_address.insert(to, dial);
        self.by_token.insert(token, to);
        self.order.push_back((now, token));
        Some(token)
    }

    /// This is said as soon as somebody has answered there.
    pub(super) fn wait(&mut self, to: SocketAddr, message: Message) {
        let dial = self.by_address.get_mut(&to);
        if let Some(dial) = dial.filter(|dial| dial.waiting.len() < MAX_WAITING) {
            dial.waiting.push(message);
        }
    }

    /// Where this token was shown.
    pub(super) fn find(&self, token: u64) -> Option<SocketAddr> {
        self.by_token.get(&token).copied()
    }

    /// Somebody has answered there: with which token, and what waits to be said.
    pub(super) fn take(&mut self, address: SocketAddr) -> Option<(u64, Vec<Message>)> {
        let dial = self.by_address.remove(&address)?;
        self.by_token.remove(&dial.token);
        Some((dial.token, dial.waiting))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.order.len().max(self.by_address.len())
    }

    fn expire(&mut self, now: Instant) {
        while let Some((since, token)) = self.order.front().copied() {
            if now < since + PATIENCE && self.order.len() < MAX_PEERS {
                return;
            }
            self.order.pop_front();
            if let Some(address) = self.by_token.remove(&token) {
                self.by_address.remove(&address);
            }
        }
    }
}
