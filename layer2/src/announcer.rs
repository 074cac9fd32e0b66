//! Who is told what, and when: the machine between a wish and the packets of one protocol.
//!
//! A VIP that is new here is announced at once and again a few times, since frames get lost; all
//! that start at the same time are paced, and each is announced once before any is repeated. Later
//! every VIP is announced again now and then, spread evenly, for switches and neighbours that have
//! forgotten. A question costs one look-up, whatever the number of VIPs.
//!
//! Whether another host has a VIP as well, and does not say so by itself, is asked soon after it was
//! taken here, and whenever it is announced again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::announcement::{AnnouncementSet, Announcements, Asked};
use carillon_core::backend::BackendEvent;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::message::{Message, Saying};
pub use action::{Action, Listening};

use burst::Bursts;
use check::Checks;
use inquiry::Inquiries;
use places::{Place, Places};
use reports::Reports;
use rotation::Rotation;
use wanted::{Moved, Wanted};

mod action;
mod burst;
mod check;
mod inquiry;
mod places;
mod reached;
mod reports;
mod rotation;
#[cfg(test)]
mod tests;
mod wanted;

/// How often a VIP that another station has is asked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Who comes so late to what it was to do has stood still, and others may have taken what it had.
const LATE: Duration = Duration::from_millis(350);
/// How long it repeats no announcement then: as long as others need to tell it.
const HUSH: Duration = Duration::from_millis(500);

/// The machine. Time is an argument everywhere and must not go back.
#[derive(Debug)]
pub struct Announcer {
    family: Family,
    generation: Option<u64>,
    /// The wish as it came.
    wished: Announcements,
    watched: imbl::OrdSet<IpAddr>,
    wanted: Wanted,
    /// Where each VIP is announced; what a question is answered from.
    held: Places,
    bursts: Bursts,
    checks: Checks,
    refresh: Rotation,
    watch: Rotation,
    asked: OrdMap<IpAddr, Arc<Asked>>,
    inquiries: Inquiries,
    reports: Reports,
    actions: VecDeque<Action>,
    listening: VecDeque<Listening>,
    /// Nothing is said.
    is_mute: bool,
}

impl Announcer {
    /// A machine for the VIPs of one family, which announces each of them again every `refresh`, or
    /// not at all if that is zero. What its questions have to be answered with follows from the seed,
    /// which nobody else should know.
    pub fn new(family: Family, refresh: Duration, seed: [u8; 32]) -> Self {
        Self {
            family,
            generation: None,
            wished: Announcements::new(),
            watched: imbl::OrdSet::new(),
            wanted: Wanted::default(),
            held: Places::default(),
            bursts: Bursts::default(),
            checks: Checks::default(),
            refresh: Rotation::new(refresh, refresh),
            watch: Rotation::new(WATCH_INTERVAL, Duration::ZERO),
            asked: OrdMap::new(),
            inquiries: Inquiries::new(seed),
            reports: Reports::default(),
            actions: VecDeque::new(),
            listening: VecDeque::new(),
            is_mute: false,
        }
    }

    /// Says nothing from now on, or speaks again. What was not said then is said late, and what was
    /// not asked then tells nothing of who has not answered.
    pub fn set_mute(&mut self, is_mute: bool) {
        let was_mute = std::mem::replace(&mut self.is_mute, is_mute);
        if was_mute && !is_mute {
            self.inquiries.excuse();
        }
    }

    /// Takes a new wish. It costs as much as what changed, unless interfaces did.
    pub fn handle_set(&mut self, set: &AnnouncementSet, now: Instant) {
        let before = self.generation.replace(set.generation);
        self.bursts.begin(before);
        match self.wanted.handle_set(set) {
            Moved::All => self.place_all(now),
            Moved::Some(vips) => {
                let held = vips.into_iter().filter(|vip| self.held.contains(*vip));
                for vip in held.collect::<Vec<_>>() {
                    self.place(vip, now);
                }
            }
        }
        let wished = std::mem::replace(&mut self.wished, set.by_vip.clone());
        for change in wished.diff(&set.by_vip) {
            match change {
                DiffItem::Add(vip, _) => self.add(*vip, now),
                DiffItem::Update { old, new } => {
                    self.held.renew(*new.0, new.1);
                    if old.1.round != new.1.round {
                        self.announce_anew(*new.0, now);
                    }
                }
                DiffItem::Remove(vip, _) => self.remove(*vip),
            }
        }
        self.watched = set.watched.clone();
        self.reports
            .retain(|vip| set.by_vip.contains_key(vip) || set.watched.contains(vip));
        let asked = std::mem::replace(&mut self.asked, set.asked.clone());
        self.inquiries.set(&asked, &self.asked, now);
        self.refresh.arm(!self.wished.is_empty(), now);
        self.watch.arm(!self.watched.is_empty(), now);
    }

