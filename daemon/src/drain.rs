//! `carillon drain`, `undrain` and `move`: where addresses with one owner are to be.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cli::{DrainArgs, MoveArgs, UndrainArgs};
use crate::socket::{self, Order};
use crate::status::Status;

/// How often to look how far it is.
const LOOK: Duration = Duration::from_millis(100);

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
        let left = status.movable().count();
        if left == 0 {
            let kept = status.held().count();
            if kept > 0 {
                bail!(
                    "{kept} addresses stay here, since no other node may announce them; carillon \
                     status says why"
                );
            }
            writeln!(out, "nothing is announced from here any more")?;
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() > end {
            bail!(
                "{left} addresses are still here after {:?}; draining goes on, carillon status \
                 shows how far it is",
                args.timeout
            );
        }
        thread::sleep(LOOK);
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

/// `carillon move`.
///
/// # Errors
/// No daemon answers, or that node may not announce the address.
pub(crate) fn move_to(args: &MoveArgs) -> Result<ExitCode> {
    let order = Order::Move {
        vip: args.vip,
        node: args.node.clone(),
    };
    let answer = socket::order(&args.socket.path, &order)?;
    writeln!(io::stdout(), "{answer}")?;
    Ok(ExitCode::SUCCESS)
}
