//! What the task tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use carillon_core::backend::BackendEvent;

use super::Driver;
use crate::protocol::Protocol;

impl<P: Protocol> Driver<P> {
    /// Says on which interfaces something can be announced, if that has changed.
    pub(super) fn report_able(&mut self) {
        match &self.able {
            Some(able) if self.ports.open().eq(able.iter().copied()) => return,
            None if self.ports.is_empty() => return,
            Some(_) | None => {}
        }
        let able: Arc<BTreeSet<u32>> = Arc::new(self.ports.open().collect());
        self.able = Some(able.clone());
        self.report(BackendEvent::Able(able));
    }

    pub(super) fn report_applied(&mut self) {
        let applied = self.announcer.applied();
        if applied > self.applied && self.ports.are_flushed() {
            self.applied = applied;
            if let Some(generation) = applied {
                self.report(BackendEvent::Applied { generation });
            }
        }
    }

    pub(super) fn report_down(&self, name: &str, reason: String) {
        let neighbor = name.to_owned();
        self.report(BackendEvent::NeighborDown { neighbor, reason });
    }

    pub(super) fn report(&self, event: BackendEvent) {
        // Without anybody to hear it, the task is about to be stopped.
        let _ = self.events.send(event);
    }
}
