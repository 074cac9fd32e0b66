//! The flags of `carillon run` about this node and its interfaces.

use std::path::PathBuf;

use carillon_core::node::DrainRule;
use clap::Args;
use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};

/// This node and its interfaces.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "This node")]
pub(crate) struct HostArgs {
    /// Put every VIP on this interface while this node announces it, for hosts without kube-proxy
    /// [default: on none; lo, if no interface is given].
    ///
    /// The addresses are marked as Carillon's, and are removed when the node loses the VIP or the
    /// daemon stops; after a crash the next daemon removes those that are not wanted any more. VIPs
    /// that somebody else has put there are left alone. Needs CAP_NET_ADMIN.
    #[arg(
        long,
        value_name = "IFACE",
        env = "CARILLON_ASSIGN_VIPS",
        num_args = 0..=1,
        default_missing_value = "lo",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(crate) assign_vips: Option<String>,

    /// The file that lists the interfaces on which nothing is announced by ARP or NDP, in the format
    /// of MetalLB's ConfigMap metallb-excludel2 [without it: those of containers and overlays].
    #[arg(
        long,
        value_name = "FILE",
        env = "CARILLON_EXCLUDE_INTERFACES",
        default_value = "/etc/metallb/excludel2.yaml"
    )]
    pub(crate) exclude_interfaces: PathBuf,

    /// Announce although this node's Node has the label
    /// node.kubernetes.io/exclude-from-external-load-balancers; give it to all daemons.
    ///
    /// Some installers put the label on every node of the control plane, which may be all nodes there are.
    #[arg(
        long,
        env = "CARILLON_IGNORE_EXCLUDE_LB",
        value_parser = FalseyValueParser::new()
    )]
    pub(crate) ignore_exclude_lb: bool,

    /// Drain this node while its Node has this: label:KEY, label:KEY=VALUE, taint:KEY or
    /// taint:KEY=VALUE; can be given several times. Cordoning a node does not drain it.
    #[arg(
        long,
        value_name = "RULE",
        env = "CARILLON_DRAIN_ON",
        value_delimiter = ','
    )]
    pub(crate) drain_on: Vec<DrainRule>,
}
