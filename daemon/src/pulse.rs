//! The pulse of the daemon: whether its parts come round, seen by those who can do something about
//! it.
//!
//! ```text
//!             ┌─ask─▶ driver ─▶ exclusive backends ─▶ beat ─▶ gossip thread: silent without beats
//!  Heart::run ┤          └────▶ all others: shared backends, gossip thread
//!             └──◀── answers ◀─────────────┘ round ─▶ systemd, /healthz
//! ```
//!
//! A node whose driver hangs can neither serve nor give up its addresses. Without beats, the gossip
//! thread does as if it hung, too, so that others take them; a daemon that stays so for long is
//! ended, by that thread or by whoever supervises it. Beats do not wait for parts from which others do
//! not take over: a thousand busy sessions must not take the addresses of layer 2 away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::backend::{BoxFuture, SILENCE};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use crate::clock::now;
use crate::notify::{Notice, Notifier};

#[cfg(test)]
mod tests;

/// The time between two beats, if all answer at once.
const BEAT: Duration = Duration::from_millis(100);
/// How often the parts are asked that others do not take over from, in beats: there may be
/// thousands of sessions.
const SHARED: u64 = 10;
/// How long there may be none until the process is to end.
pub(crate) const END: Duration = Duration::from_secs(10);
/// How often who looks on has to look: a longer time was spent asleep, perhaps with the whole
/// process, and says nothing about others.
const AWAKE: Duration = Duration::from_millis(250);

