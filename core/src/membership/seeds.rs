//! Where others may be found.
//!
//! A seed is called until the member there takes part, quickly as long as this member is alone, and
//! slowly for ever: that heals a cluster that fell apart.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::status::Note;

/// How often seeds are called by a member that is alone.
const ALONE: Duration = Duration::from_millis(500);
/// How often by one that is not.
const IN_COMPANY: Duration = Duration::from_secs(5);
/// After how long without an answer a seed is silent.
const SILENT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Seed {
    address: SocketAddr,
    /// Who has answered there.
    member: Option<MemberId>,
    /// When somebody has, or it was heard of first.
    answered: Instant,
    /// The address leads to this member itself.
    is_own: bool,
    is_silent: bool,
}

#[derive(Debug)]
pub(crate) struct Seeds {
    all: Vec<Seed>,
    next: Option<Instant>,
    pub(crate) notes: Vec<Note>,
}

impl Seeds {
    pub(crate) fn new() -> Self {
        Self {
            all: Vec::new(),
            next: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn silent(&self) -> impl Iterator<Item = SocketAddr> {
        let silent = self.all.iter().filter(|seed| seed.is_silent);
        silent.map(|seed| seed.address)
    }

    pub(crate) fn set(&mut self, addresses: &[SocketAddr], me: MemberId, now: Instant) {
        self.all.retain(|seed| addresses.contains(&seed.address));
        for address in addresses {
            if self.all.iter().all(|seed| seed.address != *address) {
                self.all.push(Seed {
                    address: *address,
                    member: None,
                    answered: now,
                    is_own: *address == me.address,
                    is_silent: false,
                });
            }
        }
        self.next = (!self.all.is_empty()).then_some(now);
    }

    pub(crate) fn handle_own(&mut self, address: SocketAddr) {
        for seed in &mut self.all {
            seed.is_own |= seed.address == address;
        }
    }

    /// The seed at this address has answered.
    pub(crate) fn handle_answer(&mut self, address: SocketAddr, member: MemberId, now: Instant) {
        let seed = self.all.iter_mut().find(|seed| seed.address == address);
        if let Some(seed) = seed {
            seed.member = Some(member);
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
    pub(crate) fn handle_timeout(&mut self, alive: &[MemberId], now: Instant) -> Vec<SocketAddr> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let interval = if alive.is_empty() { ALONE } else { IN_COMPANY };
        self.next = Some(now + interval);
        let mut calls = Vec::new();
        for seed in self.all.iter_mut().filter(|seed| !seed.is_own) {
            let address = seed.member.map_or(seed.address, |member| member.address);
            if alive.iter().any(|member| member.address == address) {
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
    fn hear(&mut self, now: Instant, notes: &mut Vec<Note>) {
        self.answered = now;
        if std::mem::take(&mut self.is_silent) {
            notes.push(Note::SeedAnswers(self.address));
        }
    }
}