    /// On this interface, something can be said from now on.
    pub fn handle_ready(&mut self, interface: u32, now: Instant) {
        if self.wanted.set_ready(interface, true) {
            self.bursts.begin(self.generation);
            self.place_all(now);
        }
    }

    /// On this interface, nothing can be said any more.
    pub fn handle_lost(&mut self, interface: u32, now: Instant) {
        if self.wanted.set_ready(interface, false) {
            self.place_all(now);
        }
    }

    /// Takes what was heard on an interface.
    pub fn handle_message(&mut self, interface: u32, message: &Message, now: Instant) {
        if self.wanted.have_station(message.station) {
            return;
        }
        self.tell_heard(interface, now);
        if let Some(vip) = message.claim
            && !self.hear_answer(vip, message, now)
        {
            self.hear_claim(interface, vip, message, now);
        }
        if let Some(question) = message.question.filter(|_| !self.is_mute)
            && self.is_announced(question.target, interface)
        {
            let saying = Saying::Answer(question);
            self.actions.push_back(Action::Say { interface, saying });
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_mute {
            return;
        }
        let due = self.poll_timeout();
        if due.is_some_and(|due| now >= due + inquiry::RETRY) {
            // Answers may have come in meanwhile that are not read yet.
            self.inquiries.excuse();
        }
        if due.is_some_and(|due| now >= due + LATE) {
            self.bursts.hush(now, HUSH);
            self.refresh.hush(now, HUSH);
        }
        self.announce(now);
        for vip in self.watch.due(&self.watched, now) {
            if Family::of(vip) == self.family {
                self.say_where_wanted(vip, Saying::Probe(vip));
            }
        }
        while let Some((vip, station, nonce)) = self.inquiries.next(now) {
            self.say_where_wanted(vip, Saying::Inquiry(vip, station, nonce));
        }
        self.tell_findings();
    }

    /// When [`Self::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_mute {
            return None;
        }
        [
            self.bursts.due_at(),
            self.checks.due_at(),
            self.refresh.due_at(),
            self.watch.due_at(),
            self.inquiries.due_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next change in what has to come in.
    pub fn poll_listening(&mut self) -> Option<Listening> {
        self.listening.pop_front()
    }

    /// Whether [`Self::poll_listening`] has more.
    pub fn has_listening(&self) -> bool {
        !self.listening.is_empty()
    }

    /// The newest generation of which everything was announced once, as far as the actions taken so
    /// far go, on each interface that is ready.
    pub fn applied(&self) -> Option<u64> {
        match self.bursts.first_waiting() {
            Some(entry) => entry.before,
            None => self.generation,
        }
    }

    /// The next interface where other VIPs are announced than was told before, and all of them now. What
    /// may be told of an interface is told as soon as nothing waits for its first announcement.
    pub fn poll_reached(&mut self, may_tell: impl Fn(u32) -> bool) -> Option<(u32, Announcements)> {
        let is_at_rest = self.bursts.first_waiting().is_none();
        is_at_rest.then(|| self.held.poll_reached(may_tell))?
    }

    /// The VIPs that are announced on this interface, ascending.
    pub fn announced(&self, interface: u32) -> Vec<IpAddr> {
        let vips = self.wished.keys().copied();
        vips.filter(|vip| self.is_announced(*vip, interface))
            .collect()
    }

    /// How many VIPs are to be announced.
    pub fn wished(&self) -> usize {
        let vips = self.wished.keys();
        vips.filter(|vip| Family::of(**vip) == self.family).count()
    }
}

impl Announcer {
    fn is_announced(&self, vip: IpAddr, interface: u32) -> bool {
        self.held.at(vip, interface).is_some()
    }

