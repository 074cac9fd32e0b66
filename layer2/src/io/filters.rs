//! Which filter the ports have: at once one that lets enough through, later one that lets nothing
//! else through.
//!
//! The exact one is large, and the kernel compiles it; so it waits until the addresses have been the
//! same for a while.

use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;

use crate::blocks::Blocks;
use crate::coverage::{Coverage, News, Spoken};
use crate::span::{Span, spans};

/// How long the addresses have to be the same, and how long that is waited for.
const STILL: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];
/// How many runs of blocks a filter has at most: so many as a program of the kernel's may be long,
/// and so many as an older kernel has memory for (`net.core.optmem_max`). Without any it goes on
/// with the spans.
const MOST_RUNS: [usize; 2] = [700, 150];

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Filters {
    spans: Vec<Span>,
    spoken: Spoken,
    /// What the ports' filters let through, if they are exact.
    exact: Option<Spoken>,
    /// Since when the addresses are others than those.
    changed: Option<Instant>,
    due: Option<Instant>,
    /// How often the kernel has refused one.
    refusals: usize,
}

impl Filters {
    /// Takes in a new wish; returns whether the ports need what [`Self::coarse`] says at once.
    pub(super) fn handle_set(
        &mut self,
        set: &AnnouncementSet,
        family: Family,
        now: Instant,
    ) -> bool {
        if self.spoken.news(set) != News::Nothing {
            self.spoken = Spoken::of(set);
            self.touch(family, now);
        }
        let spans = spans(set, family);
        let is_news = spans != self.spans;
        self.spans = spans;
        let exact = self.exact.take();
        let was_exact = exact.is_some();
        let stays = |exact: &Spoken| !self.spans.is_empty() && exact.news(set) != News::More;
        self.exact = exact.filter(stays);
        self.exact.is_none() && (is_news || was_exact)
    }

    /// A port has been opened, and knows only the spans.
    pub(super) fn handle_opened(&mut self, family: Family, now: Instant) {
        self.touch(family, now);
    }

    /// The spans that hold all addresses.
    pub(super) fn coarse(&self) -> &[Span] {
        &self.spans
    }

    /// When [`Self::exact`] has something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What the ports are to let through from now on, if it is time.
    pub(super) fn exact(&mut self, now: Instant) -> Option<Coverage> {
        self.due.filter(|due| *due <= now)?;
        (self.due, self.changed) = (None, None);
        let most = MOST_RUNS.get(self.refusals)?;
        if self.spans.is_empty() {
            return None;
        }
        self.exact = Some(self.spoken.clone());
        let blocks = Blocks::within(&self.spoken.addresses(), *most);
        Some(Coverage::Blocks(blocks))
    }

    /// The kernel has refused it: the ports are to have [`Self::coarse`] until a smaller one is tried.
    pub(super) fn handle_refused(&mut self, now: Instant) {
        self.refusals += 1;
        self.exact = None;
        self.due = (self.refusals < MOST_RUNS.len()).then_some(now);
    }

    fn touch(&mut self, family: Family, now: Instant) {
        // Of IPv6 the groups keep out what concerns others.
        if family == Family::V4 {
            let [still, longest] = STILL;
            let since = *self.changed.get_or_insert(now);
            self.due = Some((now + still).min(since + longest));
        }
    }
}
