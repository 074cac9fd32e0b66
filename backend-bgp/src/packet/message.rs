//! Framing: the header that all messages share (RFC 4271 section 4.1).

use super::notification::Notification;
use super::open::Open;
use super::update::Update;

/// Length of the header in octets.
pub const HEADER_LEN: usize = 19;
/// The largest message without RFC 8654, in octets.
pub const MAX_LEN: usize = 4096;

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

/// A ROUTE-REFRESH message (RFC 2918, RFC 7313).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Address family identifier.
    pub afi: u16,
    /// The reserved octet, a subtype in RFC 7313; 0 asks for a refresh.
    pub subtype: u8,
    /// Subsequent address family identifier.
    pub safi: u8,
}
