//! Nodes, the segments they announce VIPs on, and the network over which they talk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::membership::record::{Key, Value};
use carillon_core::membership::testing::{Network, settings};
use carillon_core::membership::{Event, Keys, Membership, Settings};
use carillon_core::ownership::{Input, Scope};
use rand::RngExt;

use crate::speaker::{Arrival, Daemon, Effect, Speaker};

/// When the first daemon starts, in seconds since 1970 by an exact clock.
const EPOCH: i64 = 1_790_000_000;
/// How many nodes all others are told of.
const SEEDS: usize = 10;
/// How long a node may stand still without anything following from it.
const HARMLESS: Duration = Duration::from_millis(300);

/// Everything; see the module's documentation.
pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) network: Network,
    pub(crate) speakers: Vec<Speaker>,
    /// When each daemon has something to do.
    agenda: BTreeSet<(Instant, usize)>,
    /// The VIPs of the services, and which nodes they are for.
    pub(crate) scopes: BTreeMap<IpAddr, Scope>,
    /// Ways on which no datagram gets through, and on which no frame does.
    pub(crate) gossip_cuts: BTreeSet<(usize, usize)>,
    pub(crate) wire_cuts: BTreeSet<(usize, usize)>,
    /// On their way.
    arrivals: BTreeMap<(Instant, u64), (usize, u64, Arrival)>,
    count: u64,
    /// When each node has read the last change of its source.
    read: Vec<Instant>,
    /// How many daemons each node has had.
    runs: Vec<u64>,
    keys: Keys,
    /// When something was done to the world that is not part of its normal course, or when that ends.
    pub(crate) disturbed: Instant,
    /// Grows with every change of what is announced, or may be.
    pub(crate) version: u64,
    /// What has happened; the same for the same seed.
    pub(crate) trace: Vec<String>,
    /// The first violation that the world itself has seen.
    pub(crate) violation: Option<String>,
}

impl World {
    /// Nodes on these segments, on which no daemon runs yet.
    pub(crate) fn new(seed: u64, segments: &[u8]) -> Self {
        let network = Network::new(seed);
        let numbered = (1_u16..).zip(segments);
        Self {
            start: network.now,
            speakers: numbered.map(|(n, at)| Speaker::new(n, *at)).collect(),
            agenda: BTreeSet::new(),
            scopes: BTreeMap::new(),
            gossip_cuts: BTreeSet::new(),
            wire_cuts: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            count: 0,
            read: vec![network.now; segments.len()],
            runs: vec![0; segments.len()],
            keys: Keys::new(b"the secret of the simulator", None).expect("it is long enough"),
            disturbed: network.now,
            version: 0,
            trace: Vec::new(),
            violation: None,
            network,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.network.now
    }

    pub(crate) fn tell(&mut self, what: impl Display) {
        let at = self.network.now - self.start;
        self.trace.push(format!("{:10.4} {what}", at.as_secs_f64()));
    }

    /// Something unusual happens now.
    pub(crate) fn disturb(&mut self) {
        self.disturbed = self.disturbed.max(self.network.now);
        self.version += 1;
    }

    fn random(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.network.rng().random_range(least..=most))
    }

    /// Starts the daemon of a node.
    pub(crate) fn start_daemon(&mut self, node: usize) {
        if self.speakers[node].daemon.is_some() {
            return;
        }
        self.disturb();
        let now = self.now();
        let seconds = (now - self.start).as_secs().cast_signed();
        let speaker = &self.speakers[node];
        let generation = (EPOCH + seconds + speaker.clock).unsigned_abs();
        self.tell(format!("{} starts ({generation})", speaker.name));
        let speaker = &self.speakers[node];
        let settings = Settings {
            address: speaker.address,
            alone_after: Duration::from_secs(3),
            ..settings(1, generation)
        };
        let first = self.speakers.iter().take(SEEDS);
        let seeds: Vec<_> = first.map(|one| one.address).collect();
        self.network.start(settings, &self.keys, &seeds);
        let me = self.network.with(speaker.address, |member, _| member.id());
        let daemon = me.map(|me| Daemon::new(speaker.name.clone(), speaker.mac, me, now));
        let (interfaces, draining) = (speaker.interfaces(), speaker.is_draining);
        self.speakers[node].daemon = daemon;
        self.runs[node] += 1;
        self.input(node, interfaces);
        self.input(node, Input::Draining(draining));
        // Until its source has been read.
        let at = now + self.random(1_000, 300_000);
        self.read[node] = at;
        for (vip, scope) in self.scopes.clone() {
            let input = Input::Candidate(vip, Some(scope));
            self.send(node, at, Arrival::Input(input));
        }
        self.send(node, at, Arrival::Input(Input::Synced));
    }

