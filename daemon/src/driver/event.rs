//! What the backends have to say.

use std::task::{Context, Poll};
use std::time::Instant;

use carillon_core::backend::BackendEvent;
use tracing::debug;

use super::Driver;

impl Driver {
    /// Takes in what a backend has said.
    pub(crate) fn told(&mut self, backend: &'static str, event: &BackendEvent, now: Instant) {
        tell(backend, event);
        if let BackendEvent::Able(able) = event {
            self.set_able(backend, able, now);
        }
        self.election.told(backend, event, now);
    }

    /// The next thing that a backend has to say.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(&'static str, BackendEvent)> {
        for backend in &mut self.backends {
            if let Poll::Ready(event) = backend.poll_event(cx) {
                return Poll::Ready((backend.caps().name, event));
            }
        }
        Poll::Pending
    }
}

/// Logs what a backend had to say; what matters to people it has told them itself, with all that
/// it knows.
fn tell(backend: &'static str, event: &BackendEvent) {
    match event {
        BackendEvent::Applied { generation } => debug!(backend, generation, "on the wire"),
        BackendEvent::Conflict {
            vip,
            station,
            interface,
            ..
        } => debug!(backend, %vip, %station, %interface, "another station has the address"),
        BackendEvent::Answered { vip, station } => debug!(backend, %vip, %station, "answers"),
        BackendEvent::Unanswered { vip, station } => {
            debug!(backend, %vip, %station, "does not answer");
        }
        BackendEvent::Heard { .. } => {}
        BackendEvent::Able(interfaces) => debug!(backend, ?interfaces, "can announce"),
        BackendEvent::NeighborUp { neighbor } => debug!(backend, neighbor, "neighbor is up"),
        BackendEvent::NeighborDown { neighbor, reason } => {
            debug!(backend, neighbor, reason, "neighbor is down");
        }
    }
}
