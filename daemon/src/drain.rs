//! `carillon drain`, `undrain` and `move`: where addresses with one owner are to be.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use carillon_core::ownership::HANDOVER;

use crate::cli::{DrainArgs, MoveArgs, UndrainArgs};
use crate::socket::{self, Held, Order};

/// How often to look how far it is.
const LOOK: Duration = Duration::from_millis(100);

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
        let held: Held = socket::question(path, &Order::Held)?;
        if held.movable.is_empty() {
            if held.total > 0 {
                bail!(
                    "no other node may announce what stays here: {}; carillon status says why",
                    list(&held.first, held.total)
                );
            }
            writeln!(out, "nothing is announced from here any more")?;
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() > end {
            bail!(
                "draining goes on; still here after {:?}: {}; carillon status shows how far it is",
                args.timeout,
                list(&held.movable, held.total)
            );
        }
        thread::sleep(LOOK);
    }
}

/// The first of these addresses, and how many there are more.
fn list(first: &[IpAddr], total: usize) -> String {
    let addresses: Vec<_> = first.iter().map(ToString::to_string).collect();
    match total.saturating_sub(first.len()) {
        0 => addresses.join(", "),
        more => format!("{} and {more} more", addresses.join(", ")),
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
        let owner: Option<String> = socket::question(path, &Order::Owner(args.vip))?;
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
