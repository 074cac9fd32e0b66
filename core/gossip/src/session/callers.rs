//! Those who have called, and have not proved yet that they live.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::super::wire::Hello;
use super::{MAX_PEERS, PATIENCE, draw};

/// How soon a caller is answered again.
pub(super) const INTERVAL: Duration = Duration::from_millis(20);

/// Whose call it is: anybody may have kept a hello and sent it again, so each counts for itself.
type Call = (SocketAddr, u64, u64);

#[derive(Debug)]
struct Caller {
    hello: Hello,
    token: u64,
    /// When it was answered last.
    at: Instant,
}

/// Each is forgotten after [`PATIENCE`], and the first of all if there are too many.
#[derive(Debug, Default)]
pub(super) struct Callers {
    by_call: BTreeMap<Call, Caller>,
    by_token: BTreeMap<u64, Call>,
    /// The tokens, and when they were drawn.
    order: VecDeque<(Instant, u64)>,
}

impl Callers {
    /// The token that a caller is to use, unless it was told just now.
    pub(super) fn answer(&mut self, hello: Hello, rng: &mut StdRng, now: Instant) -> Option<u64> {
        self.expire(now);
        let call = (hello.from.address, hello.run, hello.token);
        if let Some(caller) = self.by_call.get_mut(&call)
            && caller.hello == hello
        {
            if now < caller.at + INTERVAL {
                return None;
            }
            caller.at = now;
            return Some(caller.token);
        }
        let token = draw(rng);
        let caller = Caller {
            hello,
            token,
            at: now,
        };
        if let Some(former) = self.by_call.insert(call, caller) {
            self.by_token.remove(&former.token);
        }
        self.by_token.insert(token, call);
        self.order.push_back((now, token));
        Some(token)
    }

    /// Who was told this token.
    pub(super) fn find(&self, token: u64) -> Option<Hello> {
        let call = self.by_token.get(&token)?;
        self.by_call.get(call).map(|caller| caller.hello)
    }

    /// This caller needs no patience any more.
    pub(super) fn remove(&mut self, token: u64) {
        if let Some(call) = self.by_token.remove(&token) {
            self.by_call.remove(&call);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.order.len().max(self.by_call.len())
    }

    fn expire(&mut self, now: Instant) {
        while let Some((since, token)) = self.order.front().copied() {
            if now < since + PATIENCE && self.order.len() < MAX_PEERS {
                return;
            }
            self.order.pop_front();
            self.remove(token);
        }
    }
}
