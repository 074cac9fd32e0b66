//! Stations that are asked, each by itself and again and again, whether they have an address.
//!
//! ```text
//!            asked, PAUSE or later ◀────────────────┐ answer
//!   new ──▶ asked 1, 2 … LIMIT times, RETRY apart ──┤
//!                                                   └▶ unanswered; asked further as before
//! ```
//!
//! A station is believed from its [`BELIEVED`]th answer in a row on; until then it is asked again
//! [`AGAIN`] after an answer. What does not repeat the nonce of an open question is no answer.
//!
//! What a daemon says for one address tells that it lives. So a station that leaves question after
//! question unanswered, whatever they are about, is silent for all: that is found as soon for ten
//! thousand addresses as for one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::announcement::{Asked, Respondent};
use carillon_core::backend::BackendEvent;
use carillon_core::interface::MacAddress;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How long an answer is waited for.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// How many questions a station may leave unanswered before it is believed, or after that, more than it
/// answers: frames get lost.
pub(super) const LIMIT: u32 = 5;
/// How many questions a station has to answer in a row before it is believed: one frame can be forged
/// by somebody who does not hear the question.
const BELIEVED: u32 = 2;
/// How long after an answer of a station that is not believed yet the next question is asked.
pub(super) const AGAIN: Duration = Duration::from_millis(2);
/// How long after an answer the next question is asked otherwise, at least.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// The same for each address and station that is asked: 2000 questions a second at most.
const SHARE: Duration = Duration::from_micros(500);
/// At most [`PER_TICK`] questions are asked in this time.
const TICK: Duration = Duration::from_millis(4);
/// See [`TICK`].
const PER_TICK: usize = 32;

#[derive(Debug)]
struct Inquiry {
    respondent: Respondent,
    due: Instant,
    /// How many questions were asked since the last answer.
    unanswered: u32,
    /// What an answer to them has to repeat.
    nonce: u32,
    /// How many more were not answered than answered, of late.
    misses: u32,
    /// Whether it has answered, as was reported last.
    reported: Option<bool>,
}

