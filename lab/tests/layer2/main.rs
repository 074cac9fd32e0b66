//! Addresses that one node of a segment has at a time: `carillon run` on hosts of the laboratory,
//! judged by what a client's neighbour table, a station that asks and a witness at the switch saw.
//!
//! Every test has a [`site::Site`] of its own, so that they can run side by side.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a panic is how a test fails"
)]

mod site;

mod addresses;
mod answers;
mod bad_input;
mod conflict;
mod faults;
mod gossip;
mod hostile;
mod instruments;
mod interfaces;
mod mixed;
mod operations;
mod takeover;
mod update;
