//! The whole: `carillon run` on hosts of the laboratory, judged by what real routers and scripted
//! peers saw of it.
//!
//! Every test has a [`site::Site`] of its own, so that they can run side by side.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod manifest;
mod scripted;
mod site;

mod bad_input;
mod bad_peer;
mod fleet;
mod hostile;
mod interop;
mod objects;
mod outages;

mod policy;
mod probes;
mod reconfigure;
mod seed;
mod transport;
