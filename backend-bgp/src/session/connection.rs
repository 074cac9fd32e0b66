//! One TCP connection with the peer, without its socket: the octets of both directions, the message
//! at hand, and what both ends have agreed on. All of it goes when the connection goes.
//!
//! ```text
//!  octets ─ receive ─▶ next_message ─▶ Session ─ send, fill ─▶ unwritten ─▶ octets
//! ```

use carillon_core::address::Family;
use ipnet::IpNet;

use super::agreement::Agreement;
use crate::adj_rib_out::{AdjRibOut, Batch};
use crate::packet::attribute::Attribute;
use crate::packet::{
    Frame, Message, MessageError, MessageType, Notification, Open, UpdateWriter, put_end_of_rib,
    put_withdrawal,
};

/// How many octets of UPDATEs are made at a time. More are made when the peer has taken these.
const CHUNK: usize = 64 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection {
    /// What both ends have agreed on.
    pub(super) agreement: Agreement,
    /// Received octets, the last of which are not a whole message yet.
    received: Octets,
    /// Octets to send, of which some are written.
    output: Octets,
    /// The peer's TCP may lack some of the UPDATEs that are written.
    unacknowledged: bool,
    /// The type of the message at hand.
    pub(super) at_hand: Option<MessageType>,
    /// The family that the peer wants to be sent again.
    pub(super) requested: Option<Family>,
    /// The NOTIFICATION that a malformed message calls for.
    pub(super) complaint: Option<Notification>,
}

/// A message that came over a connection.
pub(super) struct Received {
    /// Its type, known even if it is malformed.
    pub(super) kind: MessageType,
    /// The message, or what is wrong with it.
    pub(super) message: Result<Message, MessageError>,
}

/// What became of [`Connection::fill`].
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// How many UPDATEs were appended.
    pub(super) updates: u64,
    /// Why some routes could not be sent.
    pub(super) left_out: Option<String>,
}

impl Connection {
    /// A connection over which nothing has gone yet.
    pub(super) fn new(agreement: Agreement) -> Self {
        Self {
            agreement,
            received: Octets::default(),
            output: Octets::default(),
            unacknowledged: false,
            at_hand: None,
            requested: None,
            complaint: None,
        }
    }

    /// Takes in octets from the peer.
    pub(super) fn receive(&mut self, octets: &[u8]) {
        self.received.all.extend(octets);
    }

    /// Takes the first message that is whole out of what was received; it is now the one at hand.
    ///
    /// # Errors
    /// There is none, for the header is wrong.
    pub(super) fn next_message(&mut self) -> Result<Option<Received>, MessageError> {
        let Some(frame) = Frame::parse(self.received.rest())? else {
            self.received.shrink();
            return Ok(None);
        };
        let kind = frame.message_type;
        let message = Message::decode(frame, self.agreement.context());
        self.received.advance(frame.size());
        self.at_hand = Some(kind);
        Ok(Some(Received { kind, message }))
    }

    /// Takes in the peer's OPEN, if it is acceptable from this AS.
    ///
    /// # Errors
    /// Those of [`Open::judge`].
    pub(super) fn accept(&mut self, open: Open, peer_asn: u32) -> Result<(), MessageError> {
        open.judge(&self.agreement.ours, peer_asn)?;
        self.agreement.theirs = Some(open);
        Ok(())
    }

    /// Appends a message.
    pub(super) fn send(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.output.all);
    }

    /// Appends our OPEN.
    pub(super) fn send_open(&mut self) {
        self.agreement.ours.encode(&mut self.output.all);
    }

    /// Appends UPDATEs until the peer is to have all of the table, or there is enough for now.
    pub(super) fn fill(&mut self, rib: &mut AdjRibOut) -> Filled {
        let mut filled = Filled::default();
        while self.output.all.len() < CHUNK {
            let Some(batch) = rib.next() else {
                break;
            };
            match self.agreement.put(batch, &mut self.output.all) {
                Ok(Written { prefixes, messages }) => {
                    rib.advance(prefixes);
                    self.unacknowledged = true;
                    filled.updates += messages;
                }
                Err(reason) => {
                    filled.left_out = Some(reason);
                    rib.withhold();
                }
            }
        }
        filled
    }

    /// What is still to be written.
    pub(super) fn unwritten(&self) -> &[u8] {
        self.output.rest()
    }

    /// So many octets of [`Self::unwritten`] are written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// The peer's TCP has acknowledged what is written.
    pub(super) fn acknowledged(&mut self) {
        self.unacknowledged &= !self.unwritten().is_empty();
    }

    /// Whether everything is written, but UPDATEs are not known to be acknowledged.
    pub(super) fn awaits_acknowledgement(&self) -> bool {
        self.unacknowledged && self.unwritten().is_empty()
    }

    /// Whether everything is written, and all UPDATEs are acknowledged.
    pub(super) fn is_delivered(&self) -> bool {
        !self.unacknowledged && self.unwritten().is_empty()
    }

    /// How many octets are held of what was received, and of what is to be sent.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.received.all.len(), self.output.all.len())
    }
}

/// Octets on their way, of which the first are done with.
#[derive(Debug, Default)]
struct Octets {
    all: Vec<u8>,
    done: usize,
}

impl Octets {
    fn rest(&self) -> &[u8] {
        self.all.get(self.done..).unwrap_or_default()
    }

    /// Of the rest, the first `count` are done with, too.
    fn advance(&mut self, count: usize) {
        self.done += count;
        if self.rest().is_empty() {
            *self = Self::default();
        }
    }

    /// Keeps nothing but the rest in memory.
    fn shrink(&mut self) {
        *self = Self {
            all: self.rest().to_vec(),
            done: 0,
        };
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
            Batch::Withdraw(prefixes) => Ok(Written {
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
