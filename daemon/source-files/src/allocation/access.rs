//! The driver's access to the journal's thread: one request of a kind at a time, and what is told
//! while an answer does not come.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use carillon_objects::source::ConfigStore;
use tracing::{info, warn};

use crate::journal::{Answer, Commit, Request};

/// How soon to try again when the journal cannot be used.
const RETRY: Duration = Duration::from_secs(10);
/// How long an answer may take before that is a problem.
const LATE: Duration = Duration::from_secs(2);

/// What is told when an answer does not come.
const STUCK: &str = "the journal does not answer, and services without an address wait for it: another \
                     process has it locked (see which with `fuser -v`), or its disk does not answer";

/// See the module's documentation.
pub(super) struct Access {
    requests: Sender<Request>,
    /// The journal is to be read.
    wants_news: bool,
    /// How many answers are awaited.
    awaited: usize,
    /// Since when nothing has been answered.
    asked: Option<Instant>,
    is_stuck: bool,
    retry_at: Option<Instant>,
    problem: Option<String>,
    /// The text of the configuration that was in force before the restart.
    before: Option<String>,
}

impl Access {
    /// The way to the journal.
    pub(super) fn new(requests: Sender<Request>) -> Self {
        Self {
            requests,
            wants_news: false,
            awaited: 0,
            asked: None,
            is_stuck: false,
            retry_at: None,
            problem: None,
            before: None,
        }
    }

    /// Somebody may have written to the journal.
    pub(super) fn read(&mut self) {
        self.wants_news = true;
    }

    /// Whether it is time to try again what did not work.
    pub(super) fn tries_again(&self, now: Instant) -> bool {
        match (&self.problem, self.retry_at) {
            (None, _) => true,
            (Some(_), at) => at.is_some_and(|at| at <= now),
        }
    }

    /// Asks for what is to be asked for now, and tells if the last answer is late.
    pub(super) fn ask(&mut self, commit: Option<Commit>, now: Instant) {
        let is_again = self.retry_at.is_some_and(|at| at <= now);
        if is_again {
            self.retry_at = None;
        }
        // Whoever writes reads first.
        let reads = (self.wants_news || is_again) && commit.is_none() && self.awaited == 0;
        if reads {
            self.wants_news = false;
            self.send(Request::Read, now);
        }
        if let Some(commit) = commit {
            self.send(Request::Commit(commit), now);
        }
        let is_late = self.asked.is_some_and(|at| at + LATE <= now);
        if is_late && !self.is_stuck {
            self.is_stuck = true;
            warn!("{STUCK}");
        }
    }

    fn send(&mut self, request: Request, now: Instant) {
        // Without the thread the daemon is about to end.
        if self.requests.send(request).is_ok() {
            self.awaited += 1;
            self.asked.get_or_insert(now);
        }
    }

    /// Takes in an answer.
    pub(super) fn answered(&mut self, answer: Answer, has_unsaved: bool, now: Instant) {
        self.awaited = self.awaited.saturating_sub(1);
        self.asked = (self.awaited > 0).then_some(now);
        self.is_stuck = false;
        self.before = answer.before.or(self.before.take());
        if answer.is_of_config && (answer.problem.is_none() || self.problem.is_some()) {
            return;
        }
        match answer.problem {
            Some(problem) => {
                if self.problem.as_ref() != Some(&problem) {
                    warn!("{problem}");
                }
                self.problem = Some(problem);
                self.retry_at = Some(now + RETRY);
            }
            // Reading works; whether writing does is not known yet.
            None if has_unsaved && self.problem.is_some() => {
                self.retry_at.get_or_insert(now + RETRY);
            }
            None => {
                if self.problem.take().is_some() {
                    info!("the journal can be used again");
                }
                self.retry_at = None;
            }
        }
    }

    /// Why addresses may be lost with a restart, or services wait.
    pub(super) fn problem(&self) -> Option<&str> {
        let stuck = self.is_stuck.then_some(STUCK);
        stuck.or(self.problem.as_deref())
    }

    /// When to ask or tell something even if nothing comes in.
    pub(super) fn due(&self) -> Option<Instant> {
        let late = self.asked.filter(|_| !self.is_stuck).map(|at| at + LATE);
        // While an answer is awaited nothing is tried again.
        let retry = self.retry_at.filter(|_| self.awaited == 0);
        [late, retry].into_iter().flatten().min()
    }
}

impl ConfigStore for Access {
    fn before(&mut self) -> Option<String> {
        self.before.take()
    }

    fn keep(&mut self, text: &str, now: Instant) {
        self.send(Request::Keep(text.to_owned()), now);
    }
}
