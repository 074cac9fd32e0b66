//! The daemons of other nodes: a thread that owns [`Membership`] and its UDP socket.
//!
//! ```text
//!  driver ──Command──▶ gossip thread (Membership, socket, clock) ◀──sealed datagrams──▶ others
//!         ◀──Event────
//! ```
//!
//! It has a thread of its own, since others judge this node by how soon it answers: reading ten
//! thousand Services must not make it late.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Error, Result, anyhow};
use carillon_gossip::record::{Key, Value};
use carillon_gossip::{Event, Keys, MemberId, Membership, Profile, Settings, Status};
use carillon_host::interfaces::Known;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::cli::GossipArgs;
use crate::pulse::{Pulse, Watcher};

mod commands;
mod io;
mod keys;
mod names;
mod place;
mod socket;
#[cfg(test)]
mod tests;

use keys::KeyFile;
use names::Found;
use place::Place;

pub(crate) use commands::Commands;
pub(crate) use place::check;

/// The port of the daemons, if none is given.
const PORT: u16 = 7480;
/// How long a daemon that finds no other waits until it takes itself for the only one.
const ALONE_AFTER: Duration = Duration::from_secs(3);
/// How often to try again to start.
const AGAIN: Duration = Duration::from_secs(1);
/// How many events wait at most for the driver. While there is no room, nothing more is heard: others
/// say it again.
const EVENTS: usize = 64 * 1024;
/// How long names may take before the daemon is started without them.
const NAMES: Duration = Duration::from_secs(3);
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
    pub(crate) events: mpsc::Receiver<Event>,
    /// To tell them something.
    pub(crate) commands: Commands,
}

/// The secret, and the file that it comes from.
pub(crate) struct Secret {
    file: KeyFile,
    keys: Keys,
}

impl Secret {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read or is too short.
    pub(crate) fn read(args: &GossipArgs) -> Result<Self> {
        let path = args.gossip_key_file.clone().unwrap_or_default();
        let (file, keys) = KeyFile::read(path)?;
        Ok(Self { file, keys })
    }
}

/// Starts to talk to the other daemons as soon as there is all that it takes: the secret, which may
/// be created in this namespace after this daemon has been started, and the network. What it waits
/// for is told again and again meanwhile. It talks for as long as the daemon has a pulse. Needs a tokio
/// runtime.
pub(crate) fn spawn_when_ready(
    args: GossipArgs,
    secret: Option<Secret>,
    namespace: String,
    interfaces: watch::Receiver<Known>,
    pulse: watch::Receiver<Pulse>,
) -> mpsc::Receiver<Result<Gossip>> {
    let (sender, arrivals) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut start = Start::new(args, secret, namespace, interfaces, pulse);
        start.await_names().await;
        loop {
            let place = match start.prepare().await {
                Ok(place) => place,
                Err(error) => {
                    if sender.send(Err(error)).await.is_err() {
                        return;
                    }
                    start.await_change().await;
                    continue;
                }
            };
            // Whoever does not listen any more is about to end.
            let _ = sender.send(start.launch(place)).await;
            return;
        }
    });
    arrivals
}

/// What a start takes.
struct Start {
    args: GossipArgs,
    secret: Option<Secret>,
    namespace: String,
    interfaces: watch::Receiver<Known>,
    pulse: watch::Receiver<Pulse>,
    /// What is found of the names of `--join`, and what was found so far.
    names: Option<mpsc::Receiver<Found>>,
    found: Found,
}

impl Start {
    fn new(
        args: GossipArgs,
        secret: Option<Secret>,
        namespace: String,
        interfaces: watch::Receiver<Known>,
        pulse: watch::Receiver<Pulse>,
    ) -> Self {
        let has_names = !args.join.is_empty();
        let names = has_names.then(|| names::follow(args.join.clone()));
        Self {
            args,
            secret,
            namespace,
            interfaces,
            pulse,
            names,
            found: Found::default(),
        }
    }

