//! Which other daemons are there, and what they say of themselves.
//!
//! ```text
//!  datagram ─▶ seal ─▶ session ──┬─▶ swim (foca): who takes part
//!             opens?  from whom, ├─▶ detector: whether owners of VIPs are still there
//!                     and new?   └─▶ replica: the records of each member
//!                                              │
//!  datagram ◀─ seal ◀─ session ◀──── messages ─┴─ seeds: whom to call at first
//! ```
//!
//! [`Membership`] does no I/O. Its owner hands it datagrams and the time, and then asks for
//! datagrams, events and the next deadline until there is nothing more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use detector::Detector;
use record::{Key, Value};
use replica::Replica;
use seal::Sealer;
use seeds::Seeds;
use session::{Outcome, Sessions};
use swim::{Change, Pace, Swim};
use sync::Sync;
use wire::Message;

pub use detector::Profile;
pub use seal::{KeyError, Keys};
pub use status::{Dropped, MemberStatus, Note, State, Status};

mod detector;
mod identity;
pub mod record;
mod replica;
mod seal;
mod seeds;
mod session;
mod status;
mod swim;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod wire;

/// How foca probes: it need not be fast, for those who have VIPs send heartbeats.
const PACE: Pace = Pace {
    period: Duration::from_millis(300),
    rtt: Duration::from_millis(100),
    suspicion: Duration::from_millis(900),
};
/// How often a member compares what it has with another.
const COMPARISON: Duration = Duration::from_secs(1);
/// How often somebody who seems to be down without knowing it is called.
const CALL: Duration = Duration::from_millis(200);
/// How often the last words are said.
const FAREWELLS: usize = 3;
/// After how many raised generations the address seems to be somebody else's, too.
const MAX_RAISED: u32 = 5;
/// How many notes are told once.
const MAX_NOTES: usize = 256;

/// One run of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberId {
    /// Where it is reached.
    pub address: SocketAddr,
    /// Grows with every start at the same address.
    pub generation: u64,
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address, f)
    }
}

/// What a member is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where others reach it.
    pub address: SocketAddr,
    /// The time of the start, in seconds since 1970. If it turns out that the address was used with
    /// a higher one, that is overtaken: [`Event::Renamed`].
    pub generation: u64,
    /// Members of one name form a cluster.
    pub cluster: String,
    /// How fast the loss of members that have VIPs is found.
    pub profile: Profile,
    /// How long to wait for an answer of others before acting alone.
    pub alone_after: Duration,
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its octets, at most 1200.
    pub datagram: Vec<u8>,
}

/// Why a member does not take part any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It is not heard any more, or another run took its place.
    Lost,
    /// It has said so.
    Left,
}

/// What the owner of a [`Membership`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member takes part.
    MemberUp(MemberId),
    /// A member takes part no more.
    MemberDown {
        /// Which.
        member: MemberId,
        /// Why.
        why: Departure,
    },
    /// A record of another member is new, or was withdrawn. Those of members that are down remain,
    /// until a later generation comes up; members that are not up yet may have some.
    Record {
        /// Whose.
        member: MemberId,
        /// Of what.
        key: Key,
        /// What it says.
        value: Option<Value>,
    },
    /// Told once: the records that at least one other member knew are all here, or there is nobody
    /// to be found.
    Settled,
    /// This member has another generation from now on, [`Membership::id`].
    Renamed(MemberId),
    /// What people should know. Each is told once.
    Note(Note),
}

