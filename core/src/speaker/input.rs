//! What the speaker is told.

use std::net::IpAddr;
use std::sync::Arc;

use crate::announcement::Asked;
use crate::config::Config;
use crate::endpoint::{EndpointSlice, SliceKey};
use crate::interface::Interfaces;
use crate::labels::Labels;
use crate::mark::Mark;
use crate::node::Node;
use crate::ownership::Holding;
use crate::policy::LeftToMetallb;
use crate::service::{Service, ServiceKey};

/// A change of what the speaker knows.
#[derive(Clone, Debug)]
pub enum Input {
    /// The configuration in force.
    Config(Arc<Config>),
    /// A Service as it is now.
    Service(Service),
    /// A Service is gone.
    ServiceDeleted(ServiceKey),
    /// An EndpointSlice as it is now.
    Endpoints(EndpointSlice),
    /// An EndpointSlice is gone.
    EndpointsDeleted(SliceKey),
    /// A Node as it is now. Of nodes other than the speaker's own the labels count.
    Node(Node),
    /// A Node is gone. The speaker's own keeps announcing with what was last known of it.
    NodeDeleted(Arc<str>),
    /// The labels of a node, which count of nodes other than the speaker's own; `None` if it is gone.
    Labels(Arc<str>, Option<Labels>),
    /// The interfaces of this node that VIPs can be announced on.
    Interfaces(Arc<Interfaces>),
    /// What other daemons recognise this one by.
    Mark(Mark),
    /// Whether what every eligible node announces is to be left to the others.
    Draining(bool),
    /// What is left to MetalLB.
    LeftToMetallb(LeftToMetallb),
    /// Who has a candidate. Until it comes, nobody does.
    Holding(IpAddr, Holding),
    /// After [`super::LocalEvent::Waits`]: the node passes the traffic of the Service on, as far as is known.
    Passes(ServiceKey),
    /// After [`super::LocalEvent::Ready`]: the other node has had time to announce the Service.
    Settled(ServiceKey, Arc<str>),
    /// The stations that are to be asked whether they have an address; `None`: not any more.
    Asked(IpAddr, Option<Arc<Asked>>),
    /// Everything that existed at the start has been seen. Before it, nothing is handed to the
    /// backends: partial knowledge must not withdraw.
    Synced,
}
