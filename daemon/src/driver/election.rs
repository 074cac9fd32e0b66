//! Who announces the addresses that only one node may announce: the driver's side of
//! [`Ownership`].
//!
//! ```text
//!  Speaker ──candidates──▶ Ownership ──holdings──▶ Speaker ──AnnouncementSet──▶ backends
//!  gossip ──members, records──▶ │ ──records──▶ gossip          Applied ──▶ Ownership
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use carillon_core::membership::record::{Key, Value};
use carillon_core::membership::{self, Event, MemberId};
use carillon_core::ownership::{Input, Note, Output, Ownership, Settings};
use carillon_core::speaker::{self, Speaker};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::gossip::Command;
use crate::socket::Answer;

#[cfg(test)]
mod tests;

/// This member, as long as it has no others.
const NOBODY: MemberId = MemberId {
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    generation: 0,
};

/// See the module's documentation.
pub(super) struct Election {
    pub(super) ownership: Ownership,
    /// What this node says of itself.
    records: BTreeMap<Key, Value>,
    /// To the other daemons, if there are any.
    pub(super) gossip: Option<mpsc::UnboundedSender<Command>>,
    /// The exclusive backends, each with the newest generation that it was given and the newest that
    /// it has put on the wire.
    backends: BTreeMap<&'static str, Generations>,
    /// Holdings that are not on the wire yet: their sequence, and the generations with which they
    /// are.
    waiting: VecDeque<(u64, BTreeMap<&'static str, u64>)>,
    /// The sequence of the newest holding.
    sequence: u64,
    /// That of the newest one in `waiting`.
    sealed: u64,
    owns: bool,
    /// It is known what the others have.
    is_settled: bool,
    has_left: bool,
}

#[derive(Clone, Copy, Default)]
struct Generations {
    given: u64,
    applied: u64,
    /// Something of it is held back, and comes with a later one.
    is_partial: bool,
}

impl Election {
    /// An election of the exclusive backends of these names, by a node that knows of no other yet.
    pub(super) fn new(settings: Settings, backends: &[&'static str], now: Instant) -> Self {
        let backends = backends.iter().map(|name| (*name, Generations::default()));
        Self {
            ownership: Ownership::new(settings, NOBODY, now),
            records: BTreeMap::new(),
            gossip: None,
            backends: backends.collect(),
            waiting: VecDeque::new(),
            sequence: 0,
            sealed: 0,
            owns: false,
            is_settled: false,
            has_left: false,
        }
    }

    /// Takes in what happens on this node.
    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        self.ownership.handle(input, now);
    }

    /// Takes in that there are no other daemons.
    pub(super) fn set_alone(&mut self, now: Instant) {
        self.is_settled = true;
        self.ownership.handle(Input::Alone, now);
    }

    /// Whether it is known what the others have.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Takes in what is heard of the other daemons.
    pub(super) fn heard(&mut self, event: Event, now: Instant) {
        let input = match event {
            Event::MemberUp(member) => Input::MemberUp(member),
            Event::MemberDown { member, why } => Input::MemberDown { member, why },
            Event::Record { member, key, value } => Input::Record { member, key, value },
            Event::Settled => {
                self.is_settled = true;
                Input::Settled
            }
            Event::Renamed(me) => Input::Renamed(me),
            Event::Note(note @ membership::Note::SeedAnswers(_)) => return info!("{note}"),
            Event::Note(note) => return warn!("{note}"),
        };
        self.ownership.handle(input, now);
    }

