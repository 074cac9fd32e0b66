//! What the backends have to say.

use std::task::{Context, Poll};
use std::time::Instant;

use carillon_core::backend::BackendEvent;
use carillon_core::node::local_traffic::{Answer, Question};
use carillon_objects::source::{Batch, Died};
use tracing::debug;

use super::Driver;

/// What the driver is to be told next.
pub(crate) enum Heard {
    /// The source has found something, or a part of it has ended.
    Source(Result<Batch, Died>),
    /// A backend of this name says something.
    Backend(&'static str, BackendEvent),
    /// This node's service proxy has answered, or has not.
    Proxy(Question, Answer),
}

impl Driver {
    /// Takes in what a backend has said.
    pub(crate) fn told(&mut self, backend: &'static str, event: &BackendEvent, now: Instant) {
        tell(backend, event);
        if let BackendEvent::Able(able) = event {
            self.set_able(backend, able, now);
        }
        if let BackendEvent::Reaches { neighbor, vips } = event {
            let changed = self.reach.set(backend, neighbor, vips);
            self.reporter.reached(changed);
        }
        self.election.told(backend, event, now);
    }

    /// The next thing that the source, a backend or the service proxy has to say. None waits for another
    /// to end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        self.backends_first = !self.backends_first;
        if self.backends_first
            && let Poll::Ready((backend, event)) = self.poll_event(cx)
        {
            return Poll::Ready(Heard::Backend(backend, event));
        }
        if let Poll::Ready(found) = self.poll_source(cx) {
            return Poll::Ready(Heard::Source(found));
        }
        if let Poll::Ready((question, answer)) = self.poll_answer(cx) {
            return Poll::Ready(Heard::Proxy(question, answer));
        }
        let event = self.poll_event(cx);
        event.map(|(backend, event)| Heard::Backend(backend, event))
    }

    /// The next thing that the source has found; it is to be handed to [`Self::take`] before the next
    /// one is asked for.
    pub(crate) fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, Died>> {
        self.source.poll_next(cx)
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
        BackendEvent::Reaches { neighbor, vips } => {
            debug!(backend, %neighbor, vips = vips.len(), "reaches");
        }
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
