//! The flags of `carillon run` about the daemons of other nodes.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use carillon_core::config::duration;
use carillon_core::ownership::Rebalance;
use clap::Args;

use crate::gossip;

/// How long to wait from one address that goes back to the next.
const REBALANCE_PAUSE: Duration = Duration::from_secs(10);

/// How daemons find each other and agree on who announces an address that only one node may
/// announce.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "One owner per address (layer 2)")]
pub(crate) struct GossipArgs {
    /// Talk to the daemons of other nodes from this address, by UDP [default with --join: port 7480
    /// of all addresses].
    ///
    /// Without it, and without --join, this node is taken for the only one.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CARILLON_GOSSIP_BIND",
        value_parser = socket_address
    )]
    pub(crate) gossip_bind: Option<SocketAddr>,

    /// The address at which other daemons reach this one [default: that of --gossip-bind, or else
    /// the one that leads to the first --join].
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CARILLON_GOSSIP_ADVERTISE",
        value_parser = socket_address
    )]
    pub(crate) gossip_advertise: Option<SocketAddr>,

    /// A daemon to get to know the others through; can be given several times. Names are looked up
    /// again and again; this node's own address does no harm.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "CARILLON_JOIN",
        value_delimiter = ','
    )]
    pub(crate) join: Vec<String>,

    /// The labels of the Pods of all daemons of a cluster, as a selector, to get to know the others
    /// through; in the namespace of the ConfigMap.
    #[arg(long, value_name = "SELECTOR", env = "CARILLON_GOSSIP_PODS")]
    pub(crate) gossip_pods: Option<String>,

    /// The file with the secret that all daemons share: at least 16 bytes, the same everywhere.
    ///
    /// A second line is another secret that is understood, too: to change secrets, add the new one
    /// as second line everywhere, then swap the lines, then remove the old one. The file is read
    /// again when it changes.
    #[arg(long, value_name = "FILE", env = "CARILLON_GOSSIP_KEY_FILE")]
    pub(crate) gossip_key_file: Option<PathBuf>,

    /// Tells apart clusters that could hear each other.
    #[arg(
        long,
        value_name = "NAME",
        env = "CARILLON_GOSSIP_CLUSTER",
        default_value = "carillon"
    )]
    pub(crate) gossip_cluster: String,

    /// Notice the loss of a node faster, for more packets: the owner of an address sends two of
    /// them in this time, and twice this time of silence is a loss. From 10ms [default: a profile
    /// that takes 0.4s and stands stalls of 0.3s].
    #[arg(
        long,
        value_name = "DURATION",
        env = "CARILLON_HEARTBEAT_INTERVAL",
        value_parser = duration::parse
    )]
    pub(crate) heartbeat_interval: Option<Duration>,

    /// Tell hosts and switches again who has an address, this often; 0 is never.
    #[arg(
        long,
        value_name = "DURATION",
        env = "CARILLON_REFRESH_INTERVAL",
        default_value = "60s",
        value_parser = duration::parse
    )]
    pub(crate) refresh_interval: Duration,

    /// Give addresses back, one at a time, to the node that they belong to by order, when it has
    /// been there for so long; 0 is never.
    #[arg(
        long,
        value_name = "DURATION",
        env = "CARILLON_REBALANCE_AFTER",
        default_value = "10m",
        value_parser = duration::parse
    )]
    pub(crate) rebalance_after: Duration,
}

impl GossipArgs {
    /// Whether this node has others.
    pub(crate) fn is_wanted(&self) -> bool {
        self.gossip_bind.is_some() || !self.join.is_empty()
    }

    /// Whether and when addresses go back to the node that is first in their order.
    pub(crate) fn rebalance(&self) -> Option<Rebalance> {
        let stable_for = self.rebalance_after;
        let pause = REBALANCE_PAUSE;
        (!stable_for.is_zero()).then_some(Rebalance { stable_for, pause })
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// A secret or an address is missing, or a time is too short.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_wanted() && self.gossip_key_file.is_none() {
            bail!(
                "daemons of several nodes need a secret: make one with `openssl rand -base64 32`, \
                 put it on every node, and give --gossip-key-file FILE"
            );
        }
        if self.gossip_key_file.is_some() && !self.is_wanted() {
            bail!(
                "--gossip-key-file without other nodes: give --gossip-bind ADDR:PORT, and --join \
                 HOST:PORT of another node"
            );
        }
        if self.is_wanted() {
            gossip::check(self)?;
        }
        if let Some(interval) = self.heartbeat_interval
            && !(Duration::from_millis(10)..=Duration::from_secs(1)).contains(&interval)
        {
            bail!("--heartbeat-interval {interval:?} is not from 10ms to 1s");
        }
        for name in &self.join {
            let port = name.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(1..))) {
                bail!("--join {name:?} is not HOST:PORT, for example 192.168.7.13:7480");
            }
        }
        Ok(())
    }
}

/// An address and a port. Pods have `$(HOST_IP):7480`, in which an IPv6 address has no brackets.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let unbracketed = || {
        let (address, port) = text.rsplit_once(':')?;
        let address: Ipv6Addr = address.parse().ok()?;
        Some(SocketAddr::new(address.into(), port.parse().ok()?))
    };
    let address = text.parse().ok().or_else(unbracketed);
    address.ok_or_else(|| "write an address and a port, for example 192.168.7.13:7480".to_owned())
}
