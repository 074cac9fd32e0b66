//! What a session counts.

use std::collections::BTreeSet;

use carillon_core::backend::Fact;

/// Totals over all connections of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// How often it became Established.
    pub(super) established: u64,
    /// Messages received.
    pub(super) messages_received: u64,
    /// Messages sent, of which [`Self::updates_sent`] UPDATEs.
    pub(super) messages_sent: u64,
    /// UPDATEs sent.
    pub(super) updates_sent: u64,
    /// Routes received, all of which were dropped.
    pub(super) routes_received: u64,
    /// The kinds of errors in received UPDATEs.
    pub(super) faults: BTreeSet<String>,
}

impl Counters {
    /// As they are shown.
    pub(super) fn facts(&self) -> [Fact; 5] {
        [
            Fact::counter("updates sent", "updates_sent", self.updates_sent),
            Fact::counter("messages sent", "messages_sent", self.messages_sent),
            Fact::counter(
                "messages received",
                "messages_received",
                self.messages_received,
            ),
            Fact::counter(
                "routes received and dropped",
                "routes_received",
                self.routes_received,
            ),
            Fact::counter("times established", "established", self.established),
        ]
    }
}
