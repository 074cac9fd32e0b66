//! The command line. Every flag can also be given as an environment variable `CARILLON_…`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use carillon_core::node::ExcludeLabel;
use carillon_core::speaker;
use carillon_objects::ObjectKey;

use crate::sources::{Source, SourceArgs};

mod drain;
mod gossip;
mod host;
mod migrate;
mod role;
#[cfg(test)]
mod tests;

pub(crate) use drain::{DrainArgs, MoveArgs, UndrainArgs};
pub(crate) use gossip::GossipArgs;
pub(crate) use host::HostArgs;
pub(crate) use migrate::MigrateArgs;
pub(crate) use role::{Role, RoleArgs};

/// The version and the revision of the source, as in `0.1.0 (0123456789ab)`.
pub(crate) const VERSION: &str = env!("CARILLON_VERSION");

/// Where a pod answers HTTP, next to the ports of MetalLB.
const HTTP_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7479);

/// Announces service addresses to the network, so that clients outside reach them.
///
/// Carillon gives each Service of type LoadBalancer an address from a pool, and announces it from
/// every node that may serve it. Pools and peers are configured as in MetalLB's ConfigMap.
#[derive(Debug, Parser)]
#[command(
    version = VERSION,
    propagate_version = true,
    after_help = "Examples:\n  \
        carillon check /etc/carillon         Is what I wrote right?\n  \
        carillon run --files /etc/carillon   Announce it\n  \
        carillon status                      What is announced to whom, and what is not and why"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Announce the services of a cluster, or of a directory of YAML files, and follow changes.
    ///
    /// Both hold Kubernetes objects: Services, EndpointSlices, Nodes, and the ConfigMap with the
    /// pools and peers, or MetalLB's resources. Other kinds are passed over. What cannot be understood is logged, and the
    /// last good version stays in force; that is so as well while the API server is away.
    ///
    /// SIGTERM and SIGINT withdraw everything, tell the peers why, and end the daemon; a second one
    /// ends it at once.
    Run(Box<RunArgs>),
    /// Show what a running daemon announces to whom, and what it does not and why.
    ///
    /// Problems come first: files that are not understood, a configuration that is refused. Exits
    /// with 1 if no daemon answers.
    Status(StatusArgs),
    /// Say whether files or the objects of a cluster are right, without announcing anything.
    ///
    /// Takes what `carillon run` would read: files and directories with Services, EndpointSlices,
    /// Nodes and the ConfigMap or MetalLB's resources, or a cluster. A bare MetalLB configuration, as below `data.config`
    /// of the ConfigMap, is taken as well. Prints every error with its place; exits with 1 if there
    /// is any.
    Check(CheckArgs),
    /// Print MetalLB's ConfigMap as resources.
    ///
    /// One IPAddressPool for each pool, its advertisements, BGPPeers, BFDProfiles and a Community, as
    /// YAML. What they cannot say is told on the standard error. Nothing is printed if anything is
    /// wrong; then it exits with 1.
    Migrate(MigrateArgs),
    /// Print the CustomResourceDefinitions of the resources.
    ///
    /// All nine of metallb.io, as YAML, made of what this program reads and writes. Applied over those
    /// of MetalLB they keep all objects.
    #[command(after_help = "Examples:\n  carillon crds | kubectl apply -f -")]
    Crds,
    /// Give this node's addresses to other nodes, and take none until `carillon undrain`.
    ///
    /// Each address is announced by its new node before this one stops. Routes of BGP are withdrawn.
    /// Waits until nothing is announced from here that another node could announce. A daemon that is
    /// started again stays drained; a host that is started again does not.
    Drain(DrainArgs),
    /// Let this node announce again.
    ///
    /// Addresses stay where they are, until rebalancing or `carillon move` brings them back.
    Undrain(UndrainArgs),
    /// Give an address that one node announces (layer 2) to another node.
    ///
    /// It can be told to any daemon. The new node announces it before the old one stops, and keeps
    /// it while it can.
    Move(MoveArgs),
}

/// The flags of `carillon run`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        carillon run --files /etc/carillon\n  \
        carillon run --files ./manifests --node-name node-a --socket ./a.sock --log-level debug\n  \
        carillon run --kubernetes                      In a pod on the host's network\n  \
        carillon run --kubeconfig ~/.kube/config --node-name node-a\n  \
        carillon run --files /etc/carillon --assign-vips   VIPs on lo, on a host without kube-proxy\n\
        \nEvery flag can also be set as an environment variable: CARILLON_FILES=/etc/carillon")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// The name of this node in EndpointSlices and Nodes [default: the host name].
    #[arg(long, value_name = "NAME", env = "CARILLON_NODE_NAME")]
    pub(crate) node_name: Option<String>,

    /// Where to remember which Service has which address
    /// [default: .carillon-allocations.jsonl in the directory of --files].
    ///
    /// Addresses then survive restarts. Daemons that share this file agree about addresses.
    #[arg(long, value_name = "FILE", env = "CARILLON_STATE")]
    pub(crate) state: Option<PathBuf>,

    /// Serve the Services of this spec.loadBalancerClass [default: those without a class].
    #[arg(long, value_name = "CLASS", env = "CARILLON_LB_CLASS")]
    pub(crate) lb_class: Option<String>,

    /// This daemon's name in the Lease and in Events [default: the node's name].
    #[arg(long, value_name = "NAME", env = "CARILLON_POD_NAME")]
    pub(crate) pod_name: Option<String>,

    /// The metadata.uid of the Pod of that name, in which this daemon runs.
    ///
    /// What it writes of itself (ServiceL2Status and so on) then goes when the Pod goes.
    #[arg(
        long,
        value_name = "UID",
        env = "CARILLON_POD_UID",
        requires = "pod_name"
    )]
    pub(crate) pod_uid: Option<String>,

    /// Answer HTTP here: /healthz, /readyz [default: 127.0.0.1:7479 with --kubernetes, or else
    /// nowhere].
    ///
    /// For programs that watch over this daemon. An answer other than 200 says what is amiss.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CARILLON_HTTP_BIND",
        value_parser = gossip::socket_address
    )]
    http_bind: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) role: RoleArgs,

    #[command(flatten)]
    pub(crate) host: HostArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) socket: SocketArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,

    #[command(flatten)]
    pub(crate) gossip: GossipArgs,
}

