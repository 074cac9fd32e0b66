//! Why a node may not have a VIP.

use carillon_gossip::record::Impediment;

use crate::address::Family;
use crate::interface::InterfaceNames;

/// Why a node may not have a VIP; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// External traffic policy `Local`, and its service proxy does not know of its endpoint yet.
    #[error("kube-proxy there does not pass the traffic on yet (healthCheckNodePort)")]
    ProxyNotReady,
    /// External traffic policy `Local`.
    #[error("it has no endpoint that can serve")]
    OutOfScope,
    /// The same, as long as another node can have it that has a better one.
    #[error("its endpoints terminate, and another node has a ready one")]
    Terminating,
    /// The advertisements are for interfaces of these names, and it has none of them on which such a
    /// VIP can be announced.
    #[error(
        "none of the interfaces that advertisements name for this address ({}) can be used there",
        list(.0)
    )]
    OtherInterfaces(InterfaceNames),
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

fn list(names: &InterfaceNames) -> String {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.join(", ")
}
