//! How this member becomes another one: of another generation, or at another address.

use std::net::SocketAddr;
use std::time::Instant;

use super::member::MAX_GENERATION;
use super::{Event, MAX_RAISED, MemberId, Membership, Note};

impl Membership {
    /// From now on, others reach this member at this address. It is another member for them, which
    /// says the same of itself; what they know of the former one ends when they notice that it is
    /// silent.
    pub fn relocate(&mut self, address: SocketAddr, now: Instant) {
        self.now = now;
        if address == self.me.address {
            return;
        }
        let generation = self.me.generation;
        self.hosts.insert(address.ip());
        // Of an earlier run there.
        self.replica.forget(address);
        self.rename(MemberId {
            address,
            generation,
        });
        self.work();
    }

    /// An earlier run of this member had a generation that is not lower.
    pub(super) fn raise_generation(&mut self, known: u64) {
        if known < self.me.generation || known >= MAX_GENERATION {
            return;
        }
        let from = self.me.generation;
        let to = known + 1;
        self.raised += 1;
        self.rename(MemberId {
            generation: to,
            ..self.me
        });
        self.note(Note::GenerationRaised { from, to });
        if self.raised > MAX_RAISED {
            self.note(Note::AddressShared(self.me.address));
        }
    }

    fn rename(&mut self, me: MemberId) {
        self.me = me;
        self.sessions.rename(me, &mut self.rng, self.now);
        self.replica.rename(me);
        self.detector.rename(me, &self.swim.alive());
        self.swim.rename(me, self.now);
        self.events.push_back(Event::Renamed(me));
    }
}
