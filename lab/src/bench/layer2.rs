//! The benchmarks of addresses that one node of a segment has at a time: Carillon beside keepalived.

pub mod cpu_hog;
pub mod failover;
pub mod faults;
pub mod gossip_cut;
pub mod planned;
pub mod scale;
pub mod without_api;

mod entrant;

use entrant::{Daemon, Entrant, System, VIP};
