//! The flags of `carillon drain`, `undrain` and `move`.

use std::net::IpAddr;
use std::time::Duration;

use carillon_core::config::duration;
use clap::Args;

use super::SocketArgs;

/// The flags of `carillon drain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        carillon drain                 Before this node is rebooted\n  \
        carillon drain --timeout 5m    With thousands of addresses")]
pub(crate) struct DrainArgs {
    /// How long to wait until everything is with other nodes.
    #[arg(
        long,
        value_name = "DURATION",
        env = "CARILLON_TIMEOUT",
        default_value = "30s",
        value_parser = duration::parse
    )]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) socket: SocketArgs,
}

/// The flags of `carillon undrain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  carillon undrain    After the node was rebooted")]
pub(crate) struct UndrainArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
}

/// The flags of `carillon move`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
        carillon move 192.168.7.100 worker-0    Which can be seen in carillon status")]
pub(crate) struct MoveArgs {
    /// The address.
    #[arg(value_name = "VIP")]
    pub(crate) vip: IpAddr,

    /// The name of the node that is to announce it.
    #[arg(value_name = "NODE")]
    pub(crate) node: String,

    #[command(flatten)]
    pub(crate) socket: SocketArgs,
}
