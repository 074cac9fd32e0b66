//! What this daemon does, told to whoever reads it where the objects are.

use std::sync::Arc;
use std::time::Instant;

use carillon_core::service::ServiceKey;

/// How a Service is announced from this node: what its neighbours have, and not what they are to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The interfaces on which it is announced at layer 2, ascending; none on all nodes but the one
    /// that has the Service.
    pub interfaces: Arc<[Arc<str>]>,
    /// The names of the BGP peers that have acknowledged its routes, ascending.
    pub peers: Arc<[Arc<str>]>,
}

/// What this daemon makes of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet: there is none, or it has not been read.
    #[default]
    Unknown,
    /// All of it is in force.
    Valid,
    /// Some of it is not in force.
    Invalid {
        /// Why.
        causes: Vec<String>,
        /// Those of the causes that concern addresses to give: pools and communities.
        of_pools: Vec<String>,
    },
}

/// What is left to MetalLB as long as that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftToMetallb {
    /// To give addresses, to write the status of Services, and to say what its controller makes of the
    /// configuration.
    pub addresses: bool,
    /// To say what this node does.
    pub node: bool,
}

/// A place where others read what this daemon does. What is told here is written when it differs from
/// what is written there.
pub trait Reports {
    /// This is left to MetalLB from now on: nothing of it is written here.
    fn leave(&mut self, left: LeftToMetallb);

    /// A Service is announced like this now; of one that is gone, [`super::Allocation::remove`] tells.
    fn announced(&mut self, service: &ServiceKey, announced: Announced);

    /// The configuration is judged like this now.
    fn judged(&mut self, verdict: Verdict);

    /// A Service cannot be announced by any node, and why. Told when that becomes so.
    fn failed(&mut self, service: &ServiceKey, why: &str);

    /// Has everything written that differs.
    fn report(&mut self, now: Instant);
}
