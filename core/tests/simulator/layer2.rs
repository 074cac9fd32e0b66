//! The layer 2 task of a daemon: what `carillon_layer2::io` does with sockets, done with frames of a
//! segment. It has the shipped announcer and the shipped codec.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_backend_arp::Arp;
use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;
use carillon_core::backend::BackendEvent;
use carillon_core::mark::Mark;
use carillon_layer2::announcer::Action;
use carillon_layer2::{Announcer, Link, Message, Protocol};

/// From a wish of the driver to the first frame about it.
const LATENCY: Duration = Duration::from_micros(500);
/// How long the rest of a daemon may be silent before nothing is said any more.
const SILENCE: Duration = Duration::from_millis(500);
/// How many frames a socket keeps for a task that stands still.
const BACKLOG: usize = 1000;

/// A frame, and the index of the interface on which it is sent.
pub(crate) type Sent = (u32, Vec<u8>);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Layer2 {
    announcer: Announcer,
    /// The newest wish, if it has not been taken yet, and when it can be.
    wish: Option<(Instant, Arc<AnnouncementSet>)>,
    mark: Option<Mark>,
    /// The interfaces on which something can be said.
    ports: BTreeMap<u32, (Arc<str>, Link)>,
    applied: Option<u64>,
    stalled_until: Option<Instant>,
    /// From when until when the rest of the daemon is silent for too long.
    abandoned: Option<(Instant, Instant)>,
    inbox: VecDeque<(u32, Arc<Message>)>,
    /// What is announced, and where.
    pub(crate) announced: BTreeMap<IpAddr, BTreeSet<u32>>,
    /// That has changed.
    pub(crate) has_changed: bool,
    /// What of it to tell.
    pub(crate) news: Vec<String>,
    pub(crate) frames: Vec<Sent>,
    pub(crate) events: Vec<BackendEvent>,
}

impl Layer2 {
    pub(crate) fn new(refresh: Duration) -> Self {
        Self {
            announcer: Announcer::new(Family::V4, refresh, [7; 32]),
            wish: None,
            mark: None,
            ports: BTreeMap::new(),
            applied: None,
            stalled_until: None,
            abandoned: None,
            inbox: VecDeque::new(),
            announced: BTreeMap::new(),
            has_changed: false,
            news: Vec::new(),
            frames: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn stall(&mut self, until: Instant) {
        self.stalled_until = self.stalled_until.max(Some(until));
    }

    /// The rest of the daemon is silent from now on until then.
    pub(crate) fn abandon(&mut self, now: Instant, until: Instant) {
        self.abandoned = Some((now + SILENCE, until));
    }

    /// A newer wish takes the place of one that has not been taken.
    pub(crate) fn set(&mut self, set: Arc<AnnouncementSet>, now: Instant) {
        let at = self.wish.take().map_or(now + LATENCY, |(at, _)| at);
        self.wish = Some((at, set));
    }

    pub(crate) fn hear(&mut self, interface: u32, message: Arc<Message>) {
        if self.inbox.len() < BACKLOG {
            self.inbox.push_back((interface, message));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.stalled_until.is_some() {
            return self.stalled_until;
        }
        let wish = self.wish.as_ref().map(|(at, _)| *at);
        let times = [wish, self.announcer.poll_timeout()];
        times.into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn work(&mut self, now: Instant) {
        if self.stalled_until.is_some_and(|until| now < until) {
            return;
        }
        self.stalled_until = None;
        let is_within = |(from, until): (Instant, Instant)| from <= now && now < until;
        self.announcer
            .set_mute(self.abandoned.is_some_and(is_within));
        if let Some((_, set)) = self.wish.take_if(|(at, _)| *at <= now) {
            self.take_wish(&set, now);
        }
        // What has come in while this stood still is read after what is late.
        if self.announcer.poll_timeout().is_some_and(|due| due <= now) {
            self.announcer.handle_timeout(now);
        }
        self.act();
        while let Some((interface, message)) = self.inbox.pop_front() {
            self.announcer.handle_message(interface, &message, now);
            self.act();
        }
        while self.announcer.poll_listening().is_some() {}
        let applied = self.announcer.applied();
        if applied > self.applied {
            self.applied = applied;
            let applied = applied.map(|generation| BackendEvent::Applied { generation });
            self.events.extend(applied);
        }
    }

    fn take_wish(&mut self, set: &AnnouncementSet, now: Instant) {
        self.mark = Some(set.mark);
        let links = set.interfaces.iter().filter_map(|one| {
            let link = Arp::link(one).ok()?;
            Some((one.index, (one.name.clone(), link)))
        });
        let before = std::mem::replace(&mut self.ports, links.collect());
        for index in before.keys().filter(|one| !self.ports.contains_key(one)) {
            self.announcer.handle_lost(*index, now);
        }
        for index in self.ports.keys().filter(|one| !before.contains_key(one)) {
            self.announcer.handle_ready(*index, now);
        }
        self.announcer.handle_set(set, now);
        let mut announced: BTreeMap<IpAddr, BTreeSet<u32>> = BTreeMap::new();
        for index in self.ports.keys() {
            for vip in self.announcer.announced(*index) {
                announced.entry(vip).or_default().insert(*index);
            }
        }
        let before = std::mem::replace(&mut self.announced, announced);
        self.has_changed |= before != self.announced;
        let dropped = before
            .keys()
            .filter(|vip| !self.announced.contains_key(vip));
        self.news.extend(dropped.map(|vip| format!("drops {vip}")));
        let taken = self
            .announced
            .keys()
            .filter(|vip| !before.contains_key(vip));
        self.news
            .extend(taken.map(|vip| format!("announces {vip}")));
    }

    fn act(&mut self) {
        while let Some(action) = self.announcer.poll_action() {
            match action {
                Action::Say { interface, saying } => {
                    if let (Some(mark), Some((_, link))) = (self.mark, self.ports.get(&interface)) {
                        let frames = &mut self.frames;
                        let mut send = |frame: &[u8]| frames.push((interface, frame.to_vec()));
                        Arp::encode(saying, *link, mark, &mut send);
                    }
                }
                Action::Tell(event) => self.events.push(event),
                Action::Conflict {
                    interface,
                    vip,
                    station,
                    mark,
                } => {
                    if let Some((name, link)) = self.ports.get(&interface) {
                        self.events.push(BackendEvent::Conflict {
                            vip,
                            station,
                            mark,
                            local: link.mac,
                            interface: name.clone(),
                        });
                    }
                }
            }
        }
    }
}
