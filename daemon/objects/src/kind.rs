//! The kinds of objects that Carillon reads, as a table.
//!
//! A kind is a file with its [`Manifest`](super::manifest::Manifest) and its row, a line here, and a
//! rule in `manifests/base/rbac.yaml` (then `make manifests`). One that configures is also a variant of
//! [`Setting`](super::Setting), which yields a draft of the configuration.

use std::fmt;

use carillon_core::config::error::suggest;
use carillon_core::service::ServiceKey;

use super::manifest::Reader;
use super::metallb::{
    self, bfd_profile, bgp_advertisement, bgp_peer, community, ip_address_pool, l2_advertisement,
};
use super::validate::format::Name;
use super::{
    ObjectKey, config_map, configuration_state, controller_state, endpoint_slice, metallb_pod,
    namespace, node, node_labels, pod, pool_status, secret, service, service_bgp_status,
    service_l2_status,
};

#[cfg(test)]
mod tests;

/// What there is to know of a kind: its row in the table.
pub struct KindInfo {
    /// `kind`.
    pub name: &'static str,
    /// Its API group; empty for the oldest.
    pub group: &'static str,
    /// The version of the group that an API server is asked for.
    pub version: &'static str,
    /// Versions of old that files may have as well.
    pub(super) older_versions: &'static [&'static str],
    /// Its name in the paths of an API server and in the rules of a role.
    pub plural: &'static str,
    /// Its objects are in namespaces.
    pub(super) namespaced: bool,
    /// The form of its objects' names; `None` for any.
    pub(super) names: Option<Name>,
    /// It is read in files, too; there others are passed over.
    pub(super) in_files: bool,
    /// What its objects are for.
    pub purpose: Purpose,
    /// Which of its objects are followed in a cluster.
    pub selection: Selection,
    /// Only those in the namespace of the configuration are followed.
    pub beside_configuration: bool,
    /// How its objects are read.
    pub(super) reader: Reader,
}

/// What the objects of a kind are for: the variants of [`Object`](super::Object), in the order in
/// which a cluster is asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To have addresses.
    Service,
    /// To be the configuration, or a part of it.
    Setting,
    /// To tell the labels of a namespace.
    Namespace,
    /// To have what a part of the configuration does not tell everybody.
    Secret,
    /// To tell where a Service has endpoints.
    EndpointSlice,
    /// To tell what a node is like.
    Node,
    /// To tell the labels of any node.
    NodeLabels,
    /// To tell where another daemon is reached.
    Pod,
    /// To tell whether MetalLB runs.
    MetallbPod,
    /// To tell others what this node announces, and what it makes of the configuration.
    NodeReport,
    /// To tell others what those make of the configuration that give addresses.
    ControllerReport,
}

impl Purpose {
    /// Whether a daemon that announces nothing has no use for them.
    pub fn is_to_announce(self) -> bool {
        match self {
            Self::Service
            | Self::Setting
            | Self::Namespace
            | Self::MetallbPod
            | Self::ControllerReport => false,
            Self::Secret
            | Self::EndpointSlice
            | Self::Node
            | Self::NodeLabels
            | Self::Pod
            | Self::NodeReport => true,
        }
    }

    /// Whether daemons write them, for others: nothing that a daemon does depends on them.
    pub fn is_report(self) -> bool {
        match self {
            Self::NodeReport | Self::ControllerReport => true,
            Self::Service
            | Self::Setting
            | Self::Namespace
            | Self::Secret
            | Self::EndpointSlice
            | Self::Node
            | Self::NodeLabels
            | Self::Pod
            | Self::MetallbPod => false,
        }
    }

    /// Whether a daemon that gives no addresses has no use for them.
    pub fn is_to_allocate(self) -> bool {
        match self {
            Self::Namespace | Self::ControllerReport => true,
            Self::Service
            | Self::Setting
            | Self::Secret
            | Self::EndpointSlice
            | Self::Node
            | Self::NodeLabels
            | Self::Pod
            | Self::MetallbPod
            | Self::NodeReport => false,
        }
    }

    /// Whether the metadata of the objects is enough, and an API server asked for no more.
    pub fn is_in_metadata(self) -> bool {
        match self {
            Self::Namespace | Self::NodeLabels => true,
            Self::Service
            | Self::Setting
            | Self::Secret
            | Self::EndpointSlice
            | Self::Node
            | Self::Pod
            | Self::MetallbPod
            | Self::NodeReport
            | Self::ControllerReport => false,
        }
    }
}

