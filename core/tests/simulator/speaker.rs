//! One node: its daemon, wired as the real one, with a model of the announcer in place of the layer 2
//! backends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::interface::{Exclusion, Interface, Interfaces, MacAddress};
use carillon_core::mark::Mark;
use carillon_core::membership::record::{Key, Value};
use carillon_core::membership::{Event, MemberId};
use carillon_core::ownership::{Holding, Input, Output, Ownership, Settings};
use ipnet::IpNet;

/// From a decision to the first frame about it.
const BACKEND: Duration = Duration::from_millis(1);
/// When a new VIP is announced, from the first time on.
const BURST: [u64; 5] = [0, 50, 200, 1000, 2000];
/// How often a watched VIP is asked for, and a conflict about one VIP is reported.
const INTERVAL: Duration = Duration::from_secs(1);

/// What comes to a daemon.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// For its election.
    Input(Input),
    /// Another station announces a VIP.
    Announcement(IpAddr, MacAddress, Mark),
    /// Another node asks for a VIP.
    Question(IpAddr, usize),
}

/// What a daemon does.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Publish(Key, Option<Value>),
    Owner(bool),
    Doubt(MemberId),
    /// It is on the wire, or not any more.
    Announces(IpAddr, bool),
    /// A frame to all.
    Announcement(IpAddr),
    /// A frame to all that ask for a VIP.
    Question(IpAddr),
    /// A frame to one.
    Answer(IpAddr, usize),
    Note(String),
    Left,
}

/// A node, which outlives its daemons.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) mac: MacAddress,
    pub(crate) segment: u8,
    pub(crate) has_carrier: bool,
    pub(crate) is_draining: bool,
    /// How far its clock is from the truth, in seconds.
    pub(crate) clock: i64,
    pub(crate) daemon: Option<Daemon>,
    /// When the daemon has something to do.
    pub(crate) due: Option<Instant>,
}

impl Speaker {
    pub(crate) fn new(number: u16, segment: u8) -> Self {
        let [high, low] = number.to_be_bytes();
        Self {
            name: format!("node-{number}").into(),
            address: ([10, 0, high, low], 7946).into(),
            mac: MacAddress([2, 0, 0, 0, high, low]),
            segment,
            has_carrier: true,
            is_draining: false,
            clock: 0,
            daemon: None,
            due: None,
        }
    }

    /// The place of the node with this address among all.
    pub(crate) fn index_of(address: SocketAddr) -> usize {
        match address.ip() {
            IpAddr::V4(ip) => usize::from(u16::from_be_bytes([ip.octets()[2], ip.octets()[3]])) - 1,
            IpAddr::V6(_) => unreachable!("all have addresses of IPv4"),
        }
    }

    pub(crate) fn interfaces(&self) -> Input {
        let [.., high, low] = self.mac.0;
        let host = [10, 20 + self.segment, high + 200, low];
        let subnet = IpNet::new(host.into(), 16);
        let interface = Interface {
            index: 2,
            name: "eth0".into(),
            mac: Some(self.mac),
            is_running: self.has_carrier,
            is_loopback: false,
            has_arp: true,
            has_master: false,
            addresses: vec![subnet.expect("the prefix is short enough")],
        };
        let usable = Interfaces::usable(&[interface], &Exclusion::default());
        Input::Interfaces(Arc::new(usable))
    }

    /// Whether it says on its segment that it has a VIP.
    pub(crate) fn announces(&self, vip: IpAddr) -> bool {
        let daemon = self.daemon.as_ref().filter(|_| self.has_carrier);
        daemon.is_some_and(|daemon| daemon.announced.contains(&vip))
    }
}

/// A run of the daemon of a node.
#[derive(Debug)]
pub(crate) struct Daemon {
    machine: Ownership,
    node: Arc<str>,
    /// By which other daemons know this one on the segment.
    pub(crate) mark: Mark,
    mac: MacAddress,
    pub(crate) is_leaving: bool,
    stalled_until: Option<Instant>,
    inbox: VecDeque<Arrival>,
    pub(crate) holdings: BTreeMap<IpAddr, Holding>,
    /// Holdings on their way to the backend.
    backend: VecDeque<(Instant, IpAddr, Holding)>,
    announced: BTreeSet<IpAddr>,
    bursts: BTreeSet<(Instant, IpAddr)>,
    watched: BTreeMap<IpAddr, Instant>,
    reported: BTreeMap<IpAddr, Instant>,
    pub(crate) claims: BTreeMap<IpAddr, u64>,
    effects: Vec<Effect>,
}

impl Daemon {
    pub(crate) fn new(node: Arc<str>, mac: MacAddress, me: MemberId, now: Instant) -> Self {
        let settings = Settings {
            node: node.clone(),
            ipv4: true,
            ipv6: true,
            rebalance: None,
        };
        Self {
            machine: Ownership::new(settings, me, now),
            mark: Mark::of(&node, me.generation),
            mac,
            node,
            is_leaving: false,
            stalled_until: None,
            inbox: VecDeque::new(),
            holdings: BTreeMap::new(),
            backend: VecDeque::new(),
            announced: BTreeSet::new(),
            bursts: BTreeSet::new(),
            watched: BTreeMap::new(),
            reported: BTreeMap::new(),
            claims: BTreeMap::new(),
            effects: Vec::new(),
        }
    }

    pub(crate) fn stall(&mut self, until: Instant) {
        self.stalled_until = self.stalled_until.max(Some(until));
    }

