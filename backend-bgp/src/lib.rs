//! Carillon's BGP-4 speaker.
//!
//! ```text
//!  AnnouncementSet ─▶ export ─▶ Routes ─▶ adj_rib_out ─┐
//!                                          fsm, timer ─┼─ session ─ packet ─▶ octets
//!                    backend ─ one io task per peer ───┘               io ─▶ socket
//! ```
//!
//! It announces and learns nothing: routes that a peer sends are judged (RFC 7606) and dropped. It
//! dials and never listens. Only `io` opens sockets, starts tasks, and reads the clock; every
//! other file is a deterministic function of its inputs.

mod adj_rib_out;
mod backend;
mod export;
mod fsm;
mod io;
pub mod packet;
mod reach;
mod session;
mod sessions;
#[cfg(test)]
mod testing;
mod timer;

pub use backend::BgpBackend;
