//! The benchmarks on a real API server: Carillon beside MetalLB, each with an API server of its own.

pub mod configuration;
pub mod scale;
pub mod service_to_update;
pub mod swap;

mod entrant;
mod fleet;
mod metallb;
mod objects;
mod usage;

use entrant::{Entrant, System};
pub(super) use usage::cpu_seconds;
use usage::{Usage, Writes};

/// What is said when MetalLB takes no part.
const NO_METALLB: &str = "\
MetalLB took no part: it is not built (`sh lab/kubernetes/metallb/build.sh`, which needs Go).";
