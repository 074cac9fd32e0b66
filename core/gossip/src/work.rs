//! What the parts of a member want of each other, and of the world.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::swim::Change;
use super::wire::Message;
use super::{COMPARISON, Departure, Event, MemberId, Membership, Note, sync};

impl Membership {
    /// Passes on what the parts want of each other, and of the world.
    pub(super) fn work(&mut self) {
        let changes = std::mem::take(&mut self.swim.changes);
        if !changes.is_empty() {
            for change in &changes {
                self.handle_change(*change);
            }
            self.detector.handle_changes(&changes, &self.swim.alive());
        }
        for (to, data) in std::mem::take(&mut self.swim.out) {
            self.send(to, Message::Swim(data));
        }
        for (to, message) in std::mem::take(&mut self.detector.out) {
            self.send(to, message);
        }
        for member in std::mem::take(&mut self.detector.suspects) {
            self.events.push_back(Event::Suspect(member));
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
        self.transmits.append(&mut self.sessions.out);
        self.settle();
    }

    fn handle_change(&mut self, change: Change) {
        match change {
            Change::Up(member) => {
                if self.doubts.clear(member) {
                    return;
                }
                if let Some(former) = self.doubts.clear_former(member) {
                    self.tell_down(former);
                }
                self.events.push_back(Event::MemberUp(member));
                self.replica.handle_up(member, self.now);
                if !self.sync.is_done() {
                    self.comparison = self.now;
                }
            }
            Change::Down(member) => {
                let heard = self.sessions.heard(member);
                let until = heard.map(|heard| heard + self.profile.deadline);
                match until.filter(|until| *until > self.now && !self.left.contains(&member)) {
                    Some(until) => self.doubts.add(member, until),
                    None => self.tell_down(member),
                }
            }
        }
    }

    pub(super) fn tell_down(&mut self, member: MemberId) {
        let why = if self.left.remove(&member) {
            Departure::Left
        } else {
            Departure::Lost
        };
        self.tell_deaf(self.heard + self.profile.deadline < self.now);
        self.events.push_back(Event::MemberDown { member, why });
    }

    pub(super) fn tell_deaf(&mut self, is_deaf: bool) {
        if std::mem::replace(&mut self.is_deaf, is_deaf) != is_deaf {
            self.events.push_back(Event::Deaf(is_deaf));
        }
    }

    pub(super) fn settle(&mut self) {
        let is_alone = self.swim.is_alone();
        let (replica, swim) = (&self.replica, &self.swim);
        let is_former = |member: MemberId| {
            let present = swim.alive_at(member.address);
            present.is_some_and(|present| present.id.generation > member.generation)
        };
        // Of a former run, nobody has anything to say any more.
        let has = |member, version| replica.has(member, version) || is_former(member);
        let is_alive = |member| swim.is_alive(member);
        if self.sync.settle(is_alone, is_alive, has, self.now) {
            self.events.push_back(Event::Settled);
        }
    }

    /// Asks another member now and then whether it has the same records.
    pub(super) fn compare(&mut self) {
        if self.now < self.comparison {
            return;
        }
        let alive = self.alive();
        let is_settled = self.sync.is_done();
        let interval = if is_settled {
            COMPARISON
        } else {
            sync::INTERVAL
        };
        self.comparison = self.now + interval.mul_f64(self.rng.random_range(0.9..1.1));
        self.replica.forget_old(&alive, self.now);
        for member in &alive {
            self.complete(*member);
        }
        if let Some(member) = alive.choose(&mut self.rng) {
            if is_settled {
                let digest = self.replica.digest(&alive);
                self.send(member.address, Message::Digest(digest));
            } else {
                self.replica.send_vector(member.address, &alive, true);
            }
        }
    }
}
