//! What a daemon does.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

/// What a daemon does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Announce, and give addresses when it is this daemon's turn.
    #[default]
    Both,
    /// Announce. It writes to the API server what it does itself, and nothing that others depend on.
    Speaker,
    /// Take turns in giving addresses to Services. It announces nothing.
    Controller,
}

impl Role {
    /// Whether it announces.
    pub(crate) fn announces(self) -> bool {
        match self {
            Self::Both | Self::Speaker => true,
            Self::Controller => false,
        }
    }
}

/// What a daemon of a cluster does.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct RoleArgs {
    /// What the daemon does in a cluster.
    ///
    /// With files there is one role: all daemons of one journal agree on addresses by it.
    #[arg(long, value_enum, env = "CARILLON_ROLE", default_value = "both")]
    pub(crate) role: Role,
}

impl RoleArgs {
    /// Checks it against the other flags: whether objects come from a cluster, and whether others
    /// are to be talked to or addresses are to be assigned.
    ///
    /// # Errors
    /// They contradict each other.
    pub(crate) fn check(self, is_cluster: bool, is_for_speakers: bool) -> Result<()> {
        match self.role {
            Role::Speaker | Role::Controller if !is_cluster => {
                bail!("--role is for clusters: with --files every daemon does all there is to do")
            }
            Role::Controller if is_for_speakers => bail!(
                "--role controller announces nothing: leave out --gossip-bind, --join and \
                 --assign-vips"
            ),
            Role::Both | Role::Speaker | Role::Controller => Ok(()),
        }
    }
}
