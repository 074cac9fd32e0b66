//! What a member makes of what others say.

use std::net::SocketAddr;

use super::identity::Identity;
use super::session::Outcome;
use super::wire::{self, Message, Records};
use super::{CALL, Dropped, MemberId, Membership};

impl Membership {
    pub(super) fn receive(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        // The address of a member may be forged, and is listened to all the same.
        if self.drops.is_exhausted(from.ip(), self.now) && !self.is_expected(from) {
            return Err(Dropped::Flood);
        }
        let plaintext = self.sealer.open(datagram)?;
        let plain = wire::decode(&plaintext).ok_or(Dropped::Malformed)?;
        match self.sessions.handle(from, plain, &mut self.rng, self.now) {
            Outcome::Dropped(why) => {
                if why == Dropped::Stranger {
                    self.call_stranger(from);
                }
                Err(why)
            }
            Outcome::Introduction => {
                self.drops.spend(from.ip(), self.now);
                Ok(())
            }
            Outcome::Own(dialed) => {
                // Anybody may send back what this member says.
                if self.hosts.contains(&from.ip()) {
                    self.seeds.handle_own(dialed.unwrap_or(from), self.now);
                }
                Err(Dropped::Own)
            }
            Outcome::Said {
                peer,
                is_new,
                dialed,
                message,
            } => {
                if let Some(dialed) = dialed {
                    self.seeds.handle_answer(dialed, peer, self.now);
                }
                if is_new {
                    self.handle_introduced(peer);
                }
                self.heard = self.now;
                self.tell_deaf(false);
                self.detector.handle_sign_of_life(peer, self.now);
                self.handle_message(peer, message.ok_or(Dropped::Malformed)?)
            }
        }
    }

    /// Whether a member is or may be at this address.
    fn is_expected(&self, address: SocketAddr) -> bool {
        self.sessions.knows(address)
            || self.swim.alive_at(address).is_some()
            || self.seeds.contains(address)
    }

    /// Somebody takes this run for an earlier one, or sends what somebody else has said.
    fn call_stranger(&mut self, from: SocketAddr) {
        if self.is_expected(from) || self.drops.may_call(self.now) {
            self.sessions.dial(from, &mut self.rng, self.now);
        }
    }

    /// The peer has proved that it lives; whoever does not take part should.
    fn handle_introduced(&mut self, peer: MemberId) {
        let known = [
            self.replica.generation(peer.address),
            self.swim
                .alive_at(peer.address)
                .map(|identity| identity.id.generation),
        ];
        if let Some(known) = known.into_iter().flatten().max()
            && known > peer.generation
        {
            self.send(peer.address, Message::Stale(known));
        } else if !self.swim.is_alive(peer) {
            self.swim.announce(peer, self.now);
        }
        self.complete(peer);
    }

    /// Asks a member for what those of an earlier version could not pass on.
    pub(super) fn complete(&mut self, peer: MemberId) {
        if self.replica.is_reduced(peer) && self.speaks_as_this(peer) {
            self.replica.renew(peer, self.now);
        }
    }

    /// Whether records come complete from this member.
    fn speaks_as_this(&self, peer: MemberId) -> bool {
        let version = self.sessions.version(peer);
        version.is_some_and(|version| version > 1)
    }

    fn handle_message(&mut self, peer: MemberId, message: Message) -> Result<(), Dropped> {
        let now = self.now;
        match message {
            Message::Welcome(_) | Message::Confirm | Message::ProbeAck(true) => {}
            Message::Stale(known) => self.raise_generation(known),
            Message::Swim(data) => {
                return self.swim.handle(peer, &data, now).ok_or(Dropped::Malformed);
            }
            Message::Heartbeat(interval) => self.handle_heartbeat(peer, interval),
            Message::EndOfWatch | Message::ProbeAck(false) => {
                self.detector.handle_end_of_watch(peer);
            }
            Message::Probe => self.detector.handle_probe(peer),
            Message::ProbeFor(about, silence) => {
                let heard = self.sessions.heard(about);
                if self.swim.is_alive(about) {
                    self.detector
                        .handle_probe_for(peer, about, silence, heard, now);
                }
            }
            Message::ProbedFor(about, age) => self.detector.handle_probed_for(about, age, now),
            Message::Lost(identity) => self.handle_lost(identity),
            Message::Goodbye => {
                let identity = self.swim.alive_at(peer.address).copied();
                if let Some(identity) = identity.filter(|identity| identity.id == peer) {
                    self.left.insert(peer);
                    self.swim.declare_down(identity, now);
                }
            }
            Message::Digest(digest) => {
                let alive = self.alive();
                if self.replica.digest(&alive) != digest {
                    self.replica.send_vector(peer.address, &alive, true);
                }
            }
            Message::Vector(vector) => self.handle_vector(peer, &vector),
            Message::Pull(member, after, floor) => {
                self.replica.handle_pull(peer.address, member, after, floor);
            }
            Message::Records(records) => {
                self.handle_own_records(&records);
                let is_understood = self.replica.handle_records(peer.address, &records, now);
                return is_understood.then_some(()).ok_or(Dropped::Malformed);
            }
            Message::ReducedRecords(records) => return self.handle_reduced(peer, &records),
        }
        Ok(())
    }

    fn handle_own_records(&mut self, records: &Records) {
        if self.replica.is_of_other_run(records.member, records.latest) {
            self.raise_generation(self.me.generation);
        }
    }

    fn handle_reduced(&mut self, peer: MemberId, records: &Records) -> Result<(), Dropped> {
        self.handle_own_records(records);
        let member = records.member;
        if member != peer && self.speaks_as_this(member) {
            // It says more itself.
            if !self.replica.has(member, records.latest) {
                self.replica.pull(member, member.address, self.now);
            }
            return Ok(());
        }
        let from = peer.address;
        let is_understood = self.replica.handle_reduced(from, records, self.now);
        is_understood.then_some(()).ok_or(Dropped::Malformed)
    }

    fn handle_heartbeat(&mut self, peer: MemberId, interval: u32) {
        if self.swim.is_alive(peer) {
            self.detector.handle_heartbeat(peer, interval, self.now);
            return;
        }
        // It does not know that it seems to be down; foca tells it when it answers.
        let now = self.now;
        self.called.retain(|_, called| now < *called + CALL);
        if !self.left.contains(&peer) && !self.called.contains_key(&peer.address) {
            self.called.insert(peer.address, now);
            self.swim.announce(peer, now);
        }
    }

    fn handle_lost(&mut self, identity: Identity) {
        let now = self.now;
        if identity.id == self.me {
            // foca takes a new identity and tells everybody.
            self.swim.declare_down(identity, now);
            return;
        }
        if self.swim.alive_at(identity.id.address) != Some(&identity) {
            return;
        }
        let heard = self.sessions.heard(identity.id);
        if self.detector.handle_lost(identity.id, heard, now) {
            self.swim.declare_down(identity, now);
        }
    }

    fn handle_vector(&mut self, peer: MemberId, vector: &wire::Vector) {
        for (member, version) in &vector.versions {
            if self.replica.is_of_other_run(*member, *version) {
                self.raise_generation(self.me.generation);
            } else if member.address == self.me.address && member.generation > self.me.generation {
                self.raise_generation(member.generation);
            }
        }
        let from = peer.address;
        self.replica.handle_vector(from, &vector.versions, self.now);
        if vector.asks && vector.more == 0 {
            self.replica.send_vector(from, &self.alive(), false);
        }
        let others = vector.versions.iter();
        let others = others.filter(|(member, _)| member.address != self.me.address);
        self.sync.add(others.copied(), vector.more == 0);
    }
}