    /// What membership tells, as the driver passes it on.
    pub(crate) fn hear(&mut self, event: Event, now: Instant) {
        let input = match event {
            Event::MemberUp(member) => Input::MemberUp(member),
            Event::MemberDown { member, why } => Input::MemberDown { member, why },
            Event::Record { member, key, value } => Input::Record { member, key, value },
            Event::Settled => Input::Settled,
            Event::Renamed(me) => Input::Renamed(me),
            Event::Note(_) => return,
        };
        self.receive(Arrival::Input(input), now);
    }

    /// Takes in what comes, at once or when it does not stand still any more.
    pub(crate) fn receive(&mut self, arrival: Arrival, now: Instant) {
        self.inbox.push_back(arrival);
        self.work(now);
    }

    /// Whether its election takes this node for one that can have the VIP.
    pub(crate) fn is_able(&self, vip: IpAddr) -> bool {
        let nodes = self.machine.verdicts(vip);
        let mut nodes = nodes.into_iter();
        nodes.any(|(node, verdict)| node == self.node && verdict.is_ok())
    }

    pub(crate) fn move_vip(&mut self, vip: IpAddr, to: &str, now: Instant) {
        let _refused = self.machine.move_vip(vip, to, now);
        self.work(now);
    }

    pub(crate) fn poll_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.stalled_until.is_some() {
            return self.stalled_until;
        }
        let watched = self.watched.values().min().copied();
        let backend = self.backend.front().map(|(at, ..)| *at);
        let burst = self.bursts.first().map(|(at, _)| *at);
        let times = [self.machine.poll_timeout(), watched, backend, burst];
        times.into_iter().flatten().min()
    }

    /// Does what is due and passes on what follows from it.
    pub(crate) fn work(&mut self, now: Instant) {
        if self.stalled_until.is_some_and(|until| now < until) {
            return;
        }
        self.stalled_until = None;
        while let Some(arrival) = self.inbox.pop_front() {
            self.take_in(arrival, now);
        }
        while self.machine.poll_timeout().is_some_and(|due| due <= now) {
            self.machine.handle_timeout(now);
            self.collect(now);
        }
        while let Some((at, vip, holding)) = self.backend.front().cloned()
            && at <= now
        {
            self.backend.pop_front();
            self.put(vip, &holding, now);
            self.announce(now);
            if let Holding::Here { round } = holding {
                self.machine.handle(Input::Applied { vip, round }, now);
                self.collect(now);
            }
        }
        self.announce(now);
        for (vip, next) in &mut self.watched {
            if *next <= now {
                *next = now + INTERVAL;
                self.effects.push(Effect::Question(*vip));
            }
        }
    }

    fn take_in(&mut self, arrival: Arrival, now: Instant) {
        match arrival {
            Arrival::Input(input) => {
                self.is_leaving |= matches!(input, Input::Leaving);
                if let Input::Renamed(me) = &input {
                    self.mark = Mark::of(&self.node, me.generation);
                }
                self.machine.handle(input, now);
            }
            Arrival::Announcement(vip, station, mark) => {
                let concerns = self.announced.contains(&vip) || self.watched.contains_key(&vip);
                let last = self.reported.get(&vip);
                let is_recent = last.is_some_and(|at| now < *at + INTERVAL);
                if concerns && !is_recent {
                    self.reported.insert(vip, now);
                    let conflict = Input::Conflict {
                        vip,
                        station,
                        mark: Some(mark),
                        local: self.mac,
                    };
                    self.machine.handle(conflict, now);
                }
            }
            Arrival::Question(vip, asker) => {
                if self.announced.contains(&vip) {
                    self.effects.push(Effect::Answer(vip, asker));
                }
            }
        }
        self.collect(now);
    }

    fn collect(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Hold { vip, holding } => {
                    self.holdings.insert(vip, holding.clone());
                    self.backend.push_back((now + BACKEND, vip, holding));
                }
                Output::Publish { key, value } => {
                    self.effects.push(Effect::Publish(key, value));
                }
                Output::Owner(owns) => self.effects.push(Effect::Owner(owns)),
                Output::Doubt(member) => self.effects.push(Effect::Doubt(member)),
                Output::Note(note) => self.effects.push(Effect::Note(note.to_string())),
                Output::Left => self.effects.push(Effect::Left),
            }
        }
    }

    /// The backend gets a holding.
    fn put(&mut self, vip: IpAddr, holding: &Holding, now: Instant) {
        match holding {
            Holding::Here { .. } => {
                self.bursts.retain(|(_, other)| *other != vip);
                let at = |pause| (now + Duration::from_millis(pause), vip);
                self.bursts.extend(BURST.map(at));
                if self.announced.insert(vip) {
                    self.effects.push(Effect::Announces(vip, true));
                }
                self.watched.remove(&vip);
            }
            Holding::Elsewhere { watched, .. } => {
                if self.announced.remove(&vip) {
                    self.bursts.retain(|(_, other)| *other != vip);
                    self.effects.push(Effect::Announces(vip, false));
                }
                if *watched {
                    self.watched.entry(vip).or_insert(now);
                } else {
                    self.watched.remove(&vip);
                }
            }
        }
        if !self.announced.contains(&vip) && !self.watched.contains_key(&vip) {
            self.reported.remove(&vip);
        }
    }

    fn announce(&mut self, now: Instant) {
        while let Some((at, vip)) = self.bursts.first().copied()
            && at <= now
        {
            self.bursts.pop_first();
            self.effects.push(Effect::Announcement(vip));
        }
    }
}
