//! The sending half of a session.

use std::time::{Duration, Instant};

use carillon_core::address::Family;
use ipnet::IpNet;

use super::{Agreement, Session, State, Timer, fsm};
use crate::adj_rib_out::Batch;
use crate::packet::attribute::Attribute;
use crate::packet::{UpdateWriter, put_end_of_rib, put_withdrawal};

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
                Ok(Written { prefixes, messages }) => {
                    self.rib.advance(prefixes);
                    self.unacknowledged = true;
                    self.counters.messages_sent += messages;
                    self.counters.updates_sent += messages;
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

/// What became of a batch.
struct Written {
    /// How many of its prefixes are written.
    prefixes: usize,
    /// In how many messages.
    messages: u64,
}

impl Agreement {
    /// Appends messages with as much of a batch as is wanted at a time, and at least one; or says
    /// why the batch cannot be written.
    fn put(&self, batch: Batch<'_>, out: &mut Vec<u8>) -> Result<Written, String> {
        match batch {
            Batch::Withdraw(_, prefixes) => Ok(Written {
                prefixes: put_withdrawal(&mut prefixes.iter().copied().peekable(), out),
                messages: 1,
            }),
            Batch::Announce(family, attributes, prefixes) => self
                .put_announcement(family, attributes, prefixes, out)
                .map_err(|reason| format!("{} routes cannot be sent: {reason}", prefixes.len())),
            Batch::EndOfRib(family) => {
                put_end_of_rib(family, out);
                Ok(Written {
                    prefixes: 1,
                    messages: 1,
                })
            }
        }
    }

    fn writer(&self, family: Family, attributes: &[Attribute]) -> Result<UpdateWriter, String> {
        let next_hop = self
            .next_hop(family)
            .ok_or_else(|| format!("{} is no next hop for {family} routes", self.local))?;
        let four_octet_as = self.context().four_octet_as;
        UpdateWriter::new(family, next_hop, self.as_path(), attributes, four_octet_as)
            .map_err(|error| error.to_string())
    }

    fn put_announcement(
        &self,
        family: Family,
        attributes: &[Attribute],
        prefixes: &[IpNet],
        out: &mut Vec<u8>,
    ) -> Result<Written, String> {
        let writer = self.writer(family, attributes)?;
        let mut left = prefixes.iter().copied().peekable();
        let mut written = Written {
            prefixes: writer
                .announce(&mut left, out)
                .map_err(|error| error.to_string())?,
            messages: 1,
        };
        while out.len() < CHUNK && left.peek().is_some() {
            // What goes wrong here is the first to go wrong next time.
            let Ok(count) = writer.announce(&mut left, out) else {
                break;
            };
            written.prefixes += count;
            written.messages += 1;
        }
        Ok(written)
    }
}
