//! Machines in virtual time: records go over a bus with delays, in order from each to each; VIPs are
//! announced on one segment.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::*;
use crate::announcement::Respondent;
use crate::interface::MacAddress;
pub(super) use crate::testing::ip as vip;
use crate::testing::{beginning, interface};

/// node-b, node-c, node-a is its order.
pub(super) const VIP: &str = "10.20.30.1";

/// A host that is no member, with its Ethernet address.
const ROUTER: (IpAddr, MacAddress) = (
    IpAddr::V4(Ipv4Addr::new(10, 20, 30, 254)),
    MacAddress([2, 0, 0, 0, 1, 0]),
);

/// How long a member is silent before it is found lost.
const SUSPICION: Duration = Duration::from_millis(300);

pub(super) fn id(index: usize, generation: u64) -> MemberId {
    let octet = u8::try_from(index + 1).unwrap();
    MemberId {
        address: ([192, 0, 2, octet], 7946).into(),
        generation,
    }
}

pub(super) fn mac(index: usize) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, u8::try_from(index).unwrap()])
}

/// One interface with these addresses.
pub(super) fn interfaces(index: usize, addresses: &[&str]) -> Input {
    let interface = Interface {
        mac: Some(mac(index)),
        ..interface(2, "eth0", addresses)
    };
    let all = if addresses.is_empty() {
        Vec::new()
    } else {
        vec![interface]
    };
    Input::Interfaces(Arc::new(Interfaces::usable(&all, &Exclusion::default())))
}

/// A machine with what the world knows of it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: MemberId,
    pub(super) machine: Ownership,
    pub(super) records: BTreeMap<Key, Value>,
    pub(super) holdings: BTreeMap<IpAddr, Holding>,
    pub(super) notes: Vec<Note>,
    pub(super) has_left: bool,
    /// It takes part.
    pub(super) is_up: bool,
    /// The backends do what they are told.
    pub(super) applies: bool,
    /// It hears nothing on the segment.
    pub(super) is_deaf: bool,
    /// Whom it asks.
    pub(super) asked: BTreeMap<IpAddr, Arc<Asked>>,
    /// Whether there was an answer, as was reported last.
    answered: BTreeMap<(IpAddr, MacAddress), bool>,
}

impl Peer {
    pub(super) fn holds(&self, vip: IpAddr) -> bool {
        self.is_up && matches!(self.holdings.get(&vip), Some(Holding::Here { .. }))
    }

    pub(super) fn round(&self, vip: IpAddr) -> u64 {
        match self.holdings.get(&vip) {
            Some(Holding::Here { round }) => *round,
            Some(Holding::Elsewhere { .. }) | None => 0,
        }
    }
}

/// What is under way.
#[derive(Debug)]
enum Event {
    /// To this peer, if it has not started anew since.
    Input(usize, u64, Input),
    /// This peer announces, and the others hear it.
    Frame(usize, IpAddr),
    /// This peer asks who has it.
    Ask(usize, IpAddr),
    /// This peer, in this run, asks a station for an address, after so many questions without an
    /// answer.
    Inquire(usize, u64, IpAddr, MacAddress, u32),
    /// A client is heard by this peer, as long as it listens.
    Client(usize, u64),
}

pub(super) struct Bus {
    pub(super) now: Instant,
    pub(super) peers: Vec<Peer>,
    pub(super) scopes: BTreeMap<IpAddr, Scope>,
    rebalance: Option<Rebalance>,
    /// Pairs that cannot talk.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// The peers hear each other on the segment.
    pub(super) has_wire: bool,
    /// There are frames of clients on it.
    pub(super) has_clients: bool,
    /// There is a router on it.
    pub(super) has_router: bool,
    /// The longest delay, in milliseconds.
    pub(super) delay: u64,
    pub(super) seed: u64,
    events: BTreeMap<(Instant, u64), Event>,
    count: u64,
    /// When the last message from one to the other arrives, and which records it told of.
    last: BTreeMap<(usize, usize), Instant>,
    told: BTreeMap<(MemberId, MemberId), BTreeSet<Key>>,
    /// When a conflict was reported last.
    reported: BTreeMap<(usize, usize, IpAddr), Instant>,
    /// Called after every event.
    pub(super) fewest: BTreeMap<IpAddr, usize>,
}

