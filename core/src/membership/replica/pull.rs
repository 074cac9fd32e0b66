//! Asking for records, until they come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::MemberId;
use super::super::wire::Message;
use super::Replica;

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
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let pulls = self
            .others
            .values()
            .filter_map(|remote| remote.pull.as_ref());
        pulls.map(|pull| pull.again).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for remote in self.others.values_mut() {
            let Some(pull) = remote.pull.as_mut().filter(|pull| now >= pull.again) else {
                continue;
            };
            if pull.tries >= TRIES {
                remote.pull = None;
                continue;
            }
            pull.tries += 1;
            pull.after = remote.store.version;
            pull.again = now + PATIENCE;
            let message = Message::Pull(remote.id, pull.after, remote.basis);
            self.out.push((pull.from, message));
        }
    }
}