    /// Decides about the candidates of a speaker, and tells it who has them.
    pub(super) fn settle(&mut self, speaker: &mut Speaker, now: Instant) {
        for (vip, scope) in speaker.take_candidates() {
            self.ownership.handle(Input::Candidate(vip, scope), now);
        }
        if self.ownership.poll_timeout().is_some_and(|due| due <= now) {
            self.ownership.handle_timeout(now);
        }
        while let Some(output) = self.ownership.poll_output() {
            match output {
                Output::Hold {
                    sequence,
                    vip,
                    holding,
                } => {
                    self.sequence = sequence;
                    speaker.handle(speaker::Input::Holding(vip, holding));
                }
                Output::Publish { key, value } => self.publish(key, value),
                Output::Owner(owns) => {
                    self.owns = owns;
                    self.tell_others(Command::Owner(owns));
                }
                Output::Doubt(member) => self.tell_others(Command::Doubt(member)),
                Output::Note(note) => tell(&note),
                Output::Left => self.has_left = true,
            }
        }
    }

    /// Takes in that there are other daemons to talk to, and that this one is `me` among them.
    pub(super) fn joined(
        &mut self,
        me: MemberId,
        gossip: mpsc::UnboundedSender<Command>,
        now: Instant,
    ) {
        self.ownership.handle(Input::Renamed(me), now);
        self.gossip = Some(gossip);
        for (key, value) in self.records.clone() {
            self.tell_others(Command::Publish(key, Some(value)));
        }
        self.tell_others(Command::Owner(self.owns));
    }

    fn publish(&mut self, key: Key, value: Option<Value>) {
        match value.clone() {
            Some(value) => self.records.insert(key, value),
            None => self.records.remove(&key),
        };
        self.tell_others(Command::Publish(key, value));
    }

    fn tell_others(&self, command: Command) {
        if let Some(gossip) = &self.gossip {
            // A thread that has died has said so.
            let _ = gossip.send(command);
        }
    }

    /// Takes in that a backend was given a set, from which something is held back or not.
    pub(super) fn given(&mut self, backend: &str, generation: u64, is_partial: bool) {
        if let Some(generations) = self.backends.get_mut(backend) {
            generations.given = generation;
            generations.is_partial = is_partial;
        }
    }

    /// All that was decided has been given to the backends.
    pub(super) fn seal(&mut self, now: Instant) {
        let is_partial = self.backends.values().any(|given| given.is_partial);
        if self.sequence > self.sealed && !is_partial {
            self.sealed = self.sequence;
            let given = self.backends.iter();
            let given = given.map(|(name, generations)| (*name, generations.given));
            self.waiting.push_back((self.sequence, given.collect()));
            self.advance(now);
        }
    }

    /// Takes in that a backend has put a set on the wire.
    pub(super) fn applied(&mut self, backend: &str, generation: u64, now: Instant) {
        if let Some(generations) = self.backends.get_mut(backend) {
            generations.applied = generation;
            self.advance(now);
        }
    }

    fn advance(&mut self, now: Instant) {
        let backends = &self.backends;
        let is_on_wire = |(name, needed): (&&str, &u64)| {
            let backend = backends.get(*name);
            backend.is_none_or(|generations| generations.applied >= *needed)
        };
        let mut done = None;
        while let Some((sequence, needed)) = self.waiting.front()
            && needed.iter().all(is_on_wire)
        {
            done = Some(*sequence);
            self.waiting.pop_front();
        }
        if let Some(sequence) = done {
            self.ownership.handle(Input::Applied(sequence), now);
        }
    }

    /// When [`Self::settle`] has something to do even if nothing comes in.
    pub(super) fn due(&self) -> Option<Instant> {
        self.ownership.poll_timeout()
    }

    /// Whether everything has been handed over, after [`Input::Leaving`].
    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    /// Has an address given to a node.
    pub(super) fn move_to(&mut self, vip: IpAddr, node: &str, now: Instant) -> Answer {
        match self.ownership.move_vip(vip, node, now) {
            Ok(()) => Ok(format!("{vip} goes to {node}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn tell(note: &Note) {
    match note {
        Note::Took { .. } | Note::GaveUp { .. } => info!("{note}"),
        Note::Conflict { .. }
        | Note::Outsider { .. }
        | Note::NotTaken { .. }
        | Note::Namesake { .. } => warn!("{note}"),
    }
}
