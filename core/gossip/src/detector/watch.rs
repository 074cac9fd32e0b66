//! One member that is watched, and what is asked when it is silent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::order::{Alive, first_of};
use super::{MemberId, Message, Profile};

/// How many others are asked about a silent member.
const HELPERS: usize = 2;

/// A member that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) member: MemberId,
    pub(super) interval: Duration,
    /// When it gave the last sign of life, as far as is known here.
    pub(super) heard: Instant,
    /// How long it may be silent.
    pub(super) deadline: Duration,
    pub(super) next: Instant,
    pub(super) round: u32,
    /// When it was probed first since then.
    pub(super) probed: Option<Instant>,
    pub(super) cause: Cause,
}

/// Why a member is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It sends heartbeats.
    Heartbeats,
    /// Somebody else found it lost; it is watched until it gives a sign of life.
    Accused,
    /// The segment tells that it may not hear us; until then, too.
    Doubted,
}

impl Watch {
    pub(super) fn refute(&mut self, heard: Instant, now: Instant, profile: Profile) {
        self.heard = heard;
        self.next = (heard + self.interval + profile.grace).max(now + profile.spacing / 2);
        self.round = 0;
        self.probed = None;
    }

    /// The second probe comes soon: the first may be lost, and the member may be about to stall.
    pub(super) fn wait(&self, profile: Profile) -> Duration {
        match self.round {
            0 => profile.spacing / 2,
            _ => profile.spacing,
        }
    }

    pub(super) fn probe(
        &self,
        me: MemberId,
        alive: impl Alive,
        silence: Duration,
        out: &mut Vec<(SocketAddr, Message)>,
    ) {
        let to = self.member.address;
        out.push((to, Message::Probe));
        if self.round == 0 {
            out.push((to, Message::Probe));
        }
        let silence = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
        for helper in first_of(self.member, alive, &[me], HELPERS) {
            let message = Message::ProbeFor(self.member, silence);
            out.push((helper.address, message));
        }
    }
}
