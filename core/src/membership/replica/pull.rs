//! Asking for records, until they come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::MemberId;
use super::super::wire::Message;
use super::{Remote, Replica};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(30);
/// How often is asked again, before the next comparison shows what is missing.
const TRIES: u32 = 20;

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) from: SocketAddr,
    pub(super) after: u64,
    pub(super) again: Instant,
    pub(super) tries: u32,
}

impl Replica {
    /// Asks for what follows, unless that was just done.
    pub(crate) fn pull(&mut self, member: MemberId, from: SocketAddr, now: Instant) {
        let Some(remote) = self.remote(member, now) else {
            return;
        };
        let (after, basis) = (remote.store.version, remote.basis);
        let is_waiting = |pull: &Pull| pull.after == after && now < pull.again;
        if remote.pull.as_ref().is_some_and(is_waiting) {
            return;
        }
        remote.pull = Some(Pull {
            from,
            after,
            again: now + PATIENCE,
            tries: 0,
        });
        self.out.push((from, Message::Pull(member, after, basis)));
        self.pulled.insert(member.address);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let pulled = self.pulled.iter();
        let pulls = pulled.filter_map(|address| self.others.get(address)?.pull.as_ref());
        pulls.map(|pull| pull.again).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let (others, out) = (&mut self.others, &mut self.out);
        self.pulled.retain(|address| {
            let remote = others.get_mut(address);
            remote.is_some_and(|remote| remote.pull_again(now, out))
        });
    }
}

impl Remote {
    /// Asks again if an answer has taken too long. Returns whether one is waited for.
    fn pull_again(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Message)>) -> bool {
        let Some(pull) = &mut self.pull else {
            return false;
        };
        if now < pull.again {
            return true;
        }
        if pull.tries >= TRIES {
            self.pull = None;
            return false;
        }
        pull.tries += 1;
        pull.after = self.store.version;
        pull.again = now + PATIENCE;
        let message = Message::Pull(self.id, pull.after, self.basis);
        out.push((pull.from, message));
        true
    }
}