/// A part of the daemon: its name, and its answer.
pub(crate) type Part = (&'static str, BoxFuture<Result<(), String>>);

/// What the driver answers.
pub(crate) struct Answer {
    /// The parts from which others take over.
    pub(crate) exclusive: Vec<Part>,
    /// All others that were asked.
    pub(crate) others: Vec<Part>,
}

/// The question to the driver: whether to ask all backends, and where the answer goes.
pub(crate) struct Question {
    /// Ask those, too, from which others do not take over.
    pub(crate) all: bool,
    /// For the answer.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What is known of the pulse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    /// How many beats there were.
    pub(crate) beats: u64,
    /// How often all others have answered.
    pub(crate) rounds: u64,
    /// Whose answer the next beat awaits.
    pub(crate) waits_for: &'static str,
    /// Whose answer the next round awaits, while all others are being asked.
    pub(crate) other: Option<&'static str>,
    /// Who has died, if anybody has.
    pub(crate) died: Option<Arc<str>>,
}

/// Beats.
pub(crate) struct Heart {
    questions: mpsc::Sender<Question>,
    pulse: watch::Sender<Pulse>,
    notifier: Notifier,
}

impl Heart {
    /// A heart, where it asks, and where its pulse is felt.
    pub(crate) fn new(
        notifier: Notifier,
    ) -> (Self, mpsc::Receiver<Question>, watch::Receiver<Pulse>) {
        let (questions, asked) = mpsc::channel(1);
        let (pulse, felt) = watch::channel(Pulse::default());
        let heart = Self {
            questions,
            pulse,
            notifier,
        };
        (heart, asked, felt)
    }

    /// Beats until the driver takes no more questions, which is the orderly end.
    pub(crate) async fn run(self) {
        let (others, asked) = mpsc::channel(1);
        let ended = tokio::select! {
            ended = self.beat(&others) => ended,
            ended = self.go_round(asked) => ended,
        };
        if let Err(died) = ended {
            self.pulse
                .send_modify(|pulse| pulse.died = Some(died.into()));
        }
        // Without a sender the pulse counts no more.
        self.notifier.tell(Notice::Stopping);
    }

    /// Asks all parts, and waits for those from which others take over.
    ///
    /// # Errors
    /// One has died.
    async fn beat(&self, others: &mpsc::Sender<Vec<Part>>) -> Result<(), String> {
        let mut ticks = interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = 0;
        loop {
            ticks.tick().await;
            self.note(|pulse| pulse.waits_for = "the driver");
            // They are asked again when they have answered.
            let is_round = self.pulse.borrow().rounds == asked;
            let all = is_round && asked.is_multiple_of(SHARED);
            let Some(answer) = self.ask(all).await else {
                return Ok(());
            };
            if is_round && others.try_send(answer.others).is_ok() {
                asked += 1;
            }
            self.await_all(answer.exclusive, |pulse, name| pulse.waits_for = name)
                .await?;
            self.pulse.send_modify(|pulse| pulse.beats += 1);
        }
    }

    async fn ask(&self, all: bool) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { all, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Waits for the others, time and again.
    ///
    /// # Errors
    /// One has died.
    async fn go_round(&self, mut asked: mpsc::Receiver<Vec<Part>>) -> Result<(), String> {
        let mut told = None;
        while let Some(others) = asked.recv().await {
            self.await_all(others, |pulse, name| pulse.other = Some(name))
                .await?;
            self.pulse.send_modify(|pulse| {
                pulse.other = None;
                pulse.rounds += 1;
            });
            let rounds = self.pulse.borrow().rounds;
            if told.is_none() {
                self.notifier.tell(Notice::Ready);
            }
            if told.is_none_or(|told| rounds >= told + SHARED) {
                self.notifier.tell(Notice::Alive);
                told = Some(rounds);
            }
        }
        Ok(())
    }

    /// Waits for all of them at once, and notes for whom.
    ///
    /// # Errors
    /// One has died.
    async fn await_all(
        &self,
        parts: Vec<Part>,
        mut note: impl FnMut(&mut Pulse, &'static str),
    ) -> Result<(), String> {
        let mut names: Vec<&'static str> = parts.iter().map(|(name, _)| *name).collect();
        let asked = parts.into_iter();
        let mut answers: FuturesUnordered<_> = asked
            .map(|(name, alive)| async move { (name, alive.await) })
            .collect();
        while let Some(name) = names.first().copied() {
            self.note(|pulse| note(pulse, name));
            if let Some((answered, alive)) = answers.next().await {
                alive?;
                names.retain(|name| *name != answered);
            }
        }
        Ok(())
    }

    /// Notes something that is of interest only to who finds no beat.
    fn note(&self, note: impl FnOnce(&mut Pulse)) {
        self.pulse.send_if_modified(|pulse| {
            note(pulse);
            false
        });
    }
}

/// Finds a pulse that stands still, in the time in which who looks on was awake itself.
#[derive(Debug)]
pub(crate) struct Vigil {
    count: u64,
    /// Since when the count is the same.
    since: Instant,
    looked: Instant,
}

impl Vigil {
    /// Looks on from now on.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            count: 0,
            since: now,
            looked: now,
        }
    }

    /// For how long the count has stood still, as far as one can tell who looks at it now.
    pub(crate) fn look(&mut self, count: u64, now: Instant) -> Duration {
        let was_asleep = now.saturating_duration_since(self.looked) > AWAKE;
        self.looked = now;
        if count != self.count || was_asleep {
            self.count = count;
            self.since = now;
        }
        now.saturating_duration_since(self.since)
    }
}

/// The pulse, for a thread on whose silence others take over.
pub(crate) struct Watcher {
    pulse: watch::Receiver<Pulse>,
    vigil: Vigil,
}

impl Watcher {
    /// How often [`Self::hangs`] has to be asked at least.
    pub(crate) const LOOK: Duration = BEAT;

    /// Watches a pulse.
    pub(crate) fn new(pulse: watch::Receiver<Pulse>) -> Self {
        let vigil = Vigil::new(now());
        Self { pulse, vigil }
    }

    /// Whether the daemon hangs: there was no beat for [`SILENCE`].
    pub(crate) fn hangs(&mut self) -> bool {
        let is_over = self.pulse.has_changed().is_err();
        let beats = self.pulse.borrow_and_update().beats;
        self.vigil.look(beats, now()) >= SILENCE && !is_over
    }

    /// Waits for the next beat. The process does not live on without one for [`END`].
    pub(crate) async fn revival(&mut self) {
        let waits_for = self.pulse.borrow().waits_for;
        error!("{waits_for} does not answer: this daemon is silent, and others take over from it");
        while self.hangs() {
            let beats = self.pulse.borrow().beats;
            if self.vigil.look(beats, now()) >= END {
                error!("{waits_for} does not answer for {END:?}: this daemon ends");
                // The log is written by another thread, which is given the time for it.
                std::thread::sleep(BEAT);
                std::process::abort();
            }
            // An end of the pulse is seen by the next look.
            let _ = tokio::time::timeout(BEAT, self.pulse.changed()).await;
        }
    }
}
