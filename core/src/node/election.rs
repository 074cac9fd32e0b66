//! Who announces the addresses that only one node may announce: between [`Speaker`], [`Ownership`],
//! the backends and the daemons of other nodes.
//!
//! ```text
//!  Speaker ──candidates──▶ Ownership ──holdings──▶ Speaker ──AnnouncementSet──▶ Gate ──▶ backends
//!  other nodes ──Event──▶      │ ──Effect──▶ other nodes                  Applied ──▶ Ownership
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use carillon_gossip::record::{Key, Value};
use carillon_gossip::{Event, MemberId};

use super::gate::Gate;
use crate::announcement::AnnouncementSet;
use crate::backend::BackendEvent;
use crate::ownership::{Holding, Input, MoveError, Note, Output, Ownership, Settings};
use crate::speaker::{self, Speaker};

#[cfg(test)]
mod tests;

/// This member, as long as it has no others.
const NOBODY: MemberId = MemberId {
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    generation: 0,
};

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The others are to be told a record, or that it is withdrawn.
    Publish(Key, Option<Value>),
    /// The others are to be told whether this node has any VIP, by the pace of the heartbeats.
    Owner(bool),
    /// Whether this member can be talked to is to be found out now.
    Doubt(MemberId),
    /// Whether [`Input::Neighbours`] is wanted.
    Neighbours(bool),
    /// People are to be told.
    Note(Note),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Election {
    ownership: Ownership,
    /// What this node says of itself.
    records: BTreeMap<Key, Value>,
    /// The backends whose VIPs have one owner.
    backends: Vec<&'static str>,
    /// What this node has taken that is not on the wire yet.
    unapplied: BTreeMap<IpAddr, Unapplied>,
    effects: VecDeque<Effect>,
    owns: bool,
    /// There are others who can be told something.
    has_joined: bool,
    /// It is known what the others have.
    is_settled: bool,
    has_left: bool,
}

/// A VIP on its way to the wire.
#[derive(Clone, Copy, Debug)]
struct Unapplied {
    /// That of its [`Holding::Here`].
    round: u64,
    /// In which set it was given to a backend. Not while the gate holds it back.
    given: Option<Given>,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    backend: &'static str,
    generation: u64,
    round: u64,
}

impl Election {
    /// An election of the exclusive backends of these names, by a node that knows of no other yet.
    pub fn new(settings: Settings, backends: &[&'static str], now: Instant) -> Self {
        Self {
            ownership: Ownership::new(settings, NOBODY, now),
            records: BTreeMap::new(),
            backends: backends.to_vec(),
            unapplied: BTreeMap::new(),
            effects: VecDeque::new(),
            owns: false,
            has_joined: false,
            is_settled: false,
            has_left: false,
        }
    }

    /// Who has what and why, as far as this node knows.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// Takes in what happens on this node.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.is_settled |= matches!(input, Input::Settled | Input::Alone);
        self.ownership.handle(input, now);
    }

    /// Takes in what is heard of the other daemons.
    pub fn heard(&mut self, event: Event, now: Instant) {
        let input = match event {
            Event::MemberUp(member) => Input::MemberUp(member),
            Event::MemberDown { member, why } => Input::MemberDown { member, why },
            Event::Suspect(member) => Input::Suspect(member),
            Event::Deaf(is_deaf) => Input::Deaf(is_deaf),
            Event::Record { member, key, value } => Input::Record { member, key, value },
            Event::Settled => Input::Settled,
            Event::Renamed(me) => Input::Renamed(me),
            Event::Note(_) => return,
        };
        self.handle(input, now);
    }

    /// Takes in that there are other daemons to talk to, and that this one is `me` among them.
    pub fn joined(&mut self, me: MemberId, now: Instant) {
        self.handle(Input::Renamed(me), now);
        self.has_joined = true;
        let records = self.records.iter();
        let records = records.map(|(key, value)| Effect::Publish(*key, Some(value.clone())));
        self.effects.extend(records);
        self.effects.push_back(Effect::Owner(self.owns));
    }

