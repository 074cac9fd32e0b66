//! Heartbeats: whether a member that has VIPs is still there.
//!
//! ```text
//!  owner ──heartbeat──▶ its two watchers
//!                       silence > interval + grace ──▶ probe it, and ask two others to probe it
//!                       anything heard by anyone   ──▶ all is well
//!                       silence > deadline         ──▶ it is lost; tell all members
//! ```
//!
//! A member that stood still itself accuses nobody: [`Detector::delay`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::identity::Identity;
use super::swim::Change;
use super::timers::Timers;
use super::wire::Message;

mod order;
mod profile;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use order::hash;
pub use profile::Profile;

use order::{Alive, first_of, rank};
use watch::{Cause, Watch};

/// How many members an owner has itself watched by.
const WATCHERS: usize = 2;
/// How long a helper looks out for the one that it was asked about.
const HELP: Duration = Duration::from_millis(400);
/// How many requests for help are remembered.
const MAX_HELP: usize = 64;
/// How many probes somebody else's accusation is checked by.
const CHECKS: u32 = 5;
/// What a helper has heard earlier than this after the one who asks, is no news.
const NEWS: Duration = Duration::from_millis(3);

#[derive(Debug)]
struct Help {
    who: MemberId,
    about: MemberId,
    until: Instant,
}

/// The heartbeats that one member sends and expects.
#[derive(Debug)]
pub(crate) struct Detector {
    me: MemberId,
    profile: Profile,
    owns: bool,
    watchers: Vec<MemberId>,
    /// When the next heartbeat goes out; at once if `None`.
    beat: Option<Instant>,
    watches: BTreeMap<SocketAddr, Watch>,
    help: Vec<Help>,
    later: Timers<(SocketAddr, Message)>,
    pub(crate) out: Vec<(SocketAddr, Message)>,
    /// Those found lost.
    pub(crate) lost: Vec<MemberId>,
    /// Those that are probed from now on.
    pub(crate) suspects: Vec<MemberId>,
}

impl Detector {
    pub(crate) fn new(me: MemberId, profile: Profile) -> Self {
        Self {
            me,
            profile,
            owns: false,
            watchers: Vec::new(),
            beat: None,
            watches: BTreeMap::new(),
            help: Vec::new(),
            later: Timers::new(),
            out: Vec::new(),
            lost: Vec::new(),
            suspects: Vec::new(),
        }
    }

    pub(crate) fn is_watched(&self, member: MemberId) -> bool {
        let watch = self.watches.get(&member.address);
        watch.is_some_and(|watch| watch.member == member && watch.cause == Cause::Heartbeats)
    }

    /// Members have come or gone; those that are `alive` now take part.
    pub(crate) fn handle_changes(&mut self, changes: &[Change], alive: &impl Alive) {
        let mut are_watchers_due = false;
        for change in changes {
            match *change {
                Change::Up(member) => are_watchers_due |= self.is_better_watcher(member),
                Change::Down(member) => {
                    are_watchers_due |= self.watchers.contains(&member);
                    self.forget(member);
                }
            }
        }
        if are_watchers_due {
            self.choose_watchers(alive);
        }
    }

    /// Nobody has to hear of this one any more.
    fn forget(&mut self, member: MemberId) {
        let watch = self.watches.get(&member.address);
        if watch.is_some_and(|watch| watch.member == member) {
            self.watches.remove(&member.address);
        }
        self.help
            .retain(|help| help.who != member && help.about != member);
    }

    /// This member is another one from now on.
    pub(crate) fn rename(&mut self, me: MemberId, alive: &impl Alive) {
        self.me = me;
        if self.owns {
            self.choose_watchers(alive);
        }
    }

    pub(crate) fn set_owner(&mut self, owns: bool, alive: &impl Alive) {
        if owns == self.owns {
            return;
        }
        self.owns = owns;
        self.choose_watchers(alive);
    }

    /// Whether this one is to watch in place of one of those that do.
    fn is_better_watcher(&self, member: MemberId) -> bool {
        let place = |other| (rank(self.me, other), other);
        let is_before = |watcher: &MemberId| place(member) < place(*watcher);
        self.owns && (self.watchers.len() < WATCHERS || self.watchers.iter().any(is_before))
    }

