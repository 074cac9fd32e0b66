//! Machines on one bus, each with its own interface on one segment, in virtual time.

use std::collections::BTreeMap;

use super::*;
use crate::interface::MacAddress;

/// node-b, node-c, node-a is its order.
pub(super) const VIP: &str = "10.20.30.1";

pub(super) fn vip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

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
        index: 2,
        name: "eth0".into(),
        mac: Some(mac(index)),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
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

pub(super) struct Bus {
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) peers: Vec<Peer>,
    pub(super) scopes: BTreeMap<IpAddr, Scope>,
    pub(super) rebalance: Option<Rebalance>,
    /// Pairs that cannot talk.
    pub(super) cut: BTreeSet<(usize, usize)>,
}

#[expect(clippy::disallowed_methods, reason = "the beginning of virtual time")]
fn beginning() -> Instant {
    Instant::now()
}

impl Bus {
    /// One machine for each name, all of which know each other and are ready.
    pub(super) fn new(names: &[&str]) -> Self {
        Self::with(names, None)
    }

    pub(super) fn with(names: &[&str], rebalance: Option<Rebalance>) -> Self {
        let now = beginning();
        let mut bus = Self {
            now,
            start: now,
            peers: Vec::new(),
            scopes: BTreeMap::new(),
            rebalance,
            cut: BTreeSet::new(),
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
        self.input(index, interfaces(index, &["10.20.30.100/24", "fe80::1/64"]));
        for (vip, scope) in self.scopes.clone() {
            self.input(index, Input::Candidate(vip, Some(scope)));
        }
        for other in 0..self.peers.len() {
            if self.talk(index, other) {
                self.meet(index, other);
            }
        }
        self.input(index, Input::Synced);
        self.input(index, Input::Settled);
    }

    /// It is killed, and starts again.
    pub(super) fn restart(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        let name = peer.machine.settings.node.clone();
        let id = MemberId {
            generation: peer.id.generation + 1,
            ..peer.id
        };
        let machine = self.machine(&name, id);
        let peer = &mut self.peers[index];
        peer.id = id;
        peer.machine = machine;
        peer.records.clear();
        peer.holdings.clear();
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
    pub(super) fn meet(&mut self, one: usize, other: usize) {
        for (to, from) in [(one, other), (other, one)] {
            let member = self.peers[from].id;
            self.input(to, Input::MemberUp(member));
            for (key, value) in self.peers[from].records.clone() {
                let value = Some(value);
                self.input(to, Input::Record { member, key, value });
            }
        }
    }

    /// Two do not hear each other any more, and believe the other lost.
    pub(super) fn part(&mut self, one: usize, other: usize) {
        self.cut.insert((one.min(other), one.max(other)));
        for (to, from) in [(one, other), (other, one)] {
            let member = self.peers[from].id;
            let why = Departure::Lost;
            self.input(to, Input::MemberDown { member, why });
        }
    }

    pub(super) fn heal(&mut self, one: usize, other: usize) {
        self.cut.remove(&(one.min(other), one.max(other)));
        self.meet(one, other);
    }

    /// It is gone, and the others notice.
    pub(super) fn kill(&mut self, index: usize, why: Departure) {
        self.peers[index].is_up = false;
        let member = self.peers[index].id;
        for other in 0..self.peers.len() {
            if self.peers[other].is_up {
                self.input(other, Input::MemberDown { member, why });
            }
        }
    }

    pub(super) fn candidate(&mut self, vip: IpAddr, scope: Option<Scope>) {
        match &scope {
            Some(scope) => self.scopes.insert(vip, scope.clone()),
            None => self.scopes.remove(&vip),
        };
        for index in 0..self.peers.len() {
            if self.peers[index].is_up {
                self.input(index, Input::Candidate(vip, scope.clone()));
            }
        }
    }

    pub(super) fn input(&mut self, index: usize, input: Input) {
        self.peers[index].machine.handle(input, self.now);
        self.flush(index);
    }

    /// Passes on what a machine has to say, at once and in order.
    pub(super) fn flush(&mut self, index: usize) {
        let mut applied = 0;
        while let Some(output) = self.peers[index].machine.poll_output() {
            let peer = &mut self.peers[index];
            match output {
                Output::Hold {
                    sequence,
                    vip,
                    holding,
                } => {
                    applied = sequence;
                    peer.holdings.insert(vip, holding);
                }
                Output::Publish { key, value } => {
                    match &value {
                        Some(value) => peer.records.insert(key, value.clone()),
                        None => peer.records.remove(&key),
                    };
                    let member = peer.id;
                    for other in 0..self.peers.len() {
                        if self.talk(index, other) {
                            let value = value.clone();
                            self.input(other, Input::Record { member, key, value });
                        }
                    }
                }
                Output::Note(note) => peer.notes.push(note),
                Output::Left => peer.has_left = true,
                Output::Owner(_) => {}
            }
        }
        if applied > 0 && self.peers[index].applies {
            self.input(index, Input::Applied(applied));
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
            let next = self.peers.iter().enumerate().filter_map(due).min();
            let Some((at, index)) = next.filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.peers[index].machine.handle_timeout(self.now);
            self.flush(index);
        }
        self.now = end;
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
