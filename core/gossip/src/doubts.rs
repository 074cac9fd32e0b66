//! Members that others call down although they are heard here. One that was cut off, and comes back,
//! believes that all others were, and says so before it knows better; they all take new identities
//! then, and nobody was ever gone.

use std::collections::BTreeMap;
use std::time::Instant;

use super::MemberId;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Until when each counts as there, if nothing more is heard of it.
    until: BTreeMap<MemberId, Instant>,
}

impl Doubts {
    /// Somebody calls this member down, which was heard just now.
    pub(super) fn add(&mut self, member: MemberId, until: Instant) {
        self.until.insert(member, until);
    }

    /// This member is up after all. Returns whether that was doubted.
    pub(super) fn clear(&mut self, member: MemberId) -> bool {
        self.until.remove(&member).is_some()
    }

    /// Another run of a doubted member is up: the former one is gone.
    pub(super) fn clear_former(&mut self, member: MemberId) -> Option<MemberId> {
        let mut doubted = self.until.keys();
        let former = doubted.find(|doubted| doubted.address == member.address);
        let former = former.copied()?;
        self.until.remove(&former);
        Some(former)
    }

    /// When somebody may have fallen silent.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }

    /// The members that have fallen silent, and so are gone; `until` is what [`Self::add`] wants, as
    /// of now.
    pub(super) fn handle_timeout(
        &mut self,
        until: impl Fn(MemberId) -> Option<Instant>,
        now: Instant,
    ) -> Vec<MemberId> {
        let mut silent = Vec::new();
        self.until.retain(|member, ends| {
            if *ends > now {
                return true;
            }
            match until(*member).filter(|until| *until > now) {
                Some(later) => *ends = later,
                None => silent.push(*member),
            }
            *ends > now
        });
        silent
    }
}
