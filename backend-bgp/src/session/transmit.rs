//! The sending half of a session.

use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::{Agreement, Session, State, Timer, fsm};
use crate::adj_rib_out::Batch;
use crate::export::Attributes;
use crate::packet::update::{EncodeError, put_end_of_rib, put_withdrawal};
use crate::packet::{PathAttributes, PeerType, UpdateWriter};

/// How many octets of UPDATEs are made at a time. More are made when the peer has taken these.
const CHUNK: usize = 64 * 1024;

impl Session {
    /// The session is up: the routes are to be sent.
    pub(super) fn announce(&mut self) {
        let Some(agreement) = &self.agreement else {
            return;
        };
        let context = agreement.context();
        self.rib.start(context.families, context.peer_type);
        self.counters.established += 1;
        self.trouble.up();
        let peer = self.name();
        tracing::info!(peer, state = %self.state, local = %agreement.local, "BGP session up");
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
        if self.unwritten().is_empty() && !self.unacknowledged {
            self.timers.disarm(Timer::SendHold);
        } else if self.timers.deadline(Timer::SendHold).is_none() {
            self.arm(Timer::SendHold, None, now);
        }
        self.unwritten()
    }

    pub(super) fn wrote(&mut self, count: usize, now: Instant) {
        self.written += count;
        if self.unwritten().is_empty() {
            self.output = Vec::new();
            self.written = 0;
        }
        if self.timers.deadline(Timer::SendHold).is_some() {
            self.arm(Timer::SendHold, None, now);
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
        self.unacknowledged && self.unwritten().is_empty()
    }

    pub(super) fn acknowledged(&mut self) {
        self.unacknowledged &= !self.unwritten().is_empty();
    }

    pub(super) fn unwritten(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// Appends a message.
    pub(super) fn send(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.output);
        self.counters.messages_sent += 1;
    }

    pub(super) fn send_open(&mut self) {
        if let Some(Agreement { ours, .. }) = self.agreement.clone() {
            self.send(|out| ours.encode(out));
        }
    }

    /// Appends UPDATEs until there are no more, or enough for now.
    fn fill(&mut self) {
        let Some(agreement) = &self.agreement else {
            return;
        };
        let mut left_out = None;
        while self.output.len() < CHUNK {
            let Some(batch) = self.rib.next() else {
                break;
            };
            match agreement.put(batch, &mut self.output) {
                Ok(count) => {
                    self.rib.advance(count);
                    self.unacknowledged = true;
                    self.counters.messages_sent += 1;
                    self.counters.updates_sent += 1;
                }
                Err(reason) => {
                    left_out = Some(reason);
                    self.rib.withhold();
                }
            }
        }
        // They are tried again with every change, and the reason is told once.
        if let Some(reason) = left_out
            && self.trouble.left_out(&reason)
        {
            tracing::warn!(peer = self.name(), reason, "routes left out");
        }
    }
}

impl Agreement {
    /// The path attributes of a route in this session.
    pub(super) fn path_attributes(&self, attributes: &Attributes) -> PathAttributes {
        let (as_path, local_pref) = match self.context().peer_type {
            PeerType::Internal => (Vec::new(), Some(attributes.local_pref)),
            PeerType::External => (vec![self.ours.asn], None),
        };
        PathAttributes {
            as_path,
            next_hop: self.local,
            local_pref,
            communities: attributes.communities.iter().copied().collect(),
        }
    }

    /// Appends one message with as much of a batch as fits in it; returns how many prefixes that
    /// are, or why the batch cannot be written.
    fn put(&self, batch: Batch<'_>, out: &mut Vec<u8>) -> Result<usize, String> {
        match batch {
            Batch::Withdraw(prefixes) => Ok(put_withdrawal(
                &mut prefixes.iter().copied().peekable(),
                out,
            )),
            Batch::Announce(attributes, prefixes) => self
                .put_announcement(attributes, prefixes, out)
                .map_err(|error| format!("{} routes cannot be sent: {error}", prefixes.len())),
            Batch::EndOfRib(family) => {
                put_end_of_rib(family, out);
                Ok(1)
            }
        }
    }

    fn put_announcement(
        &self,
        attributes: &Attributes,
        prefixes: &[IpNet],
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        let attributes = self.path_attributes(attributes);
        let writer = UpdateWriter::new(&attributes, self.context().four_octet_as)?;
        writer.announce(&mut prefixes.iter().copied().peekable(), out)
    }
}
