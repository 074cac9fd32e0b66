//! Carillon's NDP backend: announces IPv6 VIPs on the segments that this node is connected to.
//!
//! This crate says what NDP is: [`packet`] has the frames, [`Ndp`] tells
//! [`carillon_layer2`] what to do with them. It is a deterministic function of its inputs.

pub mod packet;
mod protocol;

use carillon_layer2::Layer2Backend;

pub use protocol::Ndp;

/// Announces IPv6 VIPs. See [`Layer2Backend`].
pub type NdpBackend = Layer2Backend<Ndp>;
