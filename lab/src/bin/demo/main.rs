//! The demo: the walk-through of `lab/seed` with a real router, in network namespaces.

mod cluster;
mod page;
mod walk;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::{Context, Result};
use carillon_lab::{Lab, web};
use clap::{Parser, Subcommand};

/// The name of the lab that stays.
const KEPT: &str = "demo";

const INTRODUCTION: &str = "
A service address, announced by BGP from two nodes to a real router (FRR), in network namespaces
of this machine. The files are in lab/seed; every step checks what it shows.
";

/// Plays the walk-through: two nodes, a router, a service that comes and goes.
#[derive(Parser)]
struct Arguments {
    /// Leave the lab standing, and tell how to look around
    #[arg(long)]
    keep: bool,
    /// Remove the lab that --keep left standing
    #[arg(long, conflicts_with = "keep")]
    clean: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Be the web server in a pod
    #[command(hide = true)]
    Web {
        /// Address and port
        address: SocketAddr,
        /// The pod's name
        pod: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Web { address, pod }) => serve(address, &pod),
        None if arguments.clean => clean(),
        None => play(arguments.keep),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: SocketAddr, pod: &str) -> Result<()> {
    web::serve(&TcpListener::bind(address)?, pod)?;
    Ok(())
}

fn clean() -> Result<()> {
    let found = Lab::remove(KEPT)?;
    println!(
        "{}",
        if found {
            "The demo's lab is removed."
        } else {
            "There is no lab to remove."
        }
    );
    Ok(())
}

fn play(keep: bool) -> Result<()> {
    println!("{INTRODUCTION}");
    let lab = if keep {
        Lab::named(KEPT).context("no new lab (`make demo-clean` removes that of an earlier run)")?
    } else {
        Lab::new()?
    };
    let cluster = walk::walk(&lab)
        .inspect_err(|_| eprintln!("\nThe ends of the lab's logs:\n{}", lab.logs().trim_end()))?;
    if keep {
        cluster.create_service()?;
        lab.keep();
        page::look_around(&cluster)?;
    } else {
        println!("Done; the lab is removed. `make demo KEEP=1` leaves it standing.");
    }
    Ok(())
}