/// The questions to one station, whatever they are about.
#[derive(Debug, Default)]
struct Silence {
    unanswered: u32,
    /// When the first of those was asked.
    since: Option<Instant>,
    /// How many it has answered in a row.
    answered: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Inquiries {
    rng: StdRng,
    entries: BTreeMap<(MacAddress, IpAddr), Inquiry>,
    queue: BTreeSet<(Instant, MacAddress, IpAddr)>,
    stations: BTreeMap<MacAddress, Silence>,
    findings: VecDeque<BackendEvent>,
    tick_end: Option<Instant>,
    left: usize,
}

impl Inquiries {
    /// None so far; their nonces follow from the seed.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: StdRng::from_seed(seed),
            entries: BTreeMap::new(),
            queue: BTreeSet::new(),
            stations: BTreeMap::new(),
            findings: VecDeque::new(),
            tick_end: None,
            left: 0,
        }
    }

    /// Takes in who is to be asked, after what was wished before.
    pub(super) fn set(
        &mut self,
        before: &OrdMap<IpAddr, Arc<Asked>>,
        wished: &OrdMap<IpAddr, Arc<Asked>>,
        now: Instant,
    ) {
        for change in before.diff(wished) {
            match change {
                DiffItem::Add(vip, asked) => self.ask(*vip, None, Some(asked), now),
                DiffItem::Update { old, new } => {
                    self.ask(*new.0, Some(old.1), Some(new.1), now);
                }
                DiffItem::Remove(vip, asked) => self.ask(*vip, Some(asked), None, now),
            }
        }
    }

    fn ask(
        &mut self,
        vip: IpAddr,
        before: Option<&Arc<Asked>>,
        wished: Option<&Arc<Asked>>,
        now: Instant,
    ) {
        let stations = |asked: Option<&Arc<Asked>>| {
            let stations = asked.map(|asked| asked.stations.clone());
            stations.unwrap_or_default()
        };
        let (old, new) = (stations(before), stations(wished));
        for station in old.difference(&new) {
            if let Some(entry) = self.entries.remove(&(*station, vip)) {
                self.queue.remove(&(entry.due, *station, vip));
            }
            if self.of(*station).next().is_none() {
                self.stations.remove(station);
            }
        }
        let Some(wished) = wished else {
            return;
        };
        let respondent = wished.respondent;
        let is_anew = before.is_some_and(|before| before.round != wished.round);
        for station in new {
            let key = (station, vip);
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.respondent = respondent;
                if !is_anew {
                    continue;
                }
                self.queue.remove(&(entry.due, station, vip));
            }
            let inquiry = Inquiry {
                respondent,
                due: now,
                unanswered: 0,
                nonce: 0,
                misses: 0,
                reported: None,
            };
            self.entries.insert(key, inquiry);
            self.queue.insert((now, station, vip));
            self.stations.entry(station).or_default();
        }
    }

    fn of(&self, station: MacAddress) -> impl Iterator<Item = IpAddr> {
        let first = (station, IpAddr::from([0; 4]));
        let entries = self.entries.range(first..);
        let entries = entries.take_while(move |((one, _), _)| *one == station);
        entries.map(|((_, vip), _)| *vip)
    }

    /// Whether nobody is asked for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A station says to this node alone that it has an address, perhaps with a mark, and then with
    /// this nonce. Returns whether it was asked.
    pub(super) fn answer(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        nonce: Option<u32>,
        now: Instant,
    ) -> bool {
        let even = self.pause();
        let Some(entry) = self.entries.get_mut(&(station, vip)) else {
            return false;
        };
        let counts = match entry.respondent {
            Respondent::Daemon => nonce == Some(entry.nonce),
            Respondent::FormerDaemon => nonce.is_some(),
            Respondent::Host => true,
        };
        if entry.unanswered == 0 || !counts {
            return true;
        }
        let station_entry = self.stations.entry(station).or_default();
        let answered = station_entry.answered.saturating_add(1);
        *station_entry = Silence {
            answered,
            ..Silence::default()
        };
        let is_host = entry.respondent == Respondent::Host;
        let is_believed = is_host || answered >= BELIEVED || entry.reported == Some(true);
        let pause = match entry.reported {
            _ if !is_believed => AGAIN,
            // Those that were asked together at first are asked evenly later.
            None => PAUSE.max(even.mul_f64(share(vip))),
            Some(_) => even,
        };
        self.queue.remove(&(entry.due, station, vip));
        entry.due = now + pause;
        entry.unanswered = 0;
        if entry.reported == Some(true) {
            entry.misses = entry.misses.saturating_sub(1);
        }
        self.queue.insert((entry.due, station, vip));
        if is_believed && entry.reported.replace(true) != Some(true) {
            entry.misses = 0;
            let event = BackendEvent::Answered { vip, station };
            self.findings.push_back(event);
        }
        true
    }

    /// The next question that is due: for what, to whom, and its nonce.
    pub(super) fn next(&mut self, now: Instant) -> Option<(IpAddr, MacAddress, u32)> {
        if self.tick_end.is_none_or(|end| end <= now) {
            self.tick_end = Some(now + TICK);
            self.left = PER_TICK;
        }
        let (_, station, vip) = self
            .queue
            .first()
            .copied()
            .filter(|(due, ..)| *due <= now)?;
        self.left = self.left.checked_sub(1)?;
        self.review(station, vip, now);
        let pause = self.pause();
        let entry = self.entries.get_mut(&(station, vip))?;
        self.queue.remove(&(entry.due, station, vip));
        if entry.unanswered == 0 {
            entry.nonce = self.rng.random_range(1..=u32::MAX);
        }
        entry.unanswered = entry.unanswered.saturating_add(1);
        let wait = if entry.unanswered > LIMIT {
            pause
        } else {
            RETRY
        };
        entry.due = now + wait;
        self.queue.insert((entry.due, station, vip));
        let nonce = entry.nonce;
        let silence = self.stations.entry(station).or_default();
        silence.unanswered = silence.unanswered.saturating_add(1);
        silence.since.get_or_insert(now);
        Some((vip, station, nonce))
    }

    /// This task did not run for a while: it cannot tell who has not answered meanwhile. Everybody
    /// has one more question at least.
    pub(super) fn excuse(&mut self) {
        for entry in self.entries.values_mut() {
            entry.misses = entry.misses.min(LIMIT - 2);
        }
        for station in self.stations.values_mut() {
            (station.unanswered, station.since) = (0, None);
        }
    }

    /// Finds out whether a station is silent about an address, or about all.
    fn review(&mut self, station: MacAddress, vip: IpAddr, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&(station, vip))
            && entry.unanswered > 0
        {
            entry.misses = entry.misses.saturating_add(1);
            let silence = self.stations.entry(station).or_default();
            silence.answered = 0;
            if entry.misses >= LIMIT {
                self.report_silence(station, vip);
            }
        }
        let is_silent = |silence: &Silence| {
            let is_over = |since: Instant| now >= since + RETRY * LIMIT;
            silence.unanswered >= LIMIT && silence.since.is_some_and(is_over)
        };
        if self.stations.get(&station).is_some_and(is_silent) {
            for vip in self.of(station).collect::<Vec<_>>() {
                self.report_silence(station, vip);
            }
            self.stations.insert(station, Silence::default());
        }
    }

    fn report_silence(&mut self, station: MacAddress, vip: IpAddr) {
        let Some(entry) = self.entries.get_mut(&(station, vip)) else {
            return;
        };
        if entry.reported.replace(false) != Some(false) {
            let event = BackendEvent::Unanswered { vip, station };
            self.findings.push_back(event);
        }
    }

    /// The next thing that was found out.
    pub(super) fn poll_finding(&mut self) -> Option<BackendEvent> {
        self.findings.pop_front()
    }

    /// When [`Self::next`] may have something.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let (first, ..) = *self.queue.first()?;
        match self.tick_end {
            Some(end) if self.left == 0 => Some(first.max(end)),
            _ => Some(first),
        }
    }

    fn pause(&self) -> Duration {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        PAUSE.max(SHARE.saturating_mul(count))
    }
}

/// A part of a whole for each address, spread evenly also for neighbouring ones.
fn share(vip: IpAddr) -> f64 {
    let number = match vip {
        IpAddr::V4(vip) => vip.to_bits(),
        IpAddr::V6(vip) => {
            let [.., a, b, c, d] = vip.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    };
    // By the golden ratio (Knuth's multiplicative hash).
    f64::from(number.wrapping_mul(0x9e37_79b9)) / f64::from(u32::MAX)
}
