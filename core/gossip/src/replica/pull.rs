//! Asking for records, until they come.

use std::collections::BTreeSet;
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
        let again = now + PATIENCE;
        let before = remote.pull.replace(Pull {
            from,
            after,
            again,
            tries: 0,
        });
        self.out.push((from, Message::Pull(member, after, basis)));
        if let Some(before) = before {
            self.pulled.remove(&(before.again, member.address));
        }
        self.pulled.insert((again, member.address));
    }

    /// No answer is waited for any more.
    pub(super) fn end_pull(&mut self, address: SocketAddr) {
        let remote = self.others.get_mut(&address);
        if let Some(pull) = remote.and_then(|remote| remote.pull.take()) {
            self.pulled.remove(&(pull.again, address));
        }
    }

    /// Whether every answer that is waited for, and no other, is in the order of its time.
    #[cfg(test)]
    pub(crate) fn awaits_what_it_has_asked(&self) -> bool {
        let again = |(address, remote): (&SocketAddr, &Remote)| {
            remote.pull.as_ref().map(|pull| (pull.again, *address))
        };
        let awaited: BTreeSet<_> = self.others.iter().filter_map(again).collect();
        awaited == self.pulled
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.pulled.first().map(|(again, _)| *again)
    }

    /// Asks again where an answer has taken too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let mut late = BTreeSet::new();
        while let Some(first) = self.pulled.first().filter(|(again, _)| *again <= now) {
            late.insert(first.1);
            self.pulled.pop_first();
        }
        for address in late {
            if let Some(remote) = self.others.get_mut(&address) {
                self.out.extend(remote.pull_again(now));
                let pull = remote.pull.as_ref();
                self.pulled.extend(pull.map(|pull| (pull.again, address)));
            }
        }
    }
}

impl Remote {
    /// Asks once more, or gives up.
    fn pull_again(&mut self, now: Instant) -> Option<(SocketAddr, Message)> {
        let pull = self.pull.as_mut()?;
        if pull.tries >= TRIES {
            self.pull = None;
            return None;
        }
        pull.tries += 1;
        pull.after = self.store.version;
        pull.again = now + PATIENCE;
        let message = Message::Pull(self.id, pull.after, self.basis);
        Some((pull.from, message))
    }
}
