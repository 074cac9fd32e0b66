//! What is counted on an interface.

use carillon_core::backend::Fact;

use crate::message::Saying;

/// Totals since the interface was first to be used.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// Announcements sent.
    pub(super) announcements: u64,
    /// Questions answered.
    pub(super) answers: u64,
    /// Questions asked, of all stations or of one.
    pub(super) probes: u64,
    /// How often another station was heard with one of our addresses.
    pub(super) conflicts: u64,
}

impl Counters {
    /// Something was said.
    pub(super) fn said(&mut self, saying: Saying) {
        match saying {
            Saying::Announcement(_) => self.announcements += 1,
            Saying::Answer(_) => self.answers += 1,
            Saying::Probe(_) | Saying::Inquiry(..) => self.probes += 1,
        }
    }

    /// As they are shown.
    pub(super) fn facts(&self) -> [Fact; 4] {
        [
            Fact::counter(
                "announcements sent",
                "announcements_sent",
                self.announcements,
            ),
            Fact::counter("questions answered", "answers_sent", self.answers),
            Fact::counter("probes sent", "probes_sent", self.probes),
            Fact::counter("conflicts heard", "conflicts_received", self.conflicts),
        ]
    }
}
