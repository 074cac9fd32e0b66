//! From octets to messages.

use super::context::DecodeContext;
use super::cursor::Cursor;
use super::error::MessageError;
use super::header::{HEADER_LEN, MARKER, MAX_LEN, MessageType, put_message};
use super::notification::Notification;
use super::open::Open;
use super::update::Update;

#[cfg(test)]
mod tests;

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
