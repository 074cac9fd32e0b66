//! The ports of all interfaces.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::task::{Context, Poll};
use std::time::Instant;

use super::port::Port;
use crate::coverage::Coverage;
use crate::protocol::Protocol;

/// By the index of the interface.
pub(super) struct Ports<P> {
    by_index: BTreeMap<u32, Port<P>>,
    /// The one that was read last.
    turn: u32,
}

impl<P: Protocol> Ports<P> {
    pub(super) fn new() -> Self {
        Self {
            by_index: BTreeMap::new(),
            turn: 0,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&Port<P>> {
        self.by_index.get(&index)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Port<P>> {
        self.by_index.get_mut(&index)
    }

    pub(super) fn insert(&mut self, index: u32, port: Port<P>) {
        self.by_index.insert(index, port);
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Port<P>> {
        self.by_index.remove(&index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_index.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Port<P>)> {
        self.by_index.iter().map(|(index, port)| (*index, port))
    }

    /// The indices of all.
    pub(super) fn indices(&self) -> Vec<u32> {
        self.by_index.keys().copied().collect()
    }

    /// The indices of those that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = u32> {
        let open = self.iter().filter(|(_, port)| port.link().is_some());
        open.map(|(index, _)| index)
    }

    /// The indices of those whose time has come to be opened again.
    pub(super) fn to_retry(&self, now: Instant) -> Vec<u32> {
        let due = |port: &Port<P>| port.retry_at().is_some_and(|retry_at| retry_at <= now);
        let due = self.iter().filter(|(_, port)| due(port));
        due.map(|(index, _)| index).collect()
    }

    /// Whether all that was announced is on the wire.
    pub(super) fn are_flushed(&self) -> bool {
        self.by_index.values().all(Port::is_flushed)
    }

    /// When there is something to do for one of them.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let ports = self.by_index.values();
        let times = ports.filter_map(|port| port.due(now).or(port.retry_at()));
        times.min()
    }

    /// Lets only frames in that concern these addresses; whether the kernel takes that.
    pub(super) fn narrow(&mut self, addresses: &Coverage) -> bool {
        let mut ports = self.by_index.values_mut();
        ports.all(|port| port.narrow(addresses))
    }

    /// The next port where something can be read or written, after the one whose turn it was.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<(u32, io::Result<()>)> {
        for range in [
            (Bound::Excluded(self.turn), Bound::Unbounded),
            (Bound::Unbounded, Bound::Included(self.turn)),
        ] {
            for (index, port) in self.by_index.range_mut(range) {
                if let Poll::Ready(ready) = port.poll_ready(cx) {
                    self.turn = *index;
                    return Poll::Ready((*index, ready));
                }
            }
        }
        Poll::Pending
    }
}