    /// Decides about the candidates of a speaker, tells it who has them, and returns what the
    /// backends are to announce now, as far as the gate lets it pass.
    pub fn settle(
        &mut self,
        speaker: &mut Speaker,
        gate: Option<&mut Gate>,
        now: Instant,
    ) -> BTreeMap<&'static str, Arc<AnnouncementSet>> {
        let mut sets: BTreeMap<_, _> = speaker.take_changes().into_iter().collect();
        // Who has a VIP is decided on what the speaker knows now.
        for (vip, is_held_back) in speaker.take_held_back() {
            self.ownership
                .handle(Input::HeldBack(vip, is_held_back), now);
        }
        for (vip, scope) in speaker.take_candidates() {
            self.ownership.handle(Input::Candidate(vip, scope), now);
        }
        if self.ownership.poll_timeout().is_some_and(|due| due <= now) {
            self.ownership.handle_timeout(now);
        }
        while let Some(output) = self.ownership.poll_output() {
            self.perform(output, speaker);
        }
        sets.extend(speaker.take_changes());
        if let Some(gate) = gate {
            for (backend, set) in sets {
                gate.offer(backend, set, now);
            }
            sets = gate.pass();
        }
        for (backend, set) in &sets {
            self.give(backend, set);
        }
        sets
    }

    fn perform(&mut self, output: Output, speaker: &mut Speaker) {
        match output {
            Output::Hold { vip, holding } => {
                match holding {
                    Holding::Here { round } => {
                        let given = None;
                        self.unapplied.insert(vip, Unapplied { round, given });
                    }
                    Holding::Elsewhere { .. } => drop(self.unapplied.remove(&vip)),
                }
                speaker.handle(speaker::Input::Holding(vip, holding));
            }
            Output::Publish { key, value } => {
                match value.clone() {
                    Some(value) => self.records.insert(key, value),
                    None => self.records.remove(&key),
                };
                self.tell_others(Effect::Publish(key, value));
            }
            Output::Ask { address, asked } => {
                speaker.handle(speaker::Input::Asked(address, asked));
            }
            Output::Neighbours(are_wanted) => {
                self.effects.push_back(Effect::Neighbours(are_wanted));
            }
            Output::Owner(owns) => {
                self.owns = owns;
                self.tell_others(Effect::Owner(owns));
            }
            Output::Doubt(member) => self.tell_others(Effect::Doubt(member)),
            Output::Note(note) => self.effects.push_back(Effect::Note(note)),
            Output::Left => self.has_left = true,
        }
    }

    fn tell_others(&mut self, effect: Effect) {
        if self.has_joined {
            self.effects.push_back(effect);
        }
    }

    /// Notes what of that which was taken a set has. A newer set of a backend replaces the one
    /// before, also what that had.
    fn give(&mut self, backend: &str, set: &AnnouncementSet) {
        let mut backends = self.backends.iter();
        let Some(backend) = backends.find(|name| **name == backend).copied() else {
            return;
        };
        let generation = set.generation;
        for (vip, unapplied) in &mut self.unapplied {
            let announced = set.by_vip.get(vip).map(|announcement| announcement.round);
            let announced = announced.filter(|round| *round >= unapplied.round);
            unapplied.given = match (announced, unapplied.given) {
                (Some(_), Some(given)) if given.backend == backend => Some(given),
                (Some(round), _) => Some(Given {
                    backend,
                    generation,
                    round,
                }),
                (None, given) => given.filter(|given| given.backend != backend),
            };
        }
    }

    /// Takes in what a backend has to say, as far as it matters for who announces what.
    pub fn told(&mut self, backend: &str, event: &BackendEvent, now: Instant) {
        let input = match event {
            BackendEvent::Applied { generation } => {
                self.applied(backend, *generation, now);
                return;
            }
            BackendEvent::Conflict {
                vip,
                station,
                mark,
                local,
                ..
            } => Input::Conflict {
                vip: *vip,
                station: *station,
                mark: *mark,
                local: *local,
            },
            BackendEvent::Answered { vip, station } => Input::Answer {
                vip: *vip,
                station: *station,
                has_answered: true,
            },
            BackendEvent::Unanswered { vip, station } => Input::Answer {
                vip: *vip,
                station: *station,
                has_answered: false,
            },
            BackendEvent::Heard { interface } => Input::Heard(*interface),
            BackendEvent::Reaches { .. }
            | BackendEvent::Able(_)
            | BackendEvent::NeighborUp { .. }
            | BackendEvent::NeighborDown { .. } => return,
        };
        self.handle(input, now);
    }

    /// Takes in that a backend has put a set on the wire. What is claimed by that waits for no other
    /// backend, and for nothing that is held back.
    fn applied(&mut self, backend: &str, generation: u64, now: Instant) {
        let is_on_wire = |unapplied: &Unapplied| {
            let given = unapplied.given?;
            (given.backend == backend && given.generation <= generation).then_some(given.round)
        };
        let waiting = self.unapplied.iter();
        let applied = waiting.filter_map(|(vip, unapplied)| Some((*vip, is_on_wire(unapplied)?)));
        for (vip, round) in applied.collect::<Vec<_>>() {
            self.unapplied.remove(&vip);
            self.ownership.handle(Input::Applied { vip, round }, now);
        }
    }

    /// The next thing to do outside, after [`Self::settle`] and [`Self::joined`].
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::settle`] has something to do even if nothing comes in.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ownership.poll_timeout()
    }

    /// Whether it is known what the others have.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether everything has been handed over, after [`Input::Leaving`].
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// Has an address given to a node.
    ///
    /// # Errors
    /// It cannot go there.
    pub fn move_vip(&mut self, vip: IpAddr, to: &str, now: Instant) -> Result<(), MoveError> {
        self.ownership.move_vip(vip, to, now)
    }
}