    /// Ends the daemon of a node without any warning.
    pub(crate) fn kill(&mut self, node: usize) {
        self.disturb();
        self.speakers[node].daemon = None;
        self.plan(node);
        self.network.kill(self.speakers[node].address);
    }

    /// A node, or only the driver of its daemon, stands still.
    pub(crate) fn stall(&mut self, node: usize, how_long: Duration, driver_only: bool) {
        let until = self.now() + how_long;
        if how_long > HARMLESS {
            self.disturbed = self.disturbed.max(until);
        }
        let speaker = &mut self.speakers[node];
        if let Some(daemon) = &mut speaker.daemon {
            daemon.stall(until);
            if !driver_only {
                self.network.stall(speaker.address, how_long);
            }
        }
        self.plan(node);
    }

    /// What all daemons read of their source, each after a while of its own.
    pub(crate) fn set_service(&mut self, vip: IpAddr, scope: Option<&Scope>) {
        self.disturb();
        match scope {
            Some(scope) => self.scopes.insert(vip, scope.clone()),
            None => self.scopes.remove(&vip),
        };
        for node in 0..self.speakers.len() {
            let at = self.now() + self.random(1_000, 100_000);
            let at = at.max(self.read[node]);
            self.read[node] = at;
            let input = Input::Candidate(vip, scope.cloned());
            self.send(node, at, Arrival::Input(input));
        }
    }

