//! BGP messages on the wire (RFC 4271 section 4 and its successors).
//!
//! Only what an announcer needs is kept: IPv4 and IPv6 unicast. Decoding never panics, whatever the bytes; an error is a
//! value that says what RFC 4271 section 6 and RFC 7606 demand of the receiver.

pub mod message;
pub mod notification;
pub mod open;
pub mod update;
