//! The daemons of other nodes: a thread that owns [`Membership`] and its UDP socket.
//!
//! ```text
//!  driver ──Command──▶ gossip thread (Membership, socket, clock) ◀──sealed datagrams──▶ others
//!         ◀──Event────
//! ```
//!
//! It has a thread of its own, since others judge this node by how soon it answers: reading ten
//! thousand Services must not make it late.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Error, Result, anyhow};
use carillon_core::membership::record::{Key, Value};
use carillon_core::membership::{Event, MemberId, Membership, Profile, Settings, Status};
use tokio::sync::{mpsc, oneshot, watch};

use crate::cli::GossipArgs;
use crate::pulse::{Pulse, Watcher};

mod io;
mod keys;
mod names;
#[cfg(test)]
mod tests;

use keys::KeyFile;

/// The port of the daemons, if none is given.
const PORT: u16 = 7480;
/// How long a daemon that finds no other waits until it takes itself for the only one.
const ALONE_AFTER: Duration = Duration::from_secs(3);

/// How often to try again to start.
const AGAIN: Duration = Duration::from_secs(5);
/// The Secret of Kubernetes that the manifests mount, and the key in it.
pub(crate) const SECRET: (&str, &str) = ("carillon-gossip", "key");

/// What the thread is told.
pub(crate) enum Command {
    /// This node says something of itself, or takes it back.
    Publish(Key, Option<Value>),
    /// Whether this node has addresses that others would have to take over.
    Owner(bool),
    /// Find out whether this daemon can still be talked to.
    Doubt(MemberId),
    /// Daemons to get to know the others through, beside those of the command line.
    Peers(Vec<IpAddr>),
    /// Answer that the thread is alive.
    Pulse(oneshot::Sender<()>),
    /// How it stands.
    Status(oneshot::Sender<Status>),
    /// Say goodbye; answered when that is on the wire.
    Leave(oneshot::Sender<()>),
}

/// The other daemons.
pub(crate) struct Gossip {
    /// This daemon among them.
    pub(crate) me: MemberId,
    /// What is heard of them.
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    /// To tell them something.
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

/// Starts to talk to the other daemons of a cluster, as soon as there is a secret: it may be created
/// in the namespace of the daemons after this one has been started. What it waits for is told again
/// and again meanwhile.
pub(crate) fn spawn_when_ready(
    args: GossipArgs,
    namespace: String,
    pulse: watch::Receiver<Pulse>,
) -> mpsc::Receiver<Result<Gossip>> {
    let (sender, arrivals) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let started =
                spawn(&args, pulse.clone()).map_err(|error| with_remedy(&error, &args, &namespace));
            let is_there = started.is_ok();
            if sender.send(started).await.is_err() || is_there {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    arrivals
}

/// Adds how to create the secret, if that is what is missing.
fn with_remedy(error: &Error, args: &GossipArgs, namespace: &str) -> Error {
    let is_missing = |path: &PathBuf| !path.exists();
    if !args.gossip_key_file.as_ref().is_some_and(is_missing) {
        return anyhow!("{error:#}");
    }
    let command = create_secret(namespace);
    anyhow!(
        "{error:#}; create it (a pod sees it a minute later, or when it is restarted): {command}"
    )
}

/// The command that creates the Secret.
pub(crate) fn create_secret(namespace: &str) -> String {
    let (name, key) = SECRET;
    format!(
        "kubectl create secret generic {name} -n {namespace} \
         --from-literal={key}=\"$(openssl rand -base64 32)\""
    )
}

/// Starts to talk to the other daemons, for as long as the daemon has a pulse.
///
/// # Errors
/// The secret cannot be read or is too short, or the address cannot be had.
pub(crate) fn spawn(args: &GossipArgs, pulse: watch::Receiver<Pulse>) -> Result<Gossip> {
    let path = args.gossip_key_file.clone().unwrap_or_default();
    let (key_file, keys) = KeyFile::read(path)?;
    let unspecified = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
    let bind = args.gossip_bind.unwrap_or(unspecified);
    let socket = UdpSocket::bind(bind).with_context(|| {
        format!("cannot talk to other nodes from {bind} (UDP); give another --gossip-bind")
    })?;
    socket.set_nonblocking(true)?;
    let address = advertised(args, socket.local_addr()?)?;
    let settings = Settings {
        address,
        generation: SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(1, |age| age.as_secs()),
        profile: args
            .heartbeat_interval
            .map_or_else(Profile::standard, Profile::fast),
        alone_after: ALONE_AFTER,
        cluster: args.gossip_cluster.clone(),
    };
    let membership = Membership::new(settings, keys, rand::make_rng(), Instant::now());
    let me = membership.id();
    let (commands, told) = mpsc::unbounded_channel();
    let (sender, events) = mpsc::unbounded_channel();
    let link = io::Link {
        membership,
        socket,
        told,
        events: sender,
        names: args.join.clone(),
        has_pods: args.gossip_pods.is_some(),
        port: address.port(),
        key_file,
        watcher: Watcher::new(pulse),
    };
    let thread = thread::Builder::new().name("gossip".to_owned());
    thread
        .spawn(move || link.run())
        .context("cannot start a thread")?;
    Ok(Gossip {
        me,
        events,
        commands,
    })
}

/// The address at which others reach a socket bound to `bound`.
fn advertised(args: &GossipArgs, bound: SocketAddr) -> Result<SocketAddr> {
    if let Some(address) = args.gossip_advertise {
        return Ok(address);
    }
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    // A name of this node itself may lead to a loopback address, which is of no use to others.
    let towards = |peer: &String| local_address_towards(peer).ok();
    let mut addresses = args.join.iter().filter_map(towards);
    let address = addresses.find(|address| !address.is_loopback());
    let address = address.with_context(|| {
        let joined = args.join.join(", ");
        let towards = if joined.is_empty() {
            String::new()
        } else {
            format!(", and the way to {joined} does not tell")
        };
        format!(
            "others must know where this node is{towards}: give --gossip-bind with an address of its \
             own, or --gossip-advertise"
        )
    })?;
    Ok(SocketAddr::new(address, bound.port()))
}

/// The address from which the kernel would send to another host. Nothing is sent.
fn local_address_towards(peer: &str) -> std::io::Result<IpAddr> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}