impl Bus {
    /// One machine for each name, joined by the segment alone.
    pub(super) fn strangers(names: &[&str]) -> Self {
        let mut bus = Self::new(&[]);
        bus.has_wire = true;
        for (index, name) in names.iter().enumerate() {
            bus.cut.extend((0..index).map(|other| (other, index)));
            bus.add(name);
        }
        bus
    }

    /// One machine for each name, all of which know each other and are ready.
    pub(super) fn new(names: &[&str]) -> Self {
        Self::with(names, None)
    }

    pub(super) fn with(names: &[&str], rebalance: Option<Rebalance>) -> Self {
        let mut bus = Self {
            now: beginning(),
            peers: Vec::new(),
            scopes: BTreeMap::new(),
            rebalance,
            cut: BTreeSet::new(),
            has_wire: false,
            has_clients: true,
            has_router: false,
            delay: 0,
            seed: 1,
            events: BTreeMap::new(),
            count: 0,
            last: BTreeMap::new(),
            told: BTreeMap::new(),
            reported: BTreeMap::new(),
            fewest: BTreeMap::new(),
        };
        for name in names {
            bus.add(name);
        }
        bus
    }

    pub(super) fn add(&mut self, name: &str) -> usize {
        let index = self.peers.len();
        let id = id(index, 1);
        let machine = self.machine(name, id);
        self.peers.push(Peer {
            id,
            machine,
            records: BTreeMap::new(),
            holdings: BTreeMap::new(),
            notes: Vec::new(),
            has_left: false,
            is_up: true,
            applies: true,
            is_deaf: false,
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
        });
        self.begin(index);
        index
    }

    fn machine(&self, name: &str, id: MemberId) -> Ownership {
        let settings = Settings {
            node: name.into(),
            ipv4: true,
            ipv6: true,
            rebalance: self.rebalance,
        };
        Ownership::new(settings, id, self.now)
    }

    /// A machine that has just started learns all, and the others learn of it.
    fn begin(&mut self, index: usize) {
        self.handle(index, interfaces(index, &["10.20.30.100/24", "fe80::1/64"]));
        for (vip, scope) in self.scopes.clone() {
            self.handle(index, Input::Candidate(vip, Some(scope)));
        }
        for other in 0..self.peers.len() {
            if self.talk(index, other) {
                self.meet(index, other);
            }
        }
        let ready = self.last.iter().filter(|((_, to), _)| *to == index);
        let ready = ready
            .map(|(_, at)| *at)
            .max()
            .unwrap_or(self.now)
            .max(self.now);
        let generation = self.peers[index].id.generation;
        for input in [Input::Synced, Input::Settled] {
            self.schedule(ready, Event::Input(index, generation, input));
        }
        self.run(Duration::ZERO);
    }

    /// It is killed, and starts again.
    pub(super) fn restart(&mut self, index: usize) {
        let id = MemberId {
            generation: self.peers[index].id.generation + 1,
            ..self.peers[index].id
        };
        let name = self.peers[index].machine.settings.node.clone();
        let machine = self.machine(&name, id);
        let peer = &mut self.peers[index];
        peer.id = id;
        peer.machine = machine;
        peer.records.clear();
        peer.holdings.clear();
        peer.asked.clear();
        peer.answered.clear();
        peer.is_up = true;
        peer.has_left = false;
        self.begin(index);
    }

    pub(super) fn talk(&self, one: usize, other: usize) -> bool {
        let pair = (one.min(other), one.max(other));
        one != other
            && self.peers[one].is_up
            && self.peers[other].is_up
            && !self.cut.contains(&pair)
    }