    /// Makes the announcements that are due, and asks who else has what is announced.
    fn announce(&mut self, now: Instant) {
        let held = &mut self.held;
        let actions = &mut self.actions;
        let mut say = |interface, saying| actions.push_back(Action::Say { interface, saying });
        while let Some(entry) = self.bursts.next(now, |entry| {
            let place = held.at(entry.vip, entry.interface);
            place.is_some_and(|place| place.burst == entry.burst)
        }) {
            say(entry.interface, Saying::Announcement(entry.vip));
            if let Some(why) = self.wished.get(&entry.vip) {
                held.announced(entry.vip, entry.interface, why);
            }
        }
        while let Some(entry) = self.checks.next(now, |entry| {
            let place = held.at(entry.vip, entry.interface);
            place.is_some_and(|place| place.taken == entry.taken)
        }) {
            say(entry.interface, Saying::Probe(entry.vip));
        }
        for vip in self.refresh.due(&self.wished, now) {
            for place in held.of(vip) {
                say(place.interface, Saying::Announcement(vip));
                say(place.interface, Saying::Probe(vip));
            }
        }
    }

    fn say(&mut self, interface: u32, saying: Saying) {
        self.actions.push_back(Action::Say { interface, saying });
    }

    fn say_where_wanted(&mut self, vip: IpAddr, saying: Saying) {
        for interface in self.wanted.places(vip) {
            self.say(interface, saying);
        }
    }

    /// While others are asked for something, or a VIP is watched, it matters whether this node can hear.
    fn tell_heard(&mut self, interface: u32, now: Instant) {
        let matters = !self.inquiries.is_empty() || !self.watched.is_empty();
        if matters && self.reports.heard(interface, now) {
            let event = BackendEvent::Heard { interface };
            self.actions.push_back(Action::Tell(event));
        }
    }

    /// Whether this was an answer to a question of ours.
    fn hear_answer(&mut self, vip: IpAddr, message: &Message, now: Instant) -> bool {
        let nonce = message.mark.map(|_| message.nonce);
        let (station, inquiries) = (message.station, &mut self.inquiries);
        let is_answer = message.is_direct && inquiries.answer(vip, station, nonce, now);
        self.tell_findings();
        is_answer
    }

    fn tell_findings(&mut self) {
        let findings = std::iter::from_fn(|| self.inquiries.poll_finding());
        self.actions.extend(findings.map(Action::Tell));
    }

    fn hear_claim(&mut self, interface: u32, vip: IpAddr, message: &Message, now: Instant) {
        let concerns = self.is_announced(vip, interface)
            || self.watched.contains(&vip) && self.wanted.places(vip).contains(&interface);
        if !concerns {
            return;
        }
        let Message { station, mark, .. } = *message;
        if self.reports.conflict(vip, mark.is_some(), now) {
            self.actions.push_back(Action::Conflict {
                interface,
                vip,
                station,
                mark,
            });
        }
    }

    fn add(&mut self, vip: IpAddr, now: Instant) {
        if Family::of(vip) == self.family {
            self.held.add(vip);
            self.place(vip, now);
        }
    }

    fn remove(&mut self, vip: IpAddr) {
        for interface in self.held.remove(vip) {
            self.listening
                .push_back(Listening::new(interface, vip, false));
        }
    }

    fn announce_anew(&mut self, vip: IpAddr, now: Instant) {
        let bursts = &mut self.bursts;
        self.held
            .restart(vip, |interface| bursts.start(vip, interface, now));
    }

    fn place_all(&mut self, now: Instant) {
        for vip in self.held.vips() {
            self.place(vip, now);
        }
    }

    /// Makes a VIP be announced where it has to be.
    fn place(&mut self, vip: IpAddr, now: Instant) {
        let wanted = self.wanted.places(vip);
        for interface in self.held.retain(vip, &wanted) {
            self.listening
                .push_back(Listening::new(interface, vip, false));
        }
        for interface in wanted {
            if self.held.at(vip, interface).is_none() {
                let burst = self.bursts.start(vip, interface, now);
                self.checks.start(vip, interface, burst, now);
                let place = Place {
                    interface,
                    burst,
                    taken: burst,
                };
                self.held.insert(vip, place);
                self.listening
                    .push_back(Listening::new(interface, vip, true));
            }
        }
    }
}
