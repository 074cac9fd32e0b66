//! The sending half of a session.

use std::time::{Duration, Instant};

use super::connection::{Connection, Filled};
use super::{Session, State, Timer, fsm};

impl Session {
    /// The session is up: the routes are to be sent.
    pub(super) fn announce(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        let (context, local) = (connection.agreement.context(), connection.agreement.local);
        self.rib.start(context.families, context.peer_type);
        self.counters.established += 1;
        self.trouble.up();
        let peer = self.name();
        tracing::info!(peer, state = %self.state, %local, "BGP session up");
        self.events.push_back(super::Event::Up);
    }

    /// Octets to write now, if any; tell [`super::Input::Written`] how many were.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> &[u8] {
        if self.state == State::Established && self.unwritten().is_empty() {
            self.fill();
            if self.farewell.is_some() && self.is_settled() {
                self.fire(fsm::Event::Stop, now);
            }
        }
        if self
            .connection
            .as_ref()
            .is_none_or(Connection::is_delivered)
        {
            self.timers.disarm(Timer::SendHold);
        } else if self.timers.deadline(Timer::SendHold).is_none() {
            self.arm(Timer::SendHold, now);
        }
        self.unwritten()
    }

    pub(super) fn wrote(&mut self, count: usize, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.wrote(count);
        }
        if self.timers.deadline(Timer::SendHold).is_some() {
            self.arm(Timer::SendHold, now);
        }
    }

    /// For how long octets may be without an acknowledgement in the kernel. A peer whose TCP takes
    /// nothing for the hold time does not get our KEEPALIVEs either.
    pub(crate) fn patience(&self) -> Duration {
        match self.hold_time() {
            Duration::ZERO => self.send_hold_time(),
            time => time,
        }
    }

    /// Whether [`super::Input::Acknowledged`] is awaited.
    pub(crate) fn awaits_acknowledgement(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(Connection::awaits_acknowledgement)
    }

    fn unwritten(&self) -> &[u8] {
        let connection = self.connection.as_ref();
        connection.map(Connection::unwritten).unwrap_or_default()
    }

    /// Has the connection send a message.
    pub(super) fn send(&mut self, put: impl FnOnce(&mut Connection)) {
        if let Some(connection) = &mut self.connection {
            put(connection);
            self.counters.messages_sent += 1;
        }
    }

    /// Appends UPDATEs until there are no more, or enough for now.
    fn fill(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let Filled { updates, left_out } = connection.fill(&mut self.rib);
        self.counters.messages_sent += updates;
        self.counters.updates_sent += updates;
        // They are tried again with every change, and the reason is told once.
        if let Some(reason) = left_out
            && self.trouble.left_out(&reason)
        {
            tracing::warn!(peer = self.name(), reason, "routes left out");
        }
    }
}
