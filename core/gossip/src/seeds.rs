//! Where others may be found.
//!
//! A seed is called until the member there takes part, quickly as long as this member is alone, and
//! slowly for ever: that heals a cluster that fell apart.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::status::Note;

/// How often seeds are called by a member that is alone.
const ALONE: Duration = Duration::from_millis(500);
/// How often by one that is not.
const IN_COMPANY: Duration = Duration::from_secs(5);
/// How long a seed that leads to this member itself is not called.
const OWN: Duration = Duration::from_secs(60);
/// After how long without an answer a seed is silent.
const SILENT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Seed {
    address: SocketAddr,
    /// Who has answered there.
    member: Option<MemberId>,
    /// When somebody has, or it was heard of first.
    answered: Instant,
    /// Until then, the address leads to this member itself.
    own_until: Option<Instant>,
    is_silent: bool,
}

#[derive(Debug)]
pub(crate) struct Seeds {
    all: Vec<Seed>,
    addresses: BTreeSet<SocketAddr>,
    next: Option<Instant>,
    pub(crate) notes: Vec<Note>,
}

impl Seeds {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            addresses: BTreeSet::new(),
            next: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn silent(&self) -> impl Iterator<Item = SocketAddr> {
        let silent = self.all.iter().filter(|seed| seed.is_silent);
        silent.map(|seed| seed.address)
    }

    pub(crate) fn set(&mut self, addresses: &[SocketAddr], now: Instant) {
        let before = std::mem::take(&mut self.addresses);
        self.addresses.extend(addresses);
        let is_wanted = |seed: &Seed| self.addresses.contains(&seed.address);
        self.all.retain(is_wanted);
        for address in &self.addresses {
            if !before.contains(address) {
                self.all.push(Seed {
                    address: *address,
                    member: None,
                    answered: now,
                    own_until: None,
                    is_silent: false,
                });
            }
        }
        self.next = (!self.all.is_empty()).then_some(now);
    }

    pub(crate) fn contains(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address)
    }

    /// A call of this member to this address has come back.
    pub(crate) fn handle_own(&mut self, address: SocketAddr, now: Instant) {
        for seed in self.all.iter_mut().filter(|seed| seed.address == address) {
            seed.own_until = Some(now + OWN);
            seed.hear(now, &mut self.notes);
        }
    }

    /// The seed at this address has answered.
    pub(crate) fn handle_answer(&mut self, address: SocketAddr, member: MemberId, now: Instant) {
        let seed = self.all.iter_mut().find(|seed| seed.address == address);
        if let Some(seed) = seed {
            seed.member = Some(member);
            seed.own_until = None;
            seed.hear(now, &mut self.notes);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn delay(&mut self, by: Duration) {
        for seed in &mut self.all {
            seed.answered += by;
        }
    }

    /// Whom to call now.
    pub(crate) fn handle_timeout(
        &mut self,
        me: MemberId,
        is_alone: bool,
        is_alive: impl Fn(SocketAddr) -> bool,
        now: Instant,
    ) -> Vec<SocketAddr> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let interval = if is_alone { ALONE } else { IN_COMPANY };
        self.next = Some(now + interval);
        let mut calls = Vec::new();
        let is_other = |seed: &&mut Seed| seed.address != me.address && !seed.is_own(now);
        for seed in self.all.iter_mut().filter(is_other) {
            let address = seed.member.map_or(seed.address, |member| member.address);
            if is_alive(address) {
                seed.hear(now, &mut self.notes);
                continue;
            }
            calls.push(seed.address);
            let silence = now.saturating_duration_since(seed.answered);
            if silence >= SILENT && !seed.is_silent {
                seed.is_silent = true;
                self.notes.push(Note::SeedSilent(seed.address));
            }
        }
        calls
    }
}

impl Seed {
    fn is_own(&self, now: Instant) -> bool {
        self.own_until.is_some_and(|until| now < until)
    }

    fn hear(&mut self, now: Instant, notes: &mut Vec<Note>) {
        self.answered = now;
        if std::mem::take(&mut self.is_silent) {
            notes.push(Note::SeedAnswers(self.address));
        }
    }
}
