//! What a session counts.

use std::collections::BTreeSet;

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
