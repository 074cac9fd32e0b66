//! Carillon's ARP backend: announces IPv4 VIPs on the segments that this node is connected to.
//!
//! This crate says what ARP is: [`packet`] has the frames, [`Arp`] tells
//! [`carillon_layer2`] what to do with them. It is a deterministic function of its inputs.

pub mod packet;
mod protocol;

use carillon_layer2::Layer2Backend;

pub use protocol::Arp;

/// Announces IPv4 VIPs. See [`Layer2Backend`].
pub type ArpBackend = Layer2Backend<Arp>;