    /// Two learn of each other, and what each of them says.
    fn meet(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            let (member, listener) = (self.peers[from].id, self.peers[to].id);
            self.send(from, to, Input::MemberUp(member));
            let mut records: BTreeMap<Key, Option<Value>> = BTreeMap::new();
            let told = self.told.get(&(member, listener)).into_iter().flatten();
            records.extend(told.map(|key| (*key, None)));
            let all = self.peers[from].records.iter();
            records.extend(all.map(|(key, value)| (*key, Some(value.clone()))));
            for (key, value) in records {
                self.send_record(from, to, key, value);
            }
        }
    }

    fn send_record(&mut self, from: usize, to: usize, key: Key, value: Option<Value>) {
        let (member, listener) = (self.peers[from].id, self.peers[to].id);
        self.told.entry((member, listener)).or_default().insert(key);
        self.send(from, to, Input::Record { member, key, value });
    }

    fn random(&mut self) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) % (self.delay + 1)
    }

    fn send(&mut self, from: usize, to: usize, input: Input) {
        let at = self.now + Duration::from_millis(self.random());
        let at = at.max(self.last.get(&(from, to)).copied().unwrap_or(at));
        self.last.insert((from, to), at);
        let generation = self.peers[to].id.generation;
        self.schedule(at, Event::Input(to, generation, input));
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Two do not hear each other any more, and believe the other lost.
    pub(super) fn part(&mut self, one: usize, other: usize) {
        self.cut.insert((one.min(other), one.max(other)));
        for (from, to) in [(one, other), (other, one)] {
            self.send(from, to, Input::Suspect(self.peers[from].id));
        }
        self.run(SUSPICION);
        for (from, to) in [(one, other), (other, one)] {
            let member = self.peers[from].id;
            let why = Departure::Lost;
            self.send(from, to, Input::MemberDown { member, why });
        }
        self.run(Duration::ZERO);
    }

    pub(super) fn heal(&mut self, one: usize, other: usize) {
        self.cut.remove(&(one.min(other), one.max(other)));
        if self.talk(one, other) {
            self.meet(one, other);
        }
        self.run(Duration::ZERO);
    }

    /// It is gone, and the others notice.
    pub(super) fn kill(&mut self, index: usize, why: Departure) {
        self.peers[index].is_up = false;
        let member = self.peers[index].id;
        let others = (0..self.peers.len()).filter(|other| self.peers[*other].is_up);
        let others: Vec<usize> = others.collect();
        if why == Departure::Lost {
            for other in &others {
                self.send(index, *other, Input::Suspect(member));
            }
            self.run(SUSPICION);
        }
        for other in others {
            if self.peers[other].is_up {
                self.send(index, other, Input::MemberDown { member, why });
            }
        }
        self.run(Duration::ZERO);
    }

    pub(super) fn candidate(&mut self, vip: IpAddr, scope: Option<Scope>) {
        match scope.clone() {
            Some(scope) => self.scopes.insert(vip, scope),
            None => self.scopes.remove(&vip),
        };
        let input = Input::Candidate(vip, scope);
        for index in 0..self.peers.len() {
            if self.peers[index].is_up {
                // As if it came from somewhere else, with its own delay.
                self.send(index, index, input.clone());
            }
        }
        self.run(Duration::ZERO);
    }

    pub(super) fn input(&mut self, index: usize, input: Input) {
        self.handle(index, input);
        self.run(Duration::ZERO);
    }

    fn handle(&mut self, index: usize, input: Input) {
        self.peers[index].machine.handle(input, self.now);
        let members = &self.peers[index].machine.members;
        let mut addresses = addresses::Addresses::default();
        let interfaces = members.iter().flat_map(|(_, one)| one.interfaces.values());
        interfaces.for_each(|interface| addresses.add(interface));
        assert!(addresses.are_those_of(&members.addresses));
        members.assert_indexed();
        self.flush(index);
    }

    /// Passes on what a machine has to say.
    pub(super) fn flush(&mut self, index: usize) {
        let mut applied = Vec::new();
        while let Some(output) = self.peers[index].machine.poll_output() {
            match output {
                Output::Hold { vip, holding } => {
                    if let Holding::Here { round } = holding {
                        applied.push(Input::Applied { vip, round });
                    }
                    self.hold(index, vip, holding);
                }
                Output::Publish { key, value } => self.publish(index, key, value.as_ref()),
                Output::Note(note) => self.peers[index].notes.push(note),
                Output::Left => self.peers[index].has_left = true,
                Output::Ask { address, asked } => self.ask(index, address, asked),
                Output::Neighbours(true) if self.has_router => {
                    let neighbours = Input::Neighbours(vec![ROUTER]);
                    let event = Event::Input(index, self.peers[index].id.generation, neighbours);
                    self.schedule(self.now + Duration::from_millis(1), event);
                }
                Output::Owner(_) | Output::Doubt(_) | Output::Neighbours(_) => {}
            }
        }
        if !applied.is_empty() && self.peers[index].applies {
            let at = self.now + Duration::from_millis(self.random());
            let generation = self.peers[index].id.generation;
            for input in applied {
                self.schedule(at, Event::Input(index, generation, input));
            }
        }
    }

    fn publish(&mut self, index: usize, key: Key, value: Option<&Value>) {
        let records = &mut self.peers[index].records;
        let before = match value {
            Some(value) => records.insert(key, value.clone()),
            None => records.remove(&key),
        };
        if let (Some(Value::Claim(before)), Some(Value::Claim(after))) = (before, value) {
            let is_grown = before.term <= after.term || after.is_unproven();
            assert!(is_grown, "terms only grow");
        }
        for other in 0..self.peers.len() {
            if self.talk(index, other) {
                self.send_record(index, other, key, value.cloned());
            }
        }
    }

    fn hold(&mut self, index: usize, vip: IpAddr, holding: Holding) {
        match holding {
            Holding::Here { .. } => {
                for burst in 0..5 {
                    let at = self.now + Duration::from_millis(1100) * burst;
                    self.schedule(at, Event::Frame(index, vip));
                }
            }
            Holding::Elsewhere { watched, .. } => {
                if watched {
                    self.schedule(self.now, Event::Ask(index, vip));
                }
            }
        }
        let was_listening = self.listens(index);
        self.peers[index].holdings.insert(vip, holding);
        self.begin_to_listen(index, was_listening);
    }

    /// Whether frames of clients are told: while it asks for something, or watches a VIP.
    fn listens(&self, index: usize) -> bool {
        let is_watched = |vip: &IpAddr| self.watches(index, *vip);
        let peer = &self.peers[index];
        !peer.asked.is_empty() || peer.holdings.keys().any(is_watched)
    }

    fn begin_to_listen(&mut self, index: usize, was_listening: bool) {
        if !was_listening && self.listens(index) {
            let run = self.peers[index].id.generation;
            self.schedule(self.now, Event::Client(index, run));
        }
    }

    fn ask(&mut self, index: usize, address: IpAddr, asked: Option<Arc<Asked>>) {
        let run = self.peers[index].id.generation;
        let was_listening = self.listens(index);
        let peer = &mut self.peers[index];
        let before = peer.asked.remove(&address);
        let round = |asked: &Option<Arc<Asked>>| asked.as_ref().map(|asked| asked.round);
        let is_anew = round(&before) != round(&asked);
        let before = before.map(|asked| asked.stations.clone());
        let before = before.unwrap_or_default();
        if is_anew {
            peer.answered.retain(|(one, _), _| *one != address);
        }
        let stations = asked.as_ref().map(|asked| asked.stations.clone());
        let stations = stations.unwrap_or_default();
        for station in before.difference(&stations) {
            peer.answered.remove(&(address, *station));
        }
        peer.asked.extend(asked.map(|asked| (address, asked)));
        self.begin_to_listen(index, was_listening);
        for station in stations.difference(&before) {
            let event = Event::Inquire(index, run, address, *station, 0);
            self.schedule(self.now, event);
        }
    }

    /// Whether a station answers this peer for an address.
    fn answers(&self, to: usize, address: IpAddr, station: MacAddress) -> bool {
        if (address, station) == ROUTER {
            return !self.peers[to].is_deaf;
        }
        let of = self.peers[to].asked[&address].respondent;
        let other = (0..self.peers.len()).find(|index| mac(*index) == station);
        other.is_some_and(|other| {
            let peer = &self.peers[other];
            let has_it = match of {
                Respondent::Daemon | Respondent::FormerDaemon => {
                    self.has_wire && peer.holds(address)
                }
                Respondent::Host => self.has_wire && peer.is_up || self.talk(to, other),
            };
            has_it && !peer.is_deaf && !self.peers[to].is_deaf
        })
    }

    fn inquire(&mut self, index: usize, address: IpAddr, station: MacAddress, unanswered: u32) {
        let peer = &self.peers[index];
        let asked = peer.asked.get(&address).filter(|_| peer.is_up);
        if !asked.is_some_and(|asked| asked.stations.contains(&station)) {
            return;
        }
        let run = peer.id.generation;
        let has_answered = self.answers(index, address, station);
        if has_answered && !self.has_clients {
            self.handle(index, Input::Heard(2));
        }
        let unanswered = if has_answered { 0 } else { unanswered + 1 };
        let pause = if (1..5).contains(&unanswered) { 20 } else { 50 };
        let at = self.now + Duration::from_millis(pause);
        let event = Event::Inquire(index, run, address, station, unanswered);
        self.schedule(at, event);
        let is_found = has_answered || unanswered >= 5;
        let reported = &mut self.peers[index].answered;
        if is_found && reported.insert((address, station), has_answered) != Some(has_answered) {
            let vip = address;
            let input = Input::Answer {
                vip,
                station,
                has_answered,
            };
            self.handle(index, input);
        }
    }

    fn watches(&self, index: usize, vip: IpAddr) -> bool {
        let holding = self.peers[index].holdings.get(&vip);
        self.peers[index].is_up && matches!(holding, Some(Holding::Elsewhere { watched: true, .. }))
    }

    /// A peer that cares hears another on the segment; told at most once a second of each.
    fn hear(&mut self, to: usize, from: usize, vip: IpAddr) {
        let cares = self.peers[to].holds(vip) || self.watches(to, vip);
        let last = self.reported.get(&(to, from, vip)).copied();
        let is_due = last.is_none_or(|at| self.now >= at + Duration::from_secs(1));
        let is_deaf = self.peers[to].is_deaf;
        if to != from && self.has_wire && cares && is_due && !is_deaf {
            self.reported.insert((to, from, vip), self.now);
            let speaker = &self.peers[from];
            let mark = Mark::of(&speaker.machine.settings.node, speaker.id.generation);
            let input = Input::Conflict {
                vip,
                station: mac(from),
                mark: Some(mark),
                local: mac(to),
            };
            self.handle(to, input);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(to, generation, input) => {
                let peer = &self.peers[to];
                if peer.is_up && peer.id.generation == generation {
                    self.handle(to, input);
                }
            }
            Event::Frame(from, vip) => {
                for to in 0..self.peers.len() {
                    if self.peers[from].holds(vip) {
                        self.hear(to, from, vip);
                    }
                }
            }
            Event::Inquire(index, run, address, station, unanswered) => {
                if self.peers[index].id.generation == run {
                    self.inquire(index, address, station, unanswered);
                }
            }
            Event::Client(index, run) => {
                let peer = &self.peers[index];
                if peer.id.generation == run && peer.is_up && self.listens(index) {
                    let at = self.now + Duration::from_millis(60);
                    self.schedule(at, Event::Client(index, run));
                    if self.has_clients && !self.peers[index].is_deaf {
                        self.handle(index, Input::Heard(2));
                    }
                }
            }
            Event::Ask(asker, vip) => {
                if self.watches(asker, vip) {
                    for other in 0..self.peers.len() {
                        if self.peers[other].holds(vip) {
                            self.hear(asker, other, vip);
                        }
                    }
                    let at = self.now + Duration::from_secs(1);
                    self.schedule(at, Event::Ask(asker, vip));
                }
            }
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = |(index, peer): (usize, &Peer)| {
                let at = peer.machine.poll_timeout().filter(|_| peer.is_up)?;
                Some((at, index))
            };
            let timeout = self.peers.iter().enumerate().filter_map(due).min();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let timeout = timeout.filter(|(at, _)| event.is_none_or(|event| *at < event));
            match (timeout, event) {
                (Some((at, index)), _) if at <= end => {
                    self.now = self.now.max(at);
                    self.peers[index].machine.handle_timeout(self.now);
                    self.flush(index);
                }
                (None, Some(at)) if at <= end => {
                    self.now = self.now.max(at);
                    let (_, event) = self.events.pop_first().unwrap();
                    self.happen(event);
                }
                (Some(_) | None, _) => break,
            }
            self.watch_over();
        }
        self.now = end;
    }

    /// Remembers how few announced each VIP.
    fn watch_over(&mut self) {
        for vip in self.scopes.keys() {
            let holders = self.peers.iter().filter(|peer| peer.holds(*vip)).count();
            let fewest = self.fewest.entry(*vip).or_insert(holders);
            *fewest = holders.min(*fewest);
        }
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// The names of those that announce it.
    pub(super) fn holders(&self, vip: IpAddr) -> Vec<String> {
        let holders = self.peers.iter().filter(|peer| peer.holds(vip));
        holders
            .map(|peer| peer.machine.settings.node.to_string())
            .collect()
    }

    /// The sentence that says why, as this peer sees it.
    pub(super) fn why(&self, index: usize, vip: IpAddr) -> String {
        let owner = self.peers[index].machine.explain(vip).unwrap().owner;
        owner.map_or_else(String::new, |owner| {
            format!("{}: {}", owner.node, owner.why)
        })
    }
}
