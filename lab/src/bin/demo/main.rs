//! The demo: the walk-through of `lab/seed` with a real router, in network namespaces.

mod cluster;
mod kubernetes;
mod layer2;
mod looks;
mod page;
mod walk;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::{Context, Result};
use carillon_lab::{Lab, web};
use clap::{Parser, Subcommand};

/// The names of the labs that stay.
const KEPT: &str = "demo";
const KEPT_KUBERNETES: &str = "kubernetes";
const KEPT_LAYER2: &str = "layer2";

const INTRODUCTION: &str = "
A service address, announced by BGP from two nodes to a real router (FRR), in network namespaces
of this machine. The files are in lab/seed; every step checks what it shows.
";

const INTRODUCTION_KUBERNETES: &str = "
A service address of a real Kubernetes with two nodes, announced by BGP to a real router (FRR), in
namespaces of this machine. The files are in manifests and lab/seed; every step checks what it
shows.
";

const INTRODUCTION_LAYER2: &str = "
A service address that one of three nodes announces by ARP to its segment, in network namespaces of
this machine. Every step checks what it shows.
";

/// Plays the walk-through: two nodes, a router, a service that comes and goes.
#[derive(Parser)]
struct Arguments {
    /// Play it on a real Kubernetes
    #[arg(long)]
    kubernetes: bool,
    /// Play the one of layer 2
    #[arg(long, conflicts_with = "kubernetes")]
    layer2: bool,
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
        None if arguments.clean => clean(arguments.kept()),
        None if arguments.kubernetes => play_kubernetes(arguments.keep),
        None if arguments.layer2 => play_layer2(arguments.keep),
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

impl Arguments {
    /// The name of the lab that stays.
    fn kept(&self) -> &'static str {
        match (self.kubernetes, self.layer2) {
            (true, _) => KEPT_KUBERNETES,
            (false, true) => KEPT_LAYER2,
            (false, false) => KEPT,
        }
    }
}

fn clean(kept: &str) -> Result<()> {
    let found = Lab::remove(kept)?;
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

/// A lab that stays, if `keep`, under the name `kept`; `clean` removes it.
fn lab(keep: bool, kept: &str, clean: &str) -> Result<Lab> {
    if !keep {
        return Lab::new();
    }
    let advice = || format!("no new lab (`make {clean}` removes that of an earlier run)");
    Lab::named(kept).with_context(advice)
}

/// Shows and saves the logs of a lab where something failed.
fn failed(lab: &Lab) {
    eprintln!("\nThe ends of the lab's logs:\n{}", lab.logs().trim_end());
    if let Ok(saved) = lab.save_logs() {
        eprintln!("All logs are in {}", saved.display());
    }
}

fn play(keep: bool) -> Result<()> {
    println!("{INTRODUCTION}");
    let lab = lab(keep, KEPT, "demo-clean")?;
    let cluster = walk::walk(&lab).inspect_err(|_| failed(&lab))?;
    if keep {
        cluster.create_service()?;
        lab.keep();
        page::look_around(&cluster)?;
    } else {
        println!("Done; the lab is removed. `make demo KEEP=1` leaves it standing.");
    }
    Ok(())
}

fn play_kubernetes(keep: bool) -> Result<()> {
    println!("{INTRODUCTION_KUBERNETES}");
    let lab = lab(keep, KEPT_KUBERNETES, "demo-kubernetes-clean")?;
    let cluster = kubernetes::walk(&lab).inspect_err(|_| failed(&lab))?;
    if keep {
        kubernetes::create(&cluster)?;
        lab.keep();
        kubernetes::look_around(&cluster);
    } else {
        println!("Done; the lab is removed. `make demo-kubernetes KEEP=1` leaves it standing.");
    }
    Ok(())
}

fn play_layer2(keep: bool) -> Result<()> {
    println!("{INTRODUCTION_LAYER2}");
    let lab = lab(keep, KEPT_LAYER2, "demo-layer2-clean")?;
    let stage = layer2::walk(&lab).inspect_err(|_| failed(&lab))?;
    if keep {
        lab.keep();
        stage.look_around()?;
    } else {
        println!("Done; the lab is removed. `make demo-layer2 KEEP=1` leaves it standing.");
    }
    Ok(())
}
