//! The laboratory: hosts, switches and real routers in network namespaces, for the demo, the system
//! tests and the benchmarks.
//!
//! ```no_run
//! use carillon_lab::{Frr, Lab};
//!
//! let lab = Lab::new()?;
//! let lan = lab.switch("lan")?;
//! let router = lab.host("router")?;
//! lan.plug(&router, "eth0", &["192.0.2.1/24", "2001:db8::1/64"])?;
//! let frr = Frr::start(&router, "router bgp 64512\n neighbor 192.0.2.2 remote-as 64513\n")?;
//! println!("{}", frr.vtysh("show bgp summary")?);
//! # anyhow::Ok(())
//! ```
//!
//! Everything of a lab is gone when its last handle is dropped, and also after a panic, Ctrl-C or
//! `kill -9` (see [`Lab`]). Handles are cheap to clone and keep the lab alive. It needs root, and
//! changes nothing outside of its own namespaces and [`Lab::dir`].

#![allow(
    clippy::missing_errors_doc,
    reason = "all fail alike: what was asked for could not be done, and the message says why"
)]

pub mod bench;
pub mod kubernetes;
pub mod layer2;
pub mod seed;
pub mod wait;
pub mod web;

mod bird;
mod capture;
mod carillon;
mod frr;
mod gobgp;
mod host;
mod keepalived;
mod lab;
mod process;
mod route;
mod switch;

pub use bird::Bird;
pub use capture::Capture;
pub use carillon::{Carillon, binary};
pub use frr::{Frr, Neighbor};
pub use gobgp::GoBgp;
pub use host::Host;
pub use keepalived::{Instance, Keepalived};
pub use lab::{Lab, test};
pub use process::Process;
pub use route::{Family, KernelRoutes, Path, Routes, ip, net, next_hops};
pub use switch::{Cable, Switch};
