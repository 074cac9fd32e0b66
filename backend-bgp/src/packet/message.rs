//! Framing: the header that all messages share (RFC 4271 section 4.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                                                               |
//! |                           Marker                              |
//! |                    (16 octets, all ones)                      |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |          Length               |      Type     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::fmt;

use super::cursor::{Cursor, patch_u16};
use super::error::MessageError;
use super::family::FamilySet;
use super::notification::Notification;
use super::open::Open;
use super::update::Update;

#[cfg(test)]
mod tests;

/// Length of the header in octets.
pub const HEADER_LEN: usize = 19;
/// The largest message without RFC 8654, in octets.
pub const MAX_LEN: usize = 4096;

const MARKER: [u8; 16] = [0xff; 16];

/// The types of messages (RFC 4271 section 4.1, RFC 2918).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// OPEN.
    Open = 1,
    /// UPDATE.
    Update = 2,
    /// NOTIFICATION.
    Notification = 3,
    /// KEEPALIVE.
    Keepalive = 4,
    /// ROUTE-REFRESH.
    RouteRefresh = 5,
}

impl MessageType {
    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Open),
            2 => Some(Self::Update),
            3 => Some(Self::Notification),
            4 => Some(Self::Keepalive),
            5 => Some(Self::RouteRefresh),
            _ => None,
        }
    }

    /// The lengths that the header of such a message may give (RFC 4271 section 6.1). That of a
    /// ROUTE-REFRESH has an error code of its own (RFC 7313 section 5), for which the whole message
    /// is needed.
    fn lengths(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Open => 29..=MAX_LEN,
            Self::Update => 23..=MAX_LEN,
            Self::Notification => 21..=MAX_LEN,
            Self::Keepalive => HEADER_LEN..=HEADER_LEN,
            Self::RouteRefresh => HEADER_LEN..=MAX_LEN,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "OPEN",
            Self::Update => "UPDATE",
            Self::Notification => "NOTIFICATION",
            Self::Keepalive => "KEEPALIVE",
            Self::RouteRefresh => "ROUTE-REFRESH",
        })
    }
}

/// One whole message with a valid header, not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type.
    pub message_type: MessageType,
    octets: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first message of what has been received, or `None` if more octets are needed; a caller
    /// that takes out each frame by its [`Frame::size`] never has to hold more than [`MAX_LEN`]
    /// octets.
    ///
    /// # Errors
    /// The header is wrong, which is noticed as soon as it is there.
    pub fn parse(received: &'a [u8]) -> Result<Option<Self>, MessageError> {
        if received
            .iter()
            .zip(MARKER)
            .any(|(octet, one)| *octet != one)
        {
            return Err(MessageError::Marker);
        }
        let mut cursor = Cursor::new(received.get(MARKER.len()..).unwrap_or_default());
        let (Some(length), Some(code)) = (cursor.u16(), cursor.u8()) else {
            return Ok(None);
        };
        let size = usize::from(length);
        if !(HEADER_LEN..=MAX_LEN).contains(&size) {
            return Err(MessageError::Length(length));
        }
        let message_type = MessageType::from_code(code).ok_or(MessageError::Type(code))?;
        if !message_type.lengths().contains(&size) {
            return Err(MessageError::Length(length));
        }
        Ok(received.get(..size).map(|octets| Self {
            message_type,
            octets,
        }))
    }

    /// Its size in octets, header included.
    pub fn size(&self) -> usize {
        self.octets.len()
    }

    /// What follows the header.
    fn body(&self) -> &'a [u8] {
        self.octets.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// Whether a session is within one AS (RFC 4271 section 1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerType {
    /// Both ends are in one AS (iBGP).
    Internal,
    /// The ends are in different ASes (eBGP).
    #[default]
    External,
}

/// What a session has agreed on, as far as the meaning of received messages depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeContext {
    /// Internal or external.
    pub peer_type: PeerType,
    /// AS numbers have four octets in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet_as: bool,
    /// The families that both ends have announced (RFC 4760 section 8).
    pub families: FamilySet,
}

impl DecodeContext {
    /// What follows from the OPEN sent and the OPEN received.
    pub fn negotiated(ours: &Open, theirs: &Open) -> Self {
        Self {
            peer_type: ours.peer_type(theirs.asn),
            four_octet_as: ours.capabilities.four_octet_as && theirs.capabilities.four_octet_as,
            families: ours
                .capabilities
                .families()
                .intersection(theirs.capabilities.families()),
        }
    }
}

/// A decoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// OPEN.
    Open(Open),
    /// UPDATE; attributes already judged by RFC 7606.
    Update(Update),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh(RouteRefresh),
}

impl Message {
    /// Decodes a message. Before both OPENs are exchanged any context will do: only the meaning of
    /// an UPDATE depends on it.
    ///
    /// # Errors
    /// The session must end; the error has the NOTIFICATION to send.
    pub fn decode(frame: Frame<'_>, context: DecodeContext) -> Result<Self, MessageError> {
        let body = frame.body();
        match frame.message_type {
            MessageType::Open => Open::decode(body).map(Self::Open),
            MessageType::Update => Update::decode(body, context).map(Self::Update),
            MessageType::Notification => Ok(Self::Notification(Notification::decode(body))),
            MessageType::Keepalive => Ok(Self::Keepalive),
            MessageType::RouteRefresh => RouteRefresh::decode(body)
                .map(Self::RouteRefresh)
                .ok_or_else(|| MessageError::RouteRefreshLength(frame.octets.to_vec())),
        }
    }
}

/// Appends a message whose body is what `body` writes.
pub(super) fn put_message(
    message_type: MessageType,
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend(MARKER);
    out.extend([0, 0, message_type as u8]);
    body(out);
    let length = out.len() - start;
    patch_u16(out, start + MARKER.len(), length);
}

/// Appends a KEEPALIVE: a header and nothing else (RFC 4271 section 4.4).
pub fn put_keepalive(out: &mut Vec<u8>) {
    put_message(MessageType::Keepalive, out, |_| ());
}

/// A ROUTE-REFRESH message (RFC 2918, RFC 7313).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |              AFI              |    Subtype    |     SAFI      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Address family identifier.
    pub afi: u16,
    /// The reserved octet, a subtype in RFC 7313; 0 asks for a refresh, others are to be ignored.
    pub subtype: u8,
    /// Subsequent address family identifier.
    pub safi: u8,
}

impl RouteRefresh {
    fn decode(body: &[u8]) -> Option<Self> {
        let &[afi_high, afi_low, subtype, safi] = body else {
            return None;
        };
        Some(Self {
            afi: u16::from_be_bytes([afi_high, afi_low]),
            subtype,
            safi,
        })
    }

    /// The family whose routes the peer wants to be sent again; `None` if the message asks for
    /// nothing that we have.
    pub fn requested(&self) -> Option<carillon_core::address::Family> {
        super::family::unicast(self.afi, self.safi).filter(|_| self.subtype == 0)
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_message(MessageType::RouteRefresh, out, |out| {
            out.extend(self.afi.to_be_bytes());
            out.extend([self.subtype, self.safi]);
        });
    }
}