    /// Tells a daemon something.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        self.version += 1;
        let now = self.now();
        if let Some(daemon) = &mut self.speakers[node].daemon {
            daemon.receive(Arrival::Input(input), now);
            self.flush(node);
        }
    }

    pub(crate) fn set_carrier(&mut self, node: usize, has_carrier: bool) {
        if self.speakers[node].has_carrier != has_carrier {
            self.speakers[node].has_carrier = has_carrier;
            let interfaces = self.speakers[node].interfaces();
            self.input(node, interfaces);
        }
    }

    /// Cuts or mends a way of datagrams.
    pub(crate) fn set_gossip_cut(&mut self, from: usize, to: usize, is_cut: bool) {
        let way = (self.speakers[from].address, self.speakers[to].address);
        if is_cut {
            self.gossip_cuts.insert((from, to));
            let link = self.network.link;
            self.network.links.entry(way).or_insert(link).is_cut = true;
        } else {
            self.gossip_cuts.remove(&(from, to));
            self.network.links.remove(&way);
        }
    }

    fn send(&mut self, node: usize, at: Instant, arrival: Arrival) {
        self.count += 1;
        let run = self.runs[node];
        self.arrivals.insert((at, self.count), (node, run, arrival));
    }

    /// A frame from one node to another.
    /// A node tells another that it has a VIP.
    fn say(&mut self, node: usize, to: usize, vip: IpAddr) {
        let speaker = &self.speakers[node];
        if let Some(daemon) = &speaker.daemon {
            let announcement = Arrival::Announcement(vip, speaker.mac, daemon.mark);
            self.frame(node, to, announcement);
        }
    }

    fn frame(&mut self, from: usize, to: usize, arrival: Arrival) {
        let (sender, receiver) = (&self.speakers[from], &self.speakers[to]);
        let is_joined = sender.segment == receiver.segment
            && sender.has_carrier
            && receiver.has_carrier
            && from != to
            && !self.wire_cuts.contains(&(from, to));
        let loss = self.network.link.loss;
        if is_joined && !self.network.rng().random_bool(loss) {
            let at = self.now() + self.random(50, 300);
            self.send(to, at, arrival);
        }
    }

    /// Passes on what a daemon does.
    pub(crate) fn flush(&mut self, node: usize) {
        loop {
            let daemon = self.speakers[node].daemon.as_mut();
            let effects = daemon.map(Daemon::poll_effects).unwrap_or_default();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.perform(node, effect);
            }
        }
        self.plan(node);
    }

    /// Brings the agenda up to date about one daemon.
    fn plan(&mut self, node: usize) {
        let speaker = &mut self.speakers[node];
        let due = speaker.daemon.as_ref().and_then(Daemon::poll_timeout);
        let before = std::mem::replace(&mut speaker.due, due);
        if let Some(before) = before {
            self.agenda.remove(&(before, node));
        }
        if let Some(due) = due {
            self.agenda.insert((due, node));
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        let address = self.speakers[node].address;
        match effect {
            Effect::Publish(key, value) => {
                self.watch_terms(node, key, value.as_ref());
                self.network
                    .with(address, |member, now| member.publish(key, value, now));
            }
            Effect::Owner(owns) => {
                self.network
                    .with(address, |member, _| member.set_owner(owns));
            }
            Effect::Doubt(other) => {
                self.network
                    .with(address, |member, now| member.doubt(other, now));
            }
            Effect::Announces(vip, on) => {
                self.version += 1;
                let what = if on { "announces" } else { "drops" };
                self.tell(format!("{} {what} {vip}", self.speakers[node].name));
            }
            Effect::Announcement(vip) => {
                for to in 0..self.speakers.len() {
                    self.say(node, to, vip);
                }
            }
            Effect::Question(vip) => {
                for to in 0..self.speakers.len() {
                    self.frame(node, to, Arrival::Question(vip, node));
                }
            }
            Effect::Answer(vip, to) => self.say(node, to, vip),
            Effect::Note(note) => self.tell(format!("{}: {note}", self.speakers[node].name)),
            Effect::Left => {
                self.tell(format!("{} has left", self.speakers[node].name));
                self.network.with(address, Membership::leave);
                self.kill(node);
            }
        }
    }

    /// The terms of a member grow as long as the service lives.
    fn watch_terms(&mut self, node: usize, key: Key, value: Option<&Value>) {
        let (Key::Claim(vip), Some(Value::Claim(claim))) = (key, value) else {
            return;
        };
        let is_known = self.scopes.contains_key(&vip);
        let name = self.speakers[node].name.clone();
        let Some(daemon) = &mut self.speakers[node].daemon else {
            return;
        };
        let before = daemon.claims.insert(vip, claim.term).unwrap_or(0);
        let term = claim.term;
        if term < before && is_known {
            let text = format!("{name} claims {vip} with term {term} after {before}");
            self.violation.get_or_insert(text);
        }
        self.tell(format!("{name} claims {vip} with term {term}"));
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
        let daemon = self.agenda.first().map(|(at, _)| *at);
        let times = [daemon, arrival, self.network.next()];
        times.into_iter().flatten().min()
    }

    /// Lets happen what comes next, if that is not later than `end`. Returns whether it did.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let Some(next) = self.next().filter(|next| *next <= end) else {
            self.network.now = end;
            return false;
        };
        self.network.now = self.network.now.max(next);
        let now = self.now();
        self.network.step();
        self.hear();
        while let Some(first) = self.arrivals.first_entry()
            && first.key().0 <= now
        {
            let (node, run, arrival) = first.remove();
            if let Some(daemon) = &mut self.speakers[node].daemon
                && run == self.runs[node]
            {
                daemon.receive(arrival, now);
                self.flush(node);
            }
        }
        let due = self.agenda.iter().take_while(|(at, _)| *at <= now);
        let due: BTreeSet<usize> = due.map(|(_, node)| *node).collect();
        for node in due {
            if let Some(daemon) = &mut self.speakers[node].daemon {
                daemon.work(now);
                self.flush(node);
            }
        }
        self.hear();
        true
    }

    /// Passes on what the members tell.
    fn hear(&mut self) {
        while !self.network.events.is_empty() {
            for (at, address, event) in std::mem::take(&mut self.network.events) {
                let node = Speaker::index_of(address);
                if let Event::MemberUp(_) | Event::MemberDown { .. } | Event::Renamed(_) = event {
                    self.tell(format!("{}: {event:?}", self.speakers[node].name));
                }
                if let Some(daemon) = &mut self.speakers[node].daemon {
                    daemon.hear(event, at);
                    self.flush(node);
                }
            }
        }
    }
}
