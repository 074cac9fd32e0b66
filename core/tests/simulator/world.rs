//! Nodes, the segments they announce VIPs on, and the network over which they talk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_core::node::election::Effect;
use carillon_core::ownership::{Input, Scope};
use carillon_gossip::record::{Key, Value};
use carillon_gossip::testing::{Network, settings};
use carillon_gossip::{Event, Keys, Membership, Settings};
use rand::RngExt;

use crate::daemon::{Arrival, Daemon};
use crate::node::Node;
use crate::segment::{self, Frame, Segments};

/// When the first daemon starts, in seconds since 1970 by an exact clock.
const EPOCH: i64 = 1_790_000_000;
/// How many nodes all others are told of.
const SEEDS: usize = 10;
/// How long a node may stand still without anything following from it.
pub(crate) const HARMLESS: Duration = Duration::from_millis(300);

/// What a node is like.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The segments that it is on.
    pub(crate) segments: Vec<u8>,
    /// Its daemon puts VIPs on an interface; each takes so long.
    pub(crate) assigns: Option<Duration>,
}

/// Something on its way to a daemon, or to an interface.
enum Travel {
    /// To this run of the daemon of a node.
    Daemon(usize, u64, Arrival),
    /// To this interface of a node.
    Frame(usize, u32, Frame),
}