    fn choose_watchers(&mut self, alive: &impl Alive) {
        let new = if self.owns {
            first_of(self.me, alive.clone(), &[], WATCHERS)
        } else {
            Vec::new()
        };
        if new == self.watchers {
            return;
        }
        let old = std::mem::replace(&mut self.watchers, new);
        for watcher in old {
            let mut alive = alive.clone();
            if !self.watchers.contains(&watcher) && alive.any(|member| member == watcher) {
                self.out.push((watcher.address, Message::EndOfWatch));
            }
        }
        self.beat = None;
    }

    /// Something authentic came from this member itself.
    pub(crate) fn handle_sign_of_life(&mut self, member: MemberId, now: Instant) {
        if let Some(watch) = self.watches.get_mut(&member.address)
            && watch.member == member
        {
            match watch.cause {
                Cause::Heartbeats => watch.refute(now, now, self.profile),
                Cause::Accused | Cause::Doubted => drop(self.watches.remove(&member.address)),
            }
        }
        for help in self.help.extract_if(.., |help| help.about == member) {
            let answer = Message::ProbedFor(member, 0);
            self.out.push((help.who.address, answer));
        }
    }

    pub(crate) fn handle_heartbeat(&mut self, member: MemberId, interval: u32, now: Instant) {
        // A member can be made to wait for one that says it will be silent for long.
        let interval = Duration::from_millis(interval.clamp(1, 10_000).into());
        let profile = self.profile;
        let deadline = profile.deadline.max(interval * 2);
        self.watches.insert(
            member.address,
            Watch {
                member,
                interval,
                heard: now,
                deadline,
                next: now + interval + profile.grace,
                round: 0,
                probed: None,
                cause: Cause::Heartbeats,
            },
        );
    }

    pub(crate) fn handle_end_of_watch(&mut self, member: MemberId) {
        if self.is_watched(member) {
            self.watches.remove(&member.address);
        }
    }

    pub(crate) fn handle_probe(&mut self, peer: MemberId) {
        let answer = Message::ProbeAck(self.watchers.contains(&peer));
        self.out.push((peer.address, answer));
    }

    /// `heard`: when this member heard the other one directly.
    pub(crate) fn handle_probe_for(
        &mut self,
        who: MemberId,
        about: MemberId,
        silence: u32,
        heard: Option<Instant>,
        now: Instant,
    ) {
        let silence = Duration::from_millis(silence.into());
        let age = heard.map(|heard| now.saturating_duration_since(heard));
        let news = age.filter(|age| *age + NEWS < silence);
        let age = news.and_then(|age| u32::try_from(age.as_millis()).ok());
        // Without news, it tells no more than that whoever asks can hear.
        let answer = Message::ProbedFor(about, age.unwrap_or(u32::MAX));
        self.out.push((who.address, answer));
        self.out.push((about.address, Message::Probe));
        self.suspects.push(about);
        self.help
            .retain(|help| now < help.until && (help.who, help.about) != (who, about));
        if self.help.len() < MAX_HELP {
            let until = now + HELP;
            self.help.push(Help { who, about, until });
        }
    }

    pub(crate) fn handle_probed_for(&mut self, about: MemberId, age: u32, now: Instant) {
        let heard = now.checked_sub(Duration::from_millis(age.into()));
        let Some(watch) = self.watches.get_mut(&about.address) else {
            return;
        };
        let Some(heard) = heard.filter(|heard| *heard > watch.heard) else {
            return;
        };
        if watch.member != about {
            return;
        }
        match watch.cause {
            Cause::Heartbeats => watch.refute(heard, now, self.profile),
            Cause::Accused | Cause::Doubted => drop(self.watches.remove(&about.address)),
        }
    }

