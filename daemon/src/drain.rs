//! `carillon drain`, `undrain` and `move`: where addresses with one owner are to be.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use carillon_core::ownership::HANDOVER;

use crate::cli::{DrainArgs, MoveArgs, UndrainArgs};
use crate::socket::{self, Order};
use crate::status::{Owned, Status};

/// How often to look how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// How many addresses a message names.
const LISTED: usize = 10;

/// How long a node may take to take an address, before its owner gives up to wait for it as well.
const TAKING: Duration = HANDOVER;

/// `carillon drain`.
///
/// # Errors
/// No daemon answers, or time is up before everything is with other nodes.
pub(crate) fn drain(args: &DrainArgs) -> Result<ExitCode> {
    let path = &args.socket.path;
    let end = Instant::now() + args.timeout;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", socket::order(path, &Order::Drain(true))?)?;
    loop {
        let status: Status = serde_json::from_slice(&socket::fetch(path)?)?;
        if status.movable().next().is_none() {
            if status.held().next().is_some() {
                bail!(
                    "no other node may announce what stays here: {}; carillon status says why",
                    list(status.held())
                );
            }
            writeln!(out, "nothing is announced from here any more")?;
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() > end {
            bail!(
                "draining goes on; still here after {:?}: {}; carillon status shows how far it is",
                args.timeout,
                list(status.movable())
            );
        }
        thread::sleep(LOOK);
    }
}

/// The first of these addresses, and how many there are more.
fn list<'a>(owned: impl Iterator<Item = &'a Owned>) -> String {
    let addresses: Vec<_> = owned.map(|owned| owned.address.to_string()).collect();
    match addresses.split_at_checked(LISTED) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        Some(_) | None => addresses.join(", "),
    }
}

/// `carillon undrain`.
///
/// # Errors
/// No daemon answers.
pub(crate) fn undrain(args: &UndrainArgs) -> Result<ExitCode> {
    let answer = socket::order(&args.socket.path, &Order::Drain(false))?;
    writeln!(io::stdout(), "{answer}")?;
    Ok(ExitCode::SUCCESS)
}

/// `carillon move`; returns when that node has the address.
///
/// # Errors
/// No daemon answers, that node may not announce the address, or it does not take it.
pub(crate) fn move_to(args: &MoveArgs) -> Result<ExitCode> {
    let order = Order::Move {
        vip: args.vip,
        node: args.node.clone(),
    };
    let path = &args.socket.path;
    let answer = socket::order(path, &order)?;
    let end = Instant::now() + TAKING;
    let owner = loop {
        let status: Status = serde_json::from_slice(&socket::fetch(path)?)?;
        let mut owned = status.owned.into_iter();
        let owner = owned.find(|owned| owned.address == args.vip);
        let owner = owner.and_then(|owned| owned.owner);
        if owner.as_ref() == Some(&args.node) || Instant::now() > end {
            break owner;
        }
        thread::sleep(LOOK);
    };
    match owner {
        Some(owner) if owner == args.node => {
            writeln!(io::stdout(), "{owner} has {}", args.vip)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(owner) => bail!(
            "{answer}, but {owner} has it still after {TAKING:?}: carillon status on {} says why",
            args.node
        ),
        None => bail!("{answer}, but nobody has it: carillon status says why"),
    }
}
