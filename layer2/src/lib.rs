//! What announcing on an Ethernet has in common for IPv4 (ARP) and IPv6 (NDP).
//!
//! ```text
//!  AnnouncementSet ─▶ announcer ──Action──▶ io ─▶ Protocol::encode ─▶ packet socket
//!                        ▲                                             per interface
//!                        └──── Message ◀── Protocol::decode ◀───────────────┘
//! ```
//!
//! [`Announcer`] decides who is told what and when, and knows neither packets nor sockets. A
//! [`Protocol`] is the data in which ARP and NDP differ: packets, kernel filter, multicast groups.
//! [`Layer2Backend`] puts both to work. Only `io` opens sockets, starts tasks, and reads the clock.

pub mod announcer;
mod backend;
pub mod blocks;
pub mod coverage;
pub mod filter;
mod io;
pub mod message;
mod outbox;
pub mod protocol;
pub mod span;

pub use announcer::Announcer;
pub use backend::{DEFAULT_REFRESH, Layer2Backend};
pub use coverage::Coverage;
pub use filter::Filter;
#[cfg(feature = "testing")]
pub use io::station::Station;
pub use message::{Asker, Message, Question, Saying};
pub use protocol::{Link, Protocol};
pub use span::Span;
