//! What the backends have to say.

use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Instant;

use carillon_core::backend::BackendEvent;
use carillon_core::interface::MacAddress;
use carillon_core::ownership;
use tracing::debug;

use super::Driver;

impl Driver {
    /// Takes in what a backend has said.
    pub(crate) fn told(&mut self, backend: &'static str, event: &BackendEvent, now: Instant) {
        tell(backend, event);
        match event {
            BackendEvent::Applied { generation } => {
                self.election.applied(backend, *generation, now);
            }
            BackendEvent::Conflict {
                vip,
                station,
                mark,
                local,
                ..
            } => {
                let input = ownership::Input::Conflict {
                    vip: *vip,
                    station: *station,
                    mark: *mark,
                    local: *local,
                };
                self.election.handle(input, now);
            }
            BackendEvent::Answered { vip, station } => {
                self.station_answered(*vip, *station, true, now);
            }
            BackendEvent::Unanswered { vip, station } => {
                self.station_answered(*vip, *station, false, now);
            }
            BackendEvent::Heard { interface } => {
                let input = ownership::Input::Heard(*interface);
                self.election.handle(input, now);
            }
            BackendEvent::Able(able) => self.set_able(backend, able, now),
            BackendEvent::NeighborUp { .. } | BackendEvent::NeighborDown { .. } => {}
        }
    }

    /// A station that was asked for an address has answered, or has not.
    fn station_answered(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        has_answered: bool,
        now: Instant,
    ) {
        let input = ownership::Input::Answer {
            vip,
            station,
            has_answered,
        };
        self.election.handle(input, now);
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
