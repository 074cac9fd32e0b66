//! What goes wrong with a session, as it is told and shown.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How many reasons are remembered; a peer may send a different one each time.
const MAX_TOLD: usize = 16;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// What went wrong last. In a session that is up, that is why routes are left out of it.
    last: Option<String>,
    /// The last error that is more than a connection which could not be made or broke early, and
    /// when it was.
    cause: Option<(String, Instant)>,
    /// What was told since the session was last Established, so that it is told once.
    told: BTreeSet<String>,
}

impl Trouble {
    /// Takes in why a connection ended, or an attempt at one; `is_cause` if that says more than that
    /// there is none. Returns whether it was not told yet.
    pub(super) fn lost(&mut self, reason: &str, is_cause: bool, now: Instant) -> bool {
        self.last = Some(reason.to_owned());
        if is_cause {
            self.cause = Some((reason.to_owned(), now));
        }
        if self.told.len() == MAX_TOLD {
            self.told.clear();
        }
        self.told.insert(reason.to_owned())
    }

    /// Takes in that the session is up: why attempts at it failed is of no use any more.
    pub(super) fn up(&mut self) {
        self.last = None;
        self.told.clear();
    }

    /// Takes in why some routes cannot be sent. Returns whether that is news.
    pub(super) fn left_out(&mut self, reason: &str) -> bool {
        let is_news = self.last.as_deref() != Some(reason);
        self.last = Some(reason.to_owned());
        is_news
    }

    /// What went wrong last. Of a session that is up, that is why it was lost before, and when; of
    /// one that is not, it may be the last attempt, and what is behind it.
    pub(super) fn shown(&self, is_up: bool, now: Instant) -> Option<String> {
        match (&self.last, &self.cause) {
            (None, Some((cause, at))) if is_up => {
                let age = now.saturating_duration_since(*at);
                Some(format!("{} ago: {cause}", in_words(age)))
            }
            (Some(last), Some((cause, _))) if !is_up && cause != last => {
                Some(format!("{last}. Before that: {cause}"))
            }
            (last, _) => last.clone(),
        }
    }
}

/// A duration in one unit.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 2 * 3600 => format!("{} min", seconds / 60),
        seconds if seconds < 2 * 86400 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}
