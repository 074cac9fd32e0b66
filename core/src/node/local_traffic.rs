//! What time has to do with Services of external traffic policy `Local`: between [`Speaker`] and whoever
//! asks this node's service proxy.
//!
//! ```text
//!            a first endpoint here is ready           the proxy says 200, or takes too long
//!  Speaker ────────────────────────────────▶ waiting ───────────────────────────────────────▶ Speaker
//!            one on another node is ready             it has had time to announce
//!  Speaker ────────────────────────────────▶ settling ──────────────────────────────────────▶ Speaker
//! ```
//!
//! The proxy (kube-proxy, or what stands in its place) drops what comes for such a Service until it
//! knows of an endpoint on its node; whether it does, it says at the Service's `healthCheckNodePort`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::service::ServiceKey;
use crate::speaker::{Input, LocalEvent, Speaker};

#[cfg(test)]
mod tests;

/// How long an answer of the proxy is waited for: there may be none that answers,
const NO_ANSWER: Duration = Duration::from_secs(2);
/// and how long one that says it does not pass traffic on yet.
const REFUSED: Duration = Duration::from_secs(5);
/// How long a node whose endpoint has just become ready may take until routers have its route.
const SETTLING: Duration = Duration::from_secs(3);
/// How long after an answer the same Service is asked for again.
const PAUSE: Duration = Duration::from_millis(50);
/// How much longer for each Service that is asked for, so that many are not asked for more often.
const PAUSE_OF_EACH: Duration = Duration::from_micros(500);
/// How many questions are under way at a time.
const QUESTIONS: usize = 8;

/// What the proxy says of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It passes its traffic on to endpoints on this node.
    Passes,
    /// It does not.
    Refuses,
    /// Nobody answers.
    Nothing,
}

/// A question to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The Service.
    pub service: ServiceKey,
    /// Its `spec.healthCheckNodePort`.
    pub port: NonZeroU16,
    /// Tells apart questions for one Service.
    pub number: u64,
}

/// A Service that is announced although the proxy has not said that it passes its traffic on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The Service.
    pub service: ServiceKey,
    /// Its `spec.healthCheckNodePort`.
    pub port: NonZeroU16,
    /// The proxy says that it does not, or else says nothing.
    pub is_refused: bool,
}

/// A Service whose traffic the proxy may not pass on yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    port: NonZeroU16,
    since: Instant,
    /// When it is waited for no longer.
    ends: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The question of this number is under way.
    Asked(u64),
    /// The next one is for then.
    Due(Instant),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct LocalTraffic {
    waiting: BTreeMap<ServiceKey, Waiting>,
    /// The same by when that ends.
    ends: BTreeSet<(Instant, ServiceKey)>,
    /// Those of which no question is under way, by when the next one is due.
    due: BTreeSet<(Instant, ServiceKey)>,
    /// How many questions are under way.
    under_way: usize,
    /// The last number given.
    number: u64,
    /// Nodes on which an endpoint of a Service has just become ready, until that has had time. The numbers
    /// tell apart one that has become so several times.
    settling: BTreeSet<(Instant, u64, ServiceKey, Arc<str>)>,
}

impl LocalTraffic {
    /// Tells the speaker what is over by now. Returns what has not been waited for any longer.
    pub fn expire(&mut self, speaker: &mut Speaker, now: Instant) -> Vec<GivenUp> {
        while self.settling.first().is_some_and(|(at, ..)| *at <= now) {
            if let Some((.., service, node)) = self.settling.pop_first() {
                speaker.handle(Input::Settled(service, node));
            }
        }
        let mut given_up = Vec::new();
        while let Some((_, service)) = self.ends.first().filter(|(at, _)| *at <= now).cloned() {
            if let Some(waiting) = self.waiting.get(&service) {
                given_up.push(GivenUp {
                    service: service.clone(),
                    port: waiting.port,
                    is_refused: waiting.ends > waiting.since + NO_ANSWER,
                });
            }
            self.end(&service);
            speaker.handle(Input::Passes(service));
        }
        given_up
    }

    /// Takes in what is new to the speaker.
    pub fn take_in(&mut self, speaker: &mut Speaker, now: Instant) {
        for event in speaker.take_local() {
            match event {
                LocalEvent::Waits(service, port) => {
                    self.end(&service);
                    let waiting = Waiting {
                        port,
                        since: now,
                        ends: now + NO_ANSWER,
                        state: State::Due(now),
                    };
                    self.set(service, waiting);
                }
                LocalEvent::Over(service) => self.end(&service),
                LocalEvent::Ready(service, node) => {
                    self.number += 1;
                    let settling = (now + SETTLING, self.number, service, node);
                    self.settling.insert(settling);
                }
            }
        }
    }

    /// The next question that is to be asked now.
    pub fn poll_question(&mut self, now: Instant) -> Option<Question> {
        let is_due = |(at, _): &&(Instant, ServiceKey)| *at <= now && self.under_way < QUESTIONS;
        let (_, service) = self.due.first().filter(is_due).cloned()?;
        let waiting = *self.waiting.get(&service)?;
        self.end(&service);
        self.number += 1;
        self.under_way += 1;
        let state = State::Asked(self.number);
        self.set(service.clone(), Waiting { state, ..waiting });
        Some(Question {
            service,
            port: waiting.port,
            number: self.number,
        })
    }

    /// Takes in what has become of a question, and tells the speaker what follows.
    pub fn answered(
        &mut self,
        question: &Question,
        answer: Answer,
        speaker: &mut Speaker,
        now: Instant,
    ) {
        self.under_way = self.under_way.saturating_sub(1);
        let waiting = self.waiting.get(&question.service).copied();
        // The endpoint may have gone meanwhile, and another one come.
        let is_meant = |one: &Waiting| one.state == State::Asked(question.number);
        let Some(waiting) = waiting.filter(is_meant) else {
            return;
        };
        self.end(&question.service);
        let ends = match answer {
            Answer::Passes => {
                speaker.handle(Input::Passes(question.service.clone()));
                return;
            }
            Answer::Refuses => waiting.since + REFUSED,
            Answer::Nothing => waiting.ends,
        };
        let others = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let pause = PAUSE.max(PAUSE_OF_EACH.saturating_mul(others));
        let state = State::Due(now + pause);
        let waiting = Waiting {
            ends,
            state,
            ..waiting
        };
        self.set(question.service.clone(), waiting);
    }

    /// When something is due even if nothing comes in.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let settled = self.settling.first().map(|(at, ..)| *at);
        let ends = self.ends.first().map(|(at, _)| *at);
        // One more is asked when there is an answer.
        let may_ask = self.under_way < QUESTIONS;
        let due = self.due.first().map(|(at, _)| *at).filter(|_| may_ask);
        [settled, ends, due].into_iter().flatten().min()
    }

    fn set(&mut self, service: ServiceKey, waiting: Waiting) {
        self.ends.insert((waiting.ends, service.clone()));
        if let State::Due(at) = waiting.state {
            self.due.insert((at, service.clone()));
        }
        self.waiting.insert(service, waiting);
    }

    fn end(&mut self, service: &ServiceKey) {
        let Some(waiting) = self.waiting.remove(service) else {
            return;
        };
        self.ends.remove(&(waiting.ends, service.clone()));
        if let State::Due(at) = waiting.state {
            self.due.remove(&(at, service.clone()));
        }
    }
}
