//! The receiving half of a session.

use std::time::Instant;

use super::connection::Received;
use super::{Session, State, fsm, reason};
use crate::packet::{Message, MessageError, MessageType, Notification, Open, Reason, Update};

/// How many kinds of errors in UPDATEs are logged.
const MAX_FAULTS: usize = 32;

impl Session {
    /// Takes octets from the peer, and acts on every message that is whole.
    pub(super) fn receive(&mut self, octets: &[u8], now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.receive(octets);
        }
        while let Some(connection) = &mut self.connection {
            match connection.next_message() {
                Ok(Some(received)) => self.message(received, now),
                Ok(None) => return,
                Err(error) => {
                    self.refuse(fsm::Event::HeaderError, &error, now);
                    return;
                }
            }
        }
    }

    fn message(&mut self, Received { kind, message }: Received, now: Instant) {
        self.counters.messages_received += 1;
        tracing::debug!(peer = self.name(), state = %self.state, %kind, "message received");
        match message {
            Ok(Message::Open(open)) => self.open(open, now),
            Ok(Message::Update(update)) => self.update(&update, now),
            Ok(Message::Keepalive) => self.accept(fsm::Event::Keepalive, kind, now),
            Ok(Message::RouteRefresh(request)) => {
                if let Some(connection) = &mut self.connection {
                    connection.requested = request.requested();
                }
                self.accept(fsm::Event::RouteRefresh, kind, now);
            }
            Ok(Message::Notification(notification)) => {
                self.plain = self.may_be_plain(&notification);
                let mut reason = reason::notification(&self.peer, &notification);
                if notification.reason() == Some(Reason::HoldTimerExpired) {
                    reason += self.ttl_hint(now);
                }
                self.lose(fsm::Event::Notification, reason, now);
            }
            Err(error) => {
                let event = match kind {
                    MessageType::Open => fsm::Event::OpenError,
                    MessageType::Update | MessageType::RouteRefresh => fsm::Event::UpdateError,
                    MessageType::Notification | MessageType::Keepalive => fsm::Event::HeaderError,
                };
                self.refuse(event, &error, now);
            }
        }
    }

    /// Whether the peer knows no capabilities, and a session without them is possible: the speaker
    /// "SHOULD attempt to re-establish a BGP connection with the peer without sending to the peer
    /// the Capabilities Optional Parameter" (RFC 5492 section 3).
    fn may_be_plain(&self, notification: &Notification) -> bool {
        notification.reason() == Some(Reason::UnsupportedOptionalParameter)
            && self
                .agreement()
                .is_some_and(|agreement| agreement.ours.needs_no_capabilities())
    }

    /// A message that is in order, though it may have no place in this state.
    fn accept(&mut self, event: fsm::Event, kind: MessageType, now: Instant) {
        match fsm::next(self.state, event) {
            (State::Active, _) if self.state != State::Active => {
                let reason = reason::unexpected(kind, self.state);
                self.lose(event, reason, now);
            }
            _ => self.fire(event, now),
        }
    }

    /// A message that ends the session.
    fn refuse(&mut self, event: fsm::Event, error: &MessageError, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.complaint = Some(error.notification());
        }
        let reason = reason::malformed(&self.peer, error);
        self.lose(event, reason, now);
    }

    fn open(&mut self, open: Open, now: Instant) {
        if self.state == State::OpenSent
            && let Some(connection) = &mut self.connection
            && let Err(error) = connection.accept(open, self.peer.peer_asn)
        {
            self.refuse(fsm::Event::OpenError, &error, now);
            return;
        }
        self.accept(fsm::Event::Open, MessageType::Open, now);
    }

    /// Routes are counted and dropped; what was wrong with them is logged, once of a kind.
    fn update(&mut self, update: &Update, now: Instant) {
        self.counters.routes_received += update.announced.len() as u64;
        for fault in &update.faults {
            let text = fault.to_string();
            if self.counters.faults.len() < MAX_FAULTS && self.counters.faults.insert(text.clone())
            {
                tracing::warn!(
                    peer = self.name(),
                    reason = text,
                    "UPDATE with an error, handled by RFC 7606"
                );
            }
        }
        self.accept(fsm::Event::Update, MessageType::Update, now);
    }
}