    async fn await_names(&mut self) {
        let all = async {
            while let Some(names) = &mut self.names
                && !self.found.is_complete
                && let Some(found) = names.recv().await
            {
                self.found = found;
            }
        };
        // Those that take longer come later.
        let _ = timeout(NAMES, all).await;
    }

    async fn await_change(&mut self) {
        tokio::select! {
            () = sleep(AGAIN) => {}
            found = names::next(self.names.as_mut()) => self.found = found,
            Ok(()) = self.interfaces.changed() => {}
        }
    }

    /// Where this daemon is reached, when the secret is there, too.
    async fn prepare(&mut self) -> Result<Place> {
        if self.secret.is_none() {
            let args = self.args.clone();
            // The file system may be one that hangs.
            let read = tokio::task::spawn_blocking(move || Secret::read(&args));
            let secret = read.await.context("cannot read the secret")?;
            self.secret = Some(secret.map_err(|error| self.with_remedy(&error))?);
        }
        let towards: Vec<_> = self.found.addresses().collect();
        Place::find(&self.args, &towards)
    }

    /// Adds how to create the secret, if that is what is missing.
    fn with_remedy(&self, error: &Error) -> Error {
        let is_missing = |path: &PathBuf| !path.exists();
        if !self.args.gossip_key_file.as_ref().is_some_and(is_missing) {
            return anyhow!("{error:#}");
        }
        let command = create_secret(&self.namespace);
        anyhow!(
            "{error:#}; create it (a pod sees it a minute later, or when it is restarted): {command}"
        )
    }

    /// Starts the thread.
    fn launch(self, place: Place) -> Result<Gossip> {
        let secret = self.secret.context("there is no secret")?;
        let settings = Settings {
            address: place.address,
            generation: SystemTime::UNIX_EPOCH
                .elapsed()
                .map_or(1, |age| age.as_secs()),
            profile: self
                .args
                .heartbeat_interval
                .map_or_else(Profile::standard, Profile::fast),
            alone_after: ALONE_AFTER,
            cluster: self.args.gossip_cluster.clone(),
        };
        let late = io::late(settings.profile);
        let keys = secret.keys;
        let membership = Membership::new(settings, keys, rand::make_rng(), Instant::now());
        let me = membership.id();
        let (commands, told) = Commands::new();
        let (sender, events) = mpsc::channel(EVENTS);
        let link = io::Link {
            membership,
            place,
            told,
            events: sender,
            names: self.names,
            has_pods: self.args.gossip_pods.is_some(),
            keys: keys::follow(secret.file)?,
            interfaces: self.interfaces,
            late,
            seeds: io::Seeds::new(self.found),
            watcher: Watcher::new(self.pulse),
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
}

/// The command that creates the Secret.
pub(crate) fn create_secret(namespace: &str) -> String {
    let (name, key) = SECRET;
    format!(
        "kubectl create secret generic {name} -n {namespace} \
         --from-literal={key}=\"$(openssl rand -base64 32)\""
    )
}

/// The addresses of this host, as far as they are known.
fn addresses(known: &Known) -> Vec<IpAddr> {
    let interfaces = known.interfaces.iter().flat_map(|all| all.iter());
    let addresses = interfaces.flat_map(|one| &one.addresses);
    addresses.map(ipnet::IpNet::addr).collect()
}

/// The addresses that a socket reaches, of each name those of one family.
fn reached(found: &Found, socket: &socket::Socket, me: SocketAddr) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for addresses in &found.by_name {
        let reached = || addresses.iter().filter(|one| socket.reaches(one.ip()));
        let of_family = |one: &&SocketAddr| one.is_ipv4() == me.is_ipv4();
        if reached().any(|one| of_family(&one)) {
            all.extend(reached().filter(of_family));
        } else {
            all.extend(reached());
        }
    }
    all.sort();
    all.dedup();
    all
}
