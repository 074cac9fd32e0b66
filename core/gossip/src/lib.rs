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
use std::mem::discriminant;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use detector::Detector;
use doubts::Doubts;
use drops::Drops;
use record::{Key, Value};
use replica::Replica;
use seal::Sealer;
use seeds::Seeds;
use session::Sessions;
use status::Stuck;
use swim::{Pace, Swim};
use sync::Sync;
use wire::Message;

pub use detector::Profile;
pub use event::{Departure, Event};
pub use mac::MacAddress;
pub use member::{MemberId, Settings};
pub use seal::{KeyError, Keys};
pub use status::{Dropped, DroppedStatus, MemberStatus, Note, State, Status, StuckStatus};

mod detector;
mod doubts;
mod drops;
mod event;
pub mod hash;
mod identity;
mod mac;
mod member;
#[cfg(any(test, feature = "testing"))]
pub mod octets;
mod receive;
pub mod record;
mod rename;
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
mod work;

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
/// How many notes of each kind are told once.
const MAX_NOTES: usize = 64;

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its octets, at most 1200.
    pub datagram: Vec<u8>,
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
    doubts: Doubts,
    replica: Replica,
    seeds: Seeds,
    sync: Sync,
    profile: Profile,
    comparison: Instant,
    /// When any other member was heard last.
    heard: Instant,
    /// That is longer ago than it may be, as was told last.
    is_deaf: bool,
    /// Those that have said that they leave.
    left: BTreeSet<MemberId>,
    /// When somebody who seems to be down was called.
    called: BTreeMap<SocketAddr, Instant>,
    is_leaving: bool,
    raised: u32,
    drops: Drops,
    stuck: Option<Stuck>,
    /// The addresses of this host.
    hosts: BTreeSet<IpAddr>,
    notes: BTreeSet<Note>,
    /// What is to be sealed and sent.
    transmits: VecDeque<(SocketAddr, Vec<u8>)>,
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
            doubts: Doubts::default(),
            replica: Replica::new(me),
            seeds: Seeds::new(),
            sync: Sync::new(settings.alone_after),
            profile: settings.profile,
            comparison: now + COMPARISON,
            heard: now,
            is_deaf: false,
            left: BTreeSet::new(),
            called: BTreeMap::new(),
            is_leaving: false,
            raised: 0,
            drops: Drops::new(now),
            stuck: None,
            hosts: BTreeSet::from([settings.address.ip()]),
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

    /// Looks for others at these addresses, and no more at those of the last call. Only from the first
    /// call on can it turn out that this member is alone.
    pub fn join(&mut self, seeds: &[SocketAddr], now: Instant) {
        self.now = now;
        self.sync.begin(now);
        self.seeds.set(seeds, now);
    }

    /// The same, as long as it is not known where all others may be: that this member is alone cannot
    /// turn out by it.
    pub fn seek(&mut self, seeds: &[SocketAddr], now: Instant) {
        self.now = now;
        self.seeds.set(seeds, now);
    }

    /// All members that are known, those that are down as well.
    pub fn known(&self) -> impl Iterator<Item = MemberId> {
        self.swim.states().map(|(member, _)| member)
    }

    /// Takes in which addresses this host has, beside the one of this member: what comes back from
    /// one of them shows which seeds lead to this member itself.
    pub fn set_hosts(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.hosts = addresses
            .into_iter()
            .chain([self.me.address.ip()])
            .collect();
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
        let owns = owns && !self.is_leaving;
        self.detector.set_owner(owns, &self.swim.alive());
        self.work();
    }

    /// There is reason to believe that this member cannot be talked to any more: it is lost if it
    /// answers no probe within [`Profile::deadline`].
    pub fn doubt(&mut self, member: MemberId, now: Instant) {
        self.now = now;
        let recent = self.profile.deadline / 2;
        let heard = self.sessions.heard(member);
        let is_recent = heard.is_some_and(|heard| now < heard + recent);
        if !is_recent && self.swim.is_alive(member) {
            self.detector.handle_doubt(member, now);
            self.work();
        }
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
            self.drops.spend(from.ip(), now);
            self.drops.count(from, why, now);
            if why.is_noteworthy() {
                let from = SocketAddr::new(from.ip(), 0);
                self.note(Note::Dropped { from, why });
            }
        }
        self.work();
    }

    /// Takes in that what was to be sent did not leave this host, and was given up.
    pub fn handle_stuck(&mut self, now: Instant) {
        let count = self.stuck.map_or(0, |stuck| stuck.count) + 1;
        self.stuck = Some(Stuck { count, last: now });
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
        let is_alive = |address| self.swim.alive_at(address).is_some();
        let is_alone = self.swim.is_alone();
        let calls = self.seeds.handle_timeout(self.me, is_alone, is_alive, now);
        for address in calls {
            self.sessions.dial(address, &mut self.rng, now);
        }
        self.watch();
        self.swim.handle_timeout(now);
        for member in std::mem::take(&mut self.detector.lost) {
            self.declare_lost(member);
        }
        let recent = self.profile.deadline;
        let heard = |member| self.sessions.heard(member).map(|heard| heard + recent);
        for member in self.doubts.handle_timeout(heard, now) {
            self.tell_down(member);
        }
        self.replica.handle_timeout(now);
        self.compare();
        self.work();
        self.settle();
    }

    /// Sends the heartbeats that are due, and looks who is silent.
    fn watch(&mut self) {
        let (sessions, alive) = (&self.sessions, self.swim.alive());
        let hears = |silent: MemberId, since: Instant| {
            let mut others = alive.clone().filter(|member| *member != silent);
            let is_heard = |member| sessions.heard(member).is_some_and(|at| at > since);
            alive.clone().nth(1).is_none() || others.any(is_heard)
        };
        self.detector.handle_timeout(&alive, hears, self.now);
    }

    fn declare_lost(&mut self, member: MemberId) {
        let identity = self.swim.alive_at(member.address).copied();
        if let Some(identity) = identity.filter(|identity| identity.id == member) {
            let alive = self.swim.alive();
            self.detector.report(identity, alive, self.now);
            self.swim.declare_down(identity, self.now);
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
            self.doubts.poll_timeout(),
            self.replica.poll_timeout(),
            self.seeds.poll_timeout(),
            self.sync.poll_timeout(),
        ];
        timeouts.into_iter().flatten().min()
    }

    /// Mixes randomness of the system into what is drawn by lot from now on. It is to be done after
    /// something was taken in and before [`Self::poll_transmit`]: if the memory of this host was
    /// copied and runs twice, the two shall not seal different things with one nonce.
    pub fn stir(&mut self, entropy: [u8; 32]) {
        let drawn: [u8; 32] = self.rng.random();
        let seed = std::array::from_fn(|place| {
            let [drawn, fresh] = [&drawn, &entropy].map(|octets| octets.get(place));
            drawn.copied().unwrap_or_default() ^ fresh.copied().unwrap_or_default()
        });
        self.rng = StdRng::from_seed(seed);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.transmits.is_empty() && !self.is_leaving {
            if self.replica.has_news() {
                self.replica.push(&self.alive());
            }
            self.work();
        }
        // A nonce is drawn here and not before, so that nothing is taken in between it and `stir`.
        let (to, plaintext) = self.transmits.pop_front()?;
        let datagram = self.sealer.seal(&mut self.rng, &plaintext)?;
        Some(Transmit { to, datagram })
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn alive(&self) -> Vec<MemberId> {
        self.swim.alive().collect()
    }

    fn send(&mut self, to: SocketAddr, message: Message) {
        self.sessions.send(to, message, &mut self.rng, self.now);
    }

    fn note(&mut self, note: Note) {
        if self.notes.contains(&note) {
            return;
        }
        let is_alike = |other: &&Note| discriminant(*other) == discriminant(&note);
        let count = self.notes.iter().filter(is_alike).count();
        if count < MAX_NOTES && self.notes.insert(note.clone()) {
            self.events.push_back(Event::Note(note));
        }
    }
}
