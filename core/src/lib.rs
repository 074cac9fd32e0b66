//! Carillon's core: everything that decides, nothing that touches the world.
//!
//! ```text
//!  source ──Input──▶ Controller (allocate) ──StatusChange──▶ written by the daemon,
//!     │                                                      and back in as Service.published
//!     └─────Input──▶ Speaker (policy) ──AnnouncementSet──▶ Backend (bgp, …)
//! ```
//!
//! This crate is a deterministic function of its inputs: it opens no socket or file, spawns
//! nothing, takes no lock, and reads neither a clock nor a source of randomness. It knows services,
//! pools and nodes; how a VIP is announced is up to the backends behind
//! [`backend::Backend`].

pub mod address;
pub mod allocator;
pub mod announcement;
pub mod backend;
pub mod config;
pub mod controller;
pub mod endpoint;
pub mod few;
pub mod interface;
pub mod labels;
pub mod latest;
pub mod mark;
pub mod node;
pub mod ownership;
pub mod policy;
pub mod selector;
pub mod service;
pub mod sorted;
pub mod speaker;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod yaml;

pub use carillon_gossip::hash;