    /// Another one has found this member lost. Returns whether that is to be believed: not of a
    /// member that was heard here just now, which is probed first.
    pub(crate) fn handle_lost(
        &mut self,
        member: MemberId,
        heard: Option<Instant>,
        now: Instant,
    ) -> bool {
        let profile = self.profile;
        let recent = profile.heartbeat + profile.grace;
        let Some(heard) = heard.filter(|heard| now < *heard + recent) else {
            return true;
        };
        self.watches.entry(member.address).or_insert(Watch {
            member,
            interval: profile.heartbeat,
            heard,
            deadline: now.saturating_duration_since(heard) + profile.spacing * CHECKS,
            next: now,
            round: 0,
            probed: None,
            cause: Cause::Accused,
        });
        false
    }

    /// The segment tells that this member may not hear us any more. It has as long to answer as
    /// somebody who has VIPs, for it may be stalling just now.
    pub(crate) fn handle_doubt(&mut self, member: MemberId, now: Instant) {
        let profile = self.profile;
        self.watches.entry(member.address).or_insert(Watch {
            member,
            interval: profile.heartbeat,
            heard: now,
            deadline: profile.deadline,
            next: now,
            round: 0,
            probed: None,
            cause: Cause::Doubted,
        });
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let beat = (!self.watchers.is_empty()).then(|| self.beat.unwrap_or(now));
        let watches = self
            .watches
            .values()
            .map(|watch| match watch.heard + watch.deadline {
                over if over > now => watch.next.min(over),
                _ => watch.next,
            });
        watches.chain(beat).chain(self.later.next()).min()
    }

    /// This member stood still for so long: nobody else was silent.
    pub(crate) fn delay(&mut self, by: Duration, now: Instant) {
        for watch in self.watches.values_mut() {
            watch.heard = (watch.heard + by).min(now);
            watch.next = (watch.next + by).max(now);
        }
        for help in &mut self.help {
            help.until += by;
        }
    }

    /// `hears`: whether anybody but this member was heard since then. Who hears nobody, although
    /// others were asked, is rather deaf itself, and goes on asking.
    pub(crate) fn handle_timeout(
        &mut self,
        alive: &impl Alive,
        hears: impl Fn(MemberId, Instant) -> bool,
        now: Instant,
    ) {
        while let Some(message) = self.later.pop(now) {
            self.out.push(message);
        }
        self.send_heartbeats(now);
        let mut lost = Vec::new();
        for watch in self.watches.values_mut() {
            let silence = now.saturating_duration_since(watch.heard);
            let is_over = silence >= watch.deadline;
            let is_seen = watch.cause == Cause::Doubted;
            if is_over && (is_seen || hears(watch.member, watch.probed.unwrap_or(now))) {
                lost.push(watch.member);
            } else if now >= watch.next {
                if watch.round == 0 {
                    self.suspects.push(watch.member);
                    watch.probed = Some(now);
                }
                watch.probe(self.me, alive.clone(), silence, &mut self.out);
                watch.next = now + watch.wait(self.profile);
                watch.round += 1;
            }
        }
        for member in lost {
            self.watches.remove(&member.address);
            self.lost.push(member);
        }
    }

    fn send_heartbeats(&mut self, now: Instant) {
        if self.watchers.is_empty() || self.beat.is_some_and(|beat| now < beat) {
            return;
        }
        let interval = self.interval();
        let millis = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        for watcher in &self.watchers {
            let heartbeat = Message::Heartbeat(millis);
            self.out.push((watcher.address, heartbeat));
        }
        // No heartbeat is made up for.
        let next = self.beat.map_or(now, |beat| beat) + interval;
        self.beat = Some(if next > now { next } else { now + interval });
    }

    /// A single watcher gets the heartbeats of two.
    fn interval(&self) -> Duration {
        match self.watchers.len() {
            1 => self.profile.heartbeat / 2,
            _ => self.profile.heartbeat,
        }
    }

    /// Tells all others that this one is lost, twice, for datagrams may be lost, too.
    pub(crate) fn report(&mut self, lost: Identity, alive: impl Alive, now: Instant) {
        for member in alive.filter(|member| *member != lost.id) {
            let message = Message::Lost(lost);
            self.out.push((member.address, message.clone()));
            self.later
                .push(now + self.profile.spacing, (member.address, message));
        }
    }
}