/// One member of the cluster.
#[derive(Debug)]
pub struct Membership {
    me: MemberId,
    rng: StdRng,
    /// The latest time that was told.
    now: Instant,
    sealer: Sealer,
    sessions: Sessions,
    swim: Swim,
    detector: Detector,
    replica: Replica,
    seeds: Seeds,
    sync: Sync,
    profile: Profile,
    comparison: Instant,
    /// Those that have said that they leave.
    left: BTreeSet<MemberId>,
    /// When somebody who seems to be down was called.
    called: BTreeMap<SocketAddr, Instant>,
    is_leaving: bool,
    raised: u32,
    dropped: BTreeMap<Dropped, u64>,
    notes: BTreeSet<Note>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Membership {
    /// A member that knows of nobody else.
    pub fn new(settings: Settings, keys: Keys, mut rng: StdRng, now: Instant) -> Self {
        let me = MemberId {
            address: settings.address,
            generation: settings.generation,
        };
        Self {
            me,
            now,
            sealer: Sealer::new(keys, settings.cluster),
            sessions: Sessions::new(me, &mut rng),
            swim: Swim::new(me, PACE, StdRng::from_rng(&mut rng)),
            detector: Detector::new(me, settings.profile),
            replica: Replica::new(me),
            seeds: Seeds::new(),
            sync: Sync::new(now, settings.alone_after),
            profile: settings.profile,
            comparison: now + COMPARISON,
            left: BTreeSet::new(),
            called: BTreeMap::new(),
            is_leaving: false,
            raised: 0,
            dropped: BTreeMap::new(),
            notes: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            rng,
        }
    }

    /// Who this member is.
    pub fn id(&self) -> MemberId {
        self.me
    }

    /// Looks for others at these addresses, and no more at those of the last call.
    pub fn join(&mut self, seeds: &[SocketAddr], now: Instant) {
        self.now = now;
        self.seeds.set(seeds, self.me, now);
        if self.seeds.is_empty() {
            self.sync.set_nobody();
        }
        self.settle();
    }

    /// Seals with these keys from now on.
    pub fn set_keys(&mut self, keys: Keys) {
        self.sealer.keys = keys;
    }

    /// Says of this member; `None` withdraws it.
    pub fn publish(&mut self, key: Key, value: Option<Value>, now: Instant) {
        self.now = now;
        self.replica.publish(key, value);
    }

    /// Whether this member has VIPs, so that others must find out fast when it is lost.
    pub fn set_owner(&mut self, owns: bool) {
        let alive = self.alive();
        self.detector.set_owner(owns && !self.is_leaving, &alive);
        self.work();
    }

    /// Says goodbye. What [`Self::poll_transmit`] returns afterwards must still be sent.
    pub fn leave(&mut self, now: Instant) {
        self.now = now;
        self.replica.push(&self.alive());
        self.set_owner(false);
        for member in self.alive() {
            for _ in 0..FAREWELLS {
                self.send(member.address, Message::Goodbye);
            }
        }
        self.work();
        self.is_leaving = true;
    }

    /// Takes in a datagram.
    pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.now = now;
        if self.is_leaving {
            return;
        }
        if let Err(why) = self.receive(from, datagram) {
            *self.dropped.entry(why).or_default() += 1;
            let is_noteworthy = match why {
                Dropped::Version | Dropped::Key | Dropped::Forged | Dropped::Replayed => true,
                Dropped::TooShort | Dropped::Malformed | Dropped::Stranger | Dropped::Own => false,
            };
            if is_noteworthy {
                let from = SocketAddr::new(from.ip(), 0);
                self.note(Note::Dropped { from, why });
            }
        }
        self.work();
    }

    fn receive(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        let plaintext = self.sealer.open(datagram)?;
        let plain = wire::decode(&plaintext).ok_or(Dropped::Malformed)?;
        match self.sessions.handle(from, plain, &mut self.rng, self.now) {
            Outcome::Dropped(why) => Err(why),
            Outcome::Introduction => Ok(()),
            Outcome::Own => {
                self.seeds.handle_own(from);
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
                self.detector.handle_sign_of_life(peer, self.now);
                self.handle_message(peer, message)
            }
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
                if self.replica.is_of_other_run(records.member, records.latest) {
                    self.raise_generation(self.me.generation);
                }
                self.replica.handle_records(peer.address, &records, now);
            }
        }
        Ok(())
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