impl RunArgs {
    /// Where to answer HTTP.
    pub(crate) fn http_bind(&self) -> Option<SocketAddr> {
        let in_pod = self.source.is_pod().then_some(HTTP_BIND);
        self.http_bind.or(in_pod)
    }

    /// What the speaker is set to.
    pub(crate) fn speaker(&self) -> speaker::Settings {
        speaker::Settings {
            class: self.lb_class.clone(),
            exclude_label: if self.host.ignore_exclude_lb {
                ExcludeLabel::Ignored
            } else {
                ExcludeLabel::Obeyed
            },
        }
    }

    /// Where the objects are.
    ///
    /// # Errors
    /// That is not said, or twice.
    pub(crate) fn source(&self) -> Result<Source<'_>> {
        self.source.choose(self.state.is_some())
    }
}

/// The flags of `carillon status`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        carillon status\n  \
        carillon status --all                             Every service, not only the first\n  \
        carillon status --json | jq '.neighbors[].state'  For programs")]
pub(crate) struct StatusArgs {
    /// Print JSON, with everything the daemon knows.
    #[arg(long, env = "CARILLON_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,

    /// Print all services and routes, however many there are.
    #[arg(long, env = "CARILLON_ALL", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) socket: SocketArgs,
}

/// The flags of `carillon check`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        carillon check /etc/carillon\n  \
        carillon check config.yaml web.yaml\n  \
        kubectl get cm -n metallb-system config -o yaml | carillon check -\n  \
        carillon check --from-cluster --kubeconfig ~/.kube/config")]
pub(crate) struct CheckArgs {
    /// Files and directories; `-` is the standard input.
    #[arg(
        required_unless_present = "from_cluster",
        conflicts_with = "from_cluster",
        value_name = "PATH"
    )]
    pub(crate) paths: Vec<PathBuf>,

    /// Check the cluster in which this runs as a pod, or that of --kubeconfig or $KUBECONFIG.
    ///
    /// Also says which of the rights that a daemon needs are missing.
    #[arg(long, env = "CARILLON_FROM_CLUSTER", value_parser = FalseyValueParser::new())]
    pub(crate) from_cluster: bool,

    /// The kubeconfig file of the cluster.
    #[arg(long, value_name = "FILE", env = "CARILLON_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig to use [default: its current one].
    #[arg(long, value_name = "NAME", env = "CARILLON_CONTEXT")]
    pub(crate) context: Option<String>,

    /// The spec.loadBalancerClass of the Services that are served [default: those without a class].
    #[arg(long, value_name = "CLASS", env = "CARILLON_LB_CLASS")]
    pub(crate) lb_class: Option<String>,

    #[command(flatten)]
    pub(crate) role: RoleArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Which ConfigMap holds the configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigArgs {
    /// The name of the ConfigMap with the configuration.
    #[arg(
        long,
        value_name = "NAME",
        env = "CARILLON_CONFIG_NAME",
        default_value = "config"
    )]
    config_name: String,

    /// Its namespace.
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "CARILLON_CONFIG_NAMESPACE",
        default_value = "metallb-system"
    )]
    config_namespace: String,
}

impl ConfigArgs {
    /// The ConfigMap with the configuration.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::config_map(&self.config_namespace, &self.config_name)
    }
}

/// Where daemon and `carillon status` meet.
#[derive(Args, Clone, Debug)]
pub(crate) struct SocketArgs {
    /// The unix socket on which the daemon answers `carillon status`.
    #[arg(
        long = "socket",
        value_name = "PATH",
        env = "CARILLON_SOCKET",
        default_value = "/run/carillon/carillon.sock"
    )]
    pub(crate) path: PathBuf,
}

/// How to log.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogArgs {
    /// The least serious messages to log, to the standard error.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "CARILLON_LOG_LEVEL",
        value_enum,
        default_value = "info"
    )]
    pub(crate) log_level: LogLevel,

    /// How each message is written.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "CARILLON_LOG_FORMAT",
        value_enum,
        default_value = "human"
    )]
    pub(crate) log_format: LogFormat,
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Something does not work and somebody must act.
    Error,
    /// Something may not work as meant.
    Warn,
    /// What changed.
    Info,
    /// What was considered on the way.
    Debug,
    /// Everything.
    Trace,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people.
    Human,
    /// One JSON object for programs.
    Json,
}
