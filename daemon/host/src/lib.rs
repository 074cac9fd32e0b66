//! What the host of a daemon has and does: its interfaces, the neighbours that it knows, addresses on
//! an interface, and the file that excludes interfaces.
//!
//! ```text
//!  kernel ─netlink─▶ interfaces, neighbours ─watch─▶ driver
//!  kernel ◀─netlink─▶ assignment ◀──────────watch──▶ driver
//! ```
//!
//! It knows neither services nor backends. Each part is a task that a [`tokio::sync::watch`] leads to.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate has sockets, a file, the clock and tasks"
)]

pub mod assignment;
pub mod exclusion;
pub mod interfaces;
pub mod neighbours;
mod netlink;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use netlink::NetlinkError;