    fn handle_lost(&mut self, identity: identity::Identity) {
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

    /// An earlier run of this member had a generation that is not lower.
    fn raise_generation(&mut self, known: u64) {
        if known < self.me.generation {
            return;
        }
        let from = self.me.generation;
        self.me.generation = known.saturating_add(1);
        self.raised += 1;
        self.sessions.rename(self.me, &mut self.rng, self.now);
        self.replica.rename(self.me);
        self.detector.set_members(self.me, &self.alive());
        self.swim.rename(self.me, self.now);
        self.events.push_back(Event::Renamed(self.me));
        let to = self.me.generation;
        self.note(Note::GenerationRaised { from, to });
        if self.raised > MAX_RAISED {
            self.note(Note::AddressShared(self.me.address));
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.poll_timeout();
        self.now = now;
        if self.is_leaving {
            return;
        }
        let late = due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        if late > self.profile.heartbeat / 2 {
            // This member stood still, and the others may have said much that is not read yet.
            let by = late + self.profile.grace;
            self.swim.delay(by);
            self.detector.delay(by, now);
            self.seeds.delay(by);
        }
        let alive = self.alive();
        for address in self.seeds.handle_timeout(&alive, now) {
            self.sessions.dial(address, &mut self.rng, now);
        }
        self.swim.handle_timeout(now);
        self.detector.handle_timeout(&alive, now);
        for member in std::mem::take(&mut self.detector.lost) {
            self.declare_lost(member, &alive);
        }
        self.replica.handle_timeout(now);
        self.compare();
        self.work();
        self.settle();
    }

    fn declare_lost(&mut self, member: MemberId, alive: &[MemberId]) {
        let identity = self.swim.alive_at(member.address).copied();
        if let Some(identity) = identity.filter(|identity| identity.id == member) {
            self.detector.report(identity, alive, self.now);
            self.swim.declare_down(identity, self.now);
        }
    }

    /// Asks another member now and then whether it has the same records.
    fn compare(&mut self) {
        if self.now < self.comparison {
            return;
        }
        let alive = self.alive();
        let (interval, is_settled) = match self.sync.is_done() {
            true => (COMPARISON, true),
            false => (sync::INTERVAL, false),
        };
        self.comparison = self.now + interval.mul_f64(self.rng.random_range(0.9..1.1));
        self.replica.forget_old(&alive, self.now);
        if let Some(member) = alive.choose(&mut self.rng) {
            if is_settled {
                let digest = self.replica.digest(&alive);
                self.send(member.address, Message::Digest(digest));
            } else {
                self.replica.send_vector(member.address, &alive, true);
            }
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_leaving {
            return None;
        }
        let timeouts = [
            Some(self.comparison),
            self.swim.poll_timeout(),
            self.detector.poll_timeout(self.now),
            self.replica.poll_timeout(),
            self.seeds.poll_timeout(),
            self.sync.poll_timeout(),
        ];
        timeouts.into_iter().flatten().min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.transmits.is_empty() && !self.is_leaving {
            self.replica.push(&self.alive());
            self.work();
        }
        self.transmits.pop_front()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn alive(&self) -> Vec<MemberId> {
        self.swim.alive().map(|identity| identity.id).collect()
    }

    fn send(&mut self, to: SocketAddr, message: Message) {
        self.sessions.send(to, message, &mut self.rng, self.now);
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() < MAX_NOTES && self.notes.insert(note.clone()) {
            self.events.push_back(Event::Note(note));
        }
    }

    /// Passes on what the parts want of each other, and of the world.
    fn work(&mut self) {
        let changes = std::mem::take(&mut self.swim.changes);
        if !changes.is_empty() {
            for change in changes {
                self.handle_change(change);
            }
            self.detector.set_members(self.me, &self.alive());
        }
        for (to, data) in std::mem::take(&mut self.swim.out) {
            self.send(to, Message::Swim(data));
        }
        for (to, message) in std::mem::take(&mut self.detector.out) {
            self.send(to, message);
        }
        for (to, message) in std::mem::take(&mut self.replica.out) {
            self.send(to, message);
        }
        for change in std::mem::take(&mut self.replica.changes) {
            self.events.push_back(Event::Record {
                member: change.member,
                key: change.key,
                value: change.value,
            });
        }
        let notes = std::mem::take(&mut self.replica.notes);
        for note in notes
            .into_iter()
            .chain(std::mem::take(&mut self.seeds.notes))
        {
            // A seed may fall silent more than once.
            if let Note::SeedSilent(address) = note {
                self.notes.remove(&Note::SeedAnswers(address));
            } else if let Note::SeedAnswers(address) = note {
                self.notes.remove(&Note::SeedSilent(address));
            }
            self.note(note);
        }
        for (to, plaintext) in std::mem::take(&mut self.sessions.out) {
            let sealed = self.sealer.seal(&mut self.rng, &plaintext);
            let transmit = sealed.map(|datagram| Transmit { to, datagram });
            self.transmits.extend(transmit);
        }
        self.settle();
    }

    fn handle_change(&mut self, change: Change) {
        match change {
            Change::Up(member) => {
                self.events.push_back(Event::MemberUp(member));
                self.replica.handle_up(member, self.now);
                if !self.sync.is_done() {
                    self.comparison = self.now;
                }
            }
            Change::Down(member) => {
                let why = match self.left.remove(&member) {
                    true => Departure::Left,
                    false => Departure::Lost,
                };
                self.events.push_back(Event::MemberDown { member, why });
            }
        }
    }

    fn settle(&mut self) {
        let is_alone = self.swim.alive().next().is_none();
        let replica = &self.replica;
        let has = |member, version| replica.has(member, version);
        if self.sync.settle(is_alone, has, self.now) {
            self.events.push_back(Event::Settled);
        }
    }

    /// What there is to see.
    pub fn status(&self, now: Instant) -> Status {
        let mut members: Vec<_> = self
            .swim
            .states()
            .map(|(id, state)| MemberStatus {
                id,
                state,
                heard: self
                    .sessions
                    .heard(id)
                    .map(|heard| now.saturating_duration_since(heard)),
                watched: self.detector.is_watched(id),
                records: self.replica.len(id),
            })
            .collect();
        members.sort_unstable_by_key(|member| member.id);
        Status {
            me: self.me,
            members,
            silent_seeds: self.seeds.silent().collect(),
            dropped: self.dropped.clone(),
            settled: self.sync.is_done(),
        }
    }
}
