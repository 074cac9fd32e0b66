//! The Carillon daemon and its command line.
//!
//! ```text
//!  files ─Batch─▶ run (driver) ─▶ core::Controller ─▶ journal
//!                     │      └──▶ core::Speaker ─AnnouncementSet─▶ backends
//!                     └─ status ─▶ socket ─▶ `carillon status`
//! ```

#![cfg_attr(not(test), allow(dead_code, reason = "the run command comes next"))]

use std::process::ExitCode;

use clap::Parser;

mod backends;
mod check;
mod cli;
mod files;
mod objects;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Run(_) | Command::Status(_) => Ok(ExitCode::FAILURE),
    };
    result.unwrap_or_else(|error| {
        eprintln!("carillon: {error:#}");
        ExitCode::FAILURE
    })
}