/// Which objects of a kind are followed in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// Those with these labels, as a selector.
    Labels(&'static str),
    /// The one that is named as the configuration.
    Configuration,
    /// The one that is named as this node.
    ThisNode,
    /// Those with the labels of the daemons.
    Daemons,
    /// Those with the label of this node, [`report::NODE_LABEL`](super::report::NODE_LABEL).
    OfThisNode,
    /// The one that is named `speaker-` and as this node.
    StateOfThisNode,
    /// The one that is named `controller`.
    StateOfController,
}

/// Makes the rows one enumeration and one table, in this order.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $module:ident,)*) => {
        /// The kinds that Carillon reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        /// All kinds.
        pub const KINDS: &[Kind] = &[$(Kind::$kind,)*];

        impl Kind {
            /// What there is to know of it.
            pub fn info(self) -> &'static KindInfo {
                match self {
                    $(Self::$kind => &$module::KIND,)*
                }
            }
        }
    };
}

// In the order in which problems with their objects are told.
kinds! {
    /// `v1` ConfigMap.
    ConfigMap => config_map,
    /// `metallb.io/v1beta1` IPAddressPool.
    IpAddressPool => ip_address_pool,
    /// `metallb.io/v1beta1` L2Advertisement.
    L2Advertisement => l2_advertisement,
    /// `metallb.io/v1beta1` BGPAdvertisement.
    BgpAdvertisement => bgp_advertisement,
    /// `metallb.io/v1beta2` BGPPeer.
    BgpPeer => bgp_peer,
    /// `metallb.io/v1beta1` BFDProfile.
    BfdProfile => bfd_profile,
    /// `metallb.io/v1beta1` Community.
    Community => community,
    /// `v1` Secret.
    Secret => secret,
    /// `v1` Namespace.
    Namespace => namespace,
    /// `v1` Node.
    Node => node,
    /// The metadata of `v1` Node, of all of them. Only a cluster has it.
    NodeLabels => node_labels,
    /// `v1` Pod. Only a cluster has them; files with some are passed over.
    Pod => pod,
    /// The same, those of MetalLB. Only a cluster has them, too.
    MetallbPod => metallb_pod,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice => endpoint_slice,
    /// `v1` Service.
    Service => service,
    /// `metallb.io/v1beta1` ServiceL2Status. Only a cluster has them, and all that follow.
    ServiceL2Status => service_l2_status,
    /// `metallb.io/v1beta1` ServiceBGPStatus.
    ServiceBgpStatus => service_bgp_status,
    /// `metallb.io/v1beta1` ConfigurationState, that of this node.
    ConfigurationState => configuration_state,
    /// The same, that of those who give addresses.
    ControllerState => controller_state,
    /// The status of `metallb.io/v1beta1` IPAddressPool.
    PoolStatus => pool_status,
}

impl Kind {
    /// Those that are read in files.
    pub(super) fn in_files() -> impl Iterator<Item = Self> {
        let kinds = KINDS.iter().copied();
        kinds.filter(|kind| kind.info().in_files)
    }

    /// The kind of an object in a file, if it is one that Carillon reads.
    pub(super) fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::in_files().find(|known| {
            let info = known.info();
            info.name == kind && info.has_version(api_version)
        })
    }

    /// The `apiVersion` and `kind` that were meant by what is none of these, but nearly so. The
    /// kinds of other API groups are not meant, even those with the same name.
    pub(super) fn meant(api_version: &str, kind: &str) -> Option<(String, &'static str)> {
        let (group, _) = api_version.rsplit_once('/').unwrap_or_default();
        let names: Vec<&str> = Self::in_files().map(|kind| kind.info().name).collect();
        let near = suggest(kind, &names)?;
        let meant = Self::in_files().find(|kind| kind.info().name == near)?;
        let groups = Self::in_files().map(|kind| kind.info().group);
        let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
        let is_near = matches!(group, "" | "core") || suggest(group, &groups).is_some();
        let info = meant.info();
        (is_near && Self::of(api_version, kind).is_none()).then(|| (info.api_version(), info.name))
    }

    /// The key of an object of this kind. What is in no namespace has an empty one, whatever is
    /// written.
    pub(super) fn key(self, name: ServiceKey) -> ObjectKey {
        let name = if self.info().namespaced {
            name
        } else {
            ServiceKey::new("", name.name())
        };
        ObjectKey { kind: self, name }
    }
}

/// As users know it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

impl KindInfo {
    /// Whether a CustomResourceDefinition defines it, which a cluster need not have.
    pub fn is_custom(&self) -> bool {
        self.group == metallb::GROUP
    }

    /// The `apiVersion` of its objects.
    fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether this is the `apiVersion` of such objects, today's or one of old.
    fn has_version(&self, api_version: &str) -> bool {
        let version = match self.group {
            "" => Some(api_version),
            group => api_version
                .strip_prefix(group)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        version.is_some_and(|written| {
            written == self.version || self.older_versions.contains(&written)
        })
    }
}
