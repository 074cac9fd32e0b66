//! Which objects there are, and what they are called.

use std::fmt;

use carillon_core::config::PoolName;
use carillon_core::service::ServiceKey;
use carillon_core::text;
use carillon_objects::report::Report;
use carillon_objects::{Kind, ObjectKey};

/// How long the value of a label may be.
const LABEL: usize = 63;
/// How long the name of an object may be.
const NAME: usize = 253;
/// How many characters of a hash stand for a text: nobody finds two texts with the same.
const HASH: usize = 20;

/// An object that this daemon writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ReportKey {
    /// The ServiceL2Status of this Service.
    Layer2(ServiceKey),
    /// The ServiceBGPStatus of this Service and node.
    Bgp(ServiceKey),
    /// The ConfigurationState of this node.
    Node,
    /// The ConfigurationState of those who give addresses.
    Controller,
    /// The status of this IPAddressPool, which its user has made.
    Pool(PoolName),
}

impl ReportKey {
    /// The key of an object, if it is of a kind that has any.
    pub(super) fn of(object: &ObjectKey, report: &Report) -> Option<Self> {
        match object.kind {
            Kind::ServiceL2Status => report.service.clone().map(Self::Layer2),
            Kind::ServiceBgpStatus => report.service.clone().map(Self::Bgp),
            Kind::ConfigurationState => Some(Self::Node),
            Kind::ControllerState => Some(Self::Controller),
            Kind::PoolStatus => Some(Self::Pool(object.name.name().into())),
            Kind::IpAddressPool
            | Kind::Community
            | Kind::L2Advertisement
            | Kind::BgpPeer
            | Kind::BgpAdvertisement
            | Kind::BfdProfile
            | Kind::Secret
            | Kind::Namespace
            | Kind::ConfigMap
            | Kind::Node
            | Kind::NodeLabels
            | Kind::Pod
            | Kind::MetallbPod
            | Kind::EndpointSlice
            | Kind::Service => None,
        }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Layer2(_) => Kind::ServiceL2Status,
            Self::Bgp(_) => Kind::ServiceBgpStatus,
            Self::Node => Kind::ConfigurationState,
            Self::Controller => Kind::ControllerState,
            Self::Pool(_) => Kind::PoolStatus,
        }
    }

    /// The Service that it is about.
    pub(crate) fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Layer2(service) | Self::Bgp(service) => Some(service),
            Self::Node | Self::Controller | Self::Pool(_) => None,
        }
    }

    /// Whether only that daemon writes it which gives addresses.
    pub(super) fn is_of_leader(&self) -> bool {
        match self {
            Self::Layer2(_) | Self::Bgp(_) | Self::Node => false,
            Self::Controller | Self::Pool(_) => true,
        }
    }

    /// Whether the object itself is made, labelled and removed here, and not by a user.
    pub(super) fn is_made_here(&self) -> bool {
        match self {
            Self::Layer2(_) | Self::Bgp(_) | Self::Node | Self::Controller => true,
            Self::Pool(_) => false,
        }
    }

    /// The protocol that the object tells of, as users know it.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        match self {
            Self::Layer2(_) => Some("layer2"),
            Self::Bgp(_) => Some("bgp"),
            Self::Node | Self::Controller | Self::Pool(_) => None,
        }
    }

    /// The name of the object, which follows from what it is about: there are never two about the
    /// same, and to create one is to see whether another daemon has. At layer 2 the node is not part
    /// of that, since only one has the Service.
    pub(super) fn name(&self, node: &str) -> String {
        match self {
            Self::Layer2(service) => format!("l2-{}", hash(&service.to_string())),
            Self::Bgp(service) => format!("bgp-{}", hash(&format!("{service}/{node}"))),
            Self::Node => state_of_node(node),
            Self::Controller => STATE_OF_CONTROLLER.to_owned(),
            Self::Pool(pool) => pool.to_string(),
        }
    }
}

/// As users know it.
impl fmt::Display for ReportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layer2(service) => write!(f, "the ServiceL2Status of {service}"),
            Self::Bgp(service) => write!(f, "the ServiceBGPStatus of {service}"),
            Self::Node => f.write_str("this node's ConfigurationState"),
            Self::Controller => write!(f, "the ConfigurationState {STATE_OF_CONTROLLER}"),
            Self::Pool(pool) => write!(f, "the status of IPAddressPool {pool}"),
        }
    }
}

/// The name of the ConfigurationState of those who give addresses.
pub(crate) const STATE_OF_CONTROLLER: &str = "controller";

/// The name of a node's ConfigurationState.
pub(crate) fn state_of_node(node: &str) -> String {
    fit(&format!("speaker-{node}"), NAME)
}

/// The value of the labels that name a node.
pub(crate) fn node_label(node: &str) -> String {
    fit(node, LABEL)
}

/// A name, or of one that is too long the beginning and a hash.
fn fit(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(most - HASH - 1).collect();
    format!("{beginning}-{}", hash(name))
}

fn hash(text: &str) -> String {
    let mut hash = text::hash(text);
    hash.truncate(HASH);
    hash
}
