//! The Carillon daemon and its command line.
//!
//! ```text
//!  files ─Batch─▶ run (driver) ─▶ core::Controller ─▶ journal
//!                     │      └──▶ core::Speaker ─AnnouncementSet─▶ backends
//!                     └─ status ─▶ socket ─▶ `carillon status`
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate has the clock, files, sockets and tasks, for the others have none"
)]

use std::io;
use std::process::ExitCode;

use clap::Parser;

mod backends;
mod check;
mod cli;
mod clock;
mod crds;
mod drain;
mod drained;
mod driver;
mod gossip;
mod heap;
mod http;
mod logging;
mod migrate;
mod notify;
mod proxy;
mod pulse;
mod run;
mod settings;
mod socket;
mod sources;
mod status;
mod supervise;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Run(args) => return run::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Crds => crds::print(),
        Command::Migrate(args) => migrate::run(&args),
        Command::Drain(args) => drain::drain(&args),
        Command::Undrain(args) => drain::undrain(&args),
        Command::Move(args) => drain::move_to(&args),
    };
    result.unwrap_or_else(|error| {
        // Whoever reads the output has seen enough, as `head` does.
        let cause = error.downcast_ref::<io::Error>();
        if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("carillon: {error:#}");
        ExitCode::FAILURE
    })
}
