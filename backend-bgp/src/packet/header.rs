//! What all messages share: the header (RFC 4271 section 4.1).
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

use super::cursor::patch_u16;

/// The version of BGP, told in the OPEN.
pub(super) const VERSION: u8 = 4;
/// Length of the header in octets.
pub const HEADER_LEN: usize = 19;
/// The largest message without RFC 8654, in octets.
pub const MAX_LEN: usize = 4096;

pub(super) const MARKER: [u8; 16] = [0xff; 16];

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
    pub(super) fn from_code(code: u8) -> Option<Self> {
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
    pub(super) fn lengths(self) -> std::ops::RangeInclusive<usize> {
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