/// Everything; see the module's documentation.
pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    segments: Segments,
    /// When each daemon has something to do.
    agenda: BTreeSet<(Instant, usize)>,
    /// The VIPs of the services, and which nodes they are for.
    pub(crate) scopes: BTreeMap<IpAddr, Scope>,
    /// How often daemons announce again what they have.
    refresh: Duration,
    /// Which part of all frames is lost.
    pub(crate) wire_loss: f64,
    /// Ways on which no datagram gets through, and on which no frame does.
    pub(crate) gossip_cuts: BTreeSet<(usize, usize)>,
    pub(crate) wire_cuts: BTreeSet<(usize, usize)>,
    /// On their way.
    travels: BTreeMap<(Instant, u64), Travel>,
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
    /// Nodes at these sites, on which no daemon runs yet.
    pub(crate) fn new(seed: u64, sites: &[Site], refresh: Duration) -> Self {
        let network = Network::new(seed);
        let numbered = (1_u16..).zip(sites);
        let node = |(number, site): (u16, &Site)| Node::new(number, &site.segments, site.assigns);
        let nodes: Vec<Node> = numbered.map(node).collect();
        Self {
            start: network.now,
            segments: Segments::new(&nodes),
            nodes,
            agenda: BTreeSet::new(),
            scopes: BTreeMap::new(),
            refresh,
            wire_loss: 0.0,
            gossip_cuts: BTreeSet::new(),
            wire_cuts: BTreeSet::new(),
            travels: BTreeMap::new(),
            count: 0,
            read: vec![network.now; sites.len()],
            runs: vec![0; sites.len()],
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
        if self.nodes[node].daemon.is_some() {
            return;
        }
        self.disturb();
        let now = self.now();
        let seconds = (now - self.start).as_secs().cast_signed();
        let one = &self.nodes[node];
        let generation = (EPOCH + seconds + one.clock).unsigned_abs();
        self.tell(format!("{} starts ({generation})", one.name));
        let one = &self.nodes[node];
        let settings = Settings {
            address: one.address,
            alone_after: Duration::from_secs(3),
            ..settings(1, generation)
        };
        let first = self.nodes.iter().take(SEEDS);
        let seeds: Vec<_> = first.map(|one| one.address).collect();
        self.network.start(settings, &self.keys, &seeds);
        let me = self.network.with(one.address, |member, _| member.id());
        let one = &self.nodes[node];
        let daemon = me.map(|me| Daemon::new(&one.name, me, (one.assigns, self.refresh), now));
        let (interfaces, draining) = (one.interfaces(), one.is_draining);
        self.nodes[node].daemon = daemon;
        self.runs[node] += 1;
        self.arrive(node, Arrival::Interfaces(interfaces));
        self.arrive(node, Arrival::Draining(draining));
        // Until its source has been read.
        let at = now + self.random(1_000, 300_000);
        self.read[node] = at;
        for (vip, scope) in self.scopes.clone() {
            self.send(node, at, Arrival::Service(vip, Some(scope)));
        }
        self.send(node, at, Arrival::Input(Input::Synced));
    }

    /// Ends the daemon of a node without any warning.
    pub(crate) fn kill(&mut self, node: usize) {
        self.disturb();
        self.nodes[node].daemon = None;
        self.plan(node);
        self.network.kill(self.nodes[node].address);
    }

    /// A node, or only the driver of its daemon, stands still.
    pub(crate) fn stall(&mut self, node: usize, how_long: Duration, driver_only: bool) {
        let until = self.now() + how_long;
        if how_long > HARMLESS {
            self.disturbed = self.disturbed.max(until);
        }
        let one = &mut self.nodes[node];
        if let Some(daemon) = &mut one.daemon {
            daemon.stall(self.network.now, until, driver_only);
            if !driver_only {
                one.stalled_until = one.stalled_until.max(Some(until));
                self.network.stall(one.address, how_long);
            }
        }
        self.version += 1;
        self.plan(node);
    }

    /// What all daemons read of their source, each after a while of its own.
    pub(crate) fn set_service(&mut self, vip: IpAddr, scope: Option<&Scope>) {
        self.disturb();
        match scope {
            Some(scope) => self.scopes.insert(vip, scope.clone()),
            None => self.scopes.remove(&vip),
        };
        for node in 0..self.nodes.len() {
            let at = self.now() + self.random(1_000, 100_000);
            let at = at.max(self.read[node]);
            self.read[node] = at;
            self.send(node, at, Arrival::Service(vip, scope.cloned()));
        }
    }

    /// Tells a daemon something.
    pub(crate) fn arrive(&mut self, node: usize, arrival: Arrival) {
        self.version += 1;
        let now = self.now();
        if let Some(daemon) = &mut self.nodes[node].daemon {
            daemon.receive(arrival, now);
            self.flush(node);
        }
    }

    /// Plugs all cables of a node in or out.
    pub(crate) fn set_carrier(&mut self, node: usize, has_carrier: bool) {
        let mut nics = self.nodes[node].nics.values_mut();
        if nics.any(|nic| std::mem::replace(&mut nic.has_carrier, has_carrier) != has_carrier) {
            nics.for_each(|nic| nic.has_carrier = has_carrier);
            let interfaces = self.nodes[node].interfaces();
            self.arrive(node, Arrival::Interfaces(interfaces));
        }
    }

    /// Frames do not come in on any interface of a node, or do not go out.
    pub(crate) fn set_one_way(&mut self, node: usize, is_deaf: bool, is_dumb: bool) {
        self.version += 1;
        for nic in self.nodes[node].nics.values_mut() {
            (nic.is_deaf, nic.is_dumb) = (is_deaf, is_dumb);
        }
    }

    /// Cuts or mends a way of datagrams.
    pub(crate) fn set_gossip_cut(&mut self, from: usize, to: usize, is_cut: bool) {
        let way = (self.nodes[from].address, self.nodes[to].address);
        if is_cut {
            self.gossip_cuts.insert((from, to));
            let link = self.network.link;
            self.network.links.entry(way).or_insert(link).is_cut = true;
        } else {
            self.gossip_cuts.remove(&(from, to));
            self.network.links.remove(&way);
        }
    }

    fn travel(&mut self, at: Instant, travel: Travel) {
        self.count += 1;
        self.travels.insert((at, self.count), travel);
    }

    fn send(&mut self, node: usize, at: Instant, arrival: Arrival) {
        let run = self.runs[node];
        self.travel(at, Travel::Daemon(node, run, arrival));
    }

    /// A frame from an interface of a node.
    fn transmit(&mut self, node: usize, index: u32, frame: &Frame) {
        let Some(nic) = self.nodes[node].nics.get(&index) else {
            return;
        };
        if nic.has_carrier && !nic.is_dumb {
            self.spread(nic.segment, Some(node), frame);
        }
    }

    /// A frame on a segment, from a node or somebody else.
    pub(crate) fn spread(&mut self, segment: u8, from: Option<usize>, frame: &Frame) {
        for (to, index) in self.segments.receivers(segment, frame) {
            let is_cut =
                from.is_some_and(|from| from == to || self.wire_cuts.contains(&(from, to)));
            if !is_cut && !self.network.rng().random_bool(self.wire_loss) {
                let at = self.now() + self.random(50, 300);
                self.travel(at, Travel::Frame(to, index, frame.clone()));
            }
        }
    }

    /// A frame comes to an interface. The kernel answers for the node's own address, be there a
    /// daemon or not.
    fn receive_frame(&mut self, node: usize, index: u32, frame: &Frame) {
        let now = self.now();
        let one = &self.nodes[node];
        let Some(nic) = one.nics.get(&index) else {
            return;
        };
        if !nic.has_carrier || nic.is_deaf {
            return;
        }
        let question = frame.message.question;
        let is_awake = one.stalled_until.is_none_or(|until| until <= now);
        if let Some(question) = question.filter(|question| question.target == nic.host && is_awake)
        {
            let answer = segment::answer_of_kernel(nic.mac, question);
            self.transmit(node, index, &answer);
        }
        if let Some(daemon) = &mut self.nodes[node].daemon {
            daemon.hear(index, frame.message.clone(), now);
            self.flush(node);
        }
    }

    /// Passes on what a daemon does.
    pub(crate) fn flush(&mut self, node: usize) {
        while let Some(daemon) = &mut self.nodes[node].daemon {
            self.version += u64::from(std::mem::take(&mut daemon.layer2.has_changed));
            for (index, frame) in daemon.take_frames() {
                if let Some(frame) = Frame::new(&frame) {
                    self.transmit(node, index, &frame);
                }
            }
            let Some(daemon) = &mut self.nodes[node].daemon else {
                break;
            };
            for what in std::mem::take(&mut daemon.layer2.news) {
                self.tell(format!("{} {what}", self.nodes[node].name));
            }
            let Some(daemon) = &mut self.nodes[node].daemon else {
                break;
            };
            if let Some(effect) = daemon.poll_effect() {
                self.perform(node, effect);
            } else if daemon.has_left() {
                self.tell(format!("{} has left", self.nodes[node].name));
                let address = self.nodes[node].address;
                self.network.with(address, Membership::leave);
                self.kill(node);
            } else {
                break;
            }
        }
        self.plan(node);
    }

    /// Brings the agenda up to date about one daemon.
    fn plan(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        let due = one.daemon.as_ref().and_then(Daemon::poll_timeout);
        if let Some(before) = std::mem::replace(&mut one.due, due) {
            self.agenda.remove(&(before, node));
        }
        if let Some(due) = due {
            self.agenda.insert((due, node));
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        let address = self.nodes[node].address;
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
            // There are none; of clients frames come in by themselves.
            Effect::Neighbours(_) => {}
            Effect::Note(note) => self.tell(format!("{}: {note}", self.nodes[node].name)),
        }
    }

    /// The terms of a member grow as long as the service lives.
    fn watch_terms(&mut self, node: usize, key: Key, value: Option<&Value>) {
        let (Key::Claim(vip), Some(Value::Claim(claim))) = (key, value) else {
            return;
        };
        let is_known = self.scopes.contains_key(&vip);
        let name = self.nodes[node].name.clone();
        let Some(daemon) = &mut self.nodes[node].daemon else {
            return;
        };
        let term = claim.term;
        let before = daemon.claims.get(&vip).copied().unwrap_or(0);
        daemon.claims.insert(vip, term.max(before));
        // Who has no proof that it is heard claims with the lowest of all.
        if term < before && term > 0 && is_known {
            let text = format!("{name} claims {vip} with term {term} after {before}");
            self.violation.get_or_insert(text);
        }
        self.tell(format!("{name} claims {vip} with term {term}"));
    }

    fn next(&self) -> Option<Instant> {
        let travel = self.travels.first_key_value().map(|((at, _), _)| *at);
        let daemon = self.agenda.first().map(|(at, _)| *at);
        let times = [daemon, travel, self.network.next()];
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
        while let Some(first) = self.travels.first_entry()
            && first.key().0 <= now
        {
            match first.remove() {
                Travel::Daemon(node, run, arrival) => {
                    if run == self.runs[node] {
                        self.arrive(node, arrival);
                    }
                }
                Travel::Frame(node, index, frame) => self.receive_frame(node, index, &frame),
            }
        }
        let due = self.agenda.iter().take_while(|(at, _)| *at <= now);
        let due: BTreeSet<usize> = due.map(|(_, node)| *node).collect();
        for node in due {
            if let Some(daemon) = &mut self.nodes[node].daemon {
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
                let node = Node::index_of(address);
                if let Event::MemberUp(_) | Event::MemberDown { .. } | Event::Renamed(_) = event {
                    self.tell(format!("{}: {event:?}", self.nodes[node].name));
                }
                if let Some(daemon) = &mut self.nodes[node].daemon {
                    daemon.receive(Arrival::Event(event), at);
                    self.flush(node);
                }
            }
        }
    }
}
