//! Addresses that one node of a segment has at a time: `carillon run` on hosts of the laboratory,
//! judged by what a client's neighbour table, a station that asks and a witness at the switch saw.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod instruments;
