//! Why a node may not have a VIP.

use carillon_gossip::record::Impediment;

use crate::address::Family;

/// Why a node may not have a VIP; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// Only others have told of it so far.
    #[error("it has not been reached yet")]
    Unreached,
    /// It is not heard any more.
    #[error("it was lost")]
    Lost,
    /// It said goodbye.
    #[error("it has left")]
    Left,
    /// It has not told what it is.
    #[error("nothing is known of it yet")]
    Unknown,
    /// No backend for such a VIP is built in there, or none that works.
    #[error("it can announce no {0} address")]
    Family(Family),
    /// None at all is up.
    #[error("it has no interface to announce on")]
    NoInterface,
    /// It says itself that it is not to.
    #[error("{0}")]
    Impeded(Impediment),
    /// External traffic policy `Local`.
    #[error("it has no endpoint that can serve")]
    OutOfScope,
    /// Whoever announced it would cut that node off.
    #[error("another node has that address for itself")]
    HostAddress,
    /// Its interfaces have other subnets, and those of another node have the VIP's.
    #[error("it is not on the VIP's subnet")]
    OffSegment,
    /// It has the VIP's subnet on an interface on which it cannot speak at the moment.
    #[error("its interface on the VIP's subnet cannot be used")]
    NoPort,
    /// It has not read the services, or not found the others, or is about to stop.
    #[error("it is not ready")]
    NotReady,
}
