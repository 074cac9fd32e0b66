//! BGP messages on the wire (RFC 4271 section 4 and its successors).
//!
//! ```text
//!  received octets ─▶ Frame::parse ─▶ Message::decode ─▶ Open | Update | Notification | …
//!                          └── MessageError ──┴─▶ the NOTIFICATION that RFC 4271 section 6 demands
//!
//!  Attributes ─▶ UpdateWriter::announce ─────┐
//!                    withdraw, end_of_rib ───┼─▶ octets to send, appended to a buffer
//!  Open, Notification, RouteRefresh, … ──────┘
//! ```
//!
//! Only what an announcer needs is kept: IPv4 and IPv6 unicast, and of received routes nothing but
//! their prefixes. Decoding never panics, whatever the octets; an error is a value that says what
//! the RFCs demand of the receiver. Extended messages (RFC 8654) are not negotiated, so that no
//! message is longer than 4096 octets and none takes more memory than a small multiple of that.

mod asn;
mod context;
mod cursor;
pub mod error;
pub mod family;
pub mod header;
pub mod message;
pub mod notification;
pub mod open;
mod prefix;
pub mod update;

#[cfg(test)]
mod tests;

pub use context::{DecodeContext, PeerType};
pub use error::MessageError;
pub use family::FamilySet;
pub use header::MessageType;
pub use message::{Frame, Message, RouteRefresh, put_keepalive};
pub use notification::{Notification, Reason};
pub use open::{Capabilities, Open};
pub use update::{
    Attributes, EncodeError, NextHop, Update, UpdateWriter, attribute, put_end_of_rib,
    put_withdrawal,
};
