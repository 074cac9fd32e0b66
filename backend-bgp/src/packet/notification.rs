//! NOTIFICATION (RFC 4271 sections 4.5 and 6).

use bytes::Bytes;

/// The reason for which a session ends, as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Data, whose meaning depends on the codes.
    pub data: Bytes,
}
