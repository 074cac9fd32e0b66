//! What `carillon status` shows: the model, as it goes over the socket and out with `--json`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use carillon_core::backend::{NeighborStatus, Route};
use carillon_gossip::{DroppedStatus, StuckStatus};
use carillon_objects::source::Turn;
use serde::{Deserialize, Serialize};

use crate::cli::StatusArgs;
use crate::socket;

mod text;

/// For how long datagrams that were dropped are a problem.
const RECENT: Duration = Duration::from_secs(60);
/// How many hosts that send such are shown as problems.
const MAX_SENDERS: usize = 8;

/// Everything that a daemon knows.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Status {
    /// The daemon's version.
    pub(crate) version: String,
    /// The name of its node.
    pub(crate) node: String,
    /// How long it has been running.
    pub(crate) uptime_seconds: f64,
    /// What somebody should mend.
    pub(crate) problems: Problems,
    /// The configuration.
    pub(crate) configuration: Configuration,
    /// The controller role, where daemons take turns in it.
    #[serde(default)]
    pub(crate) controller: Option<Controller>,
    /// The pools of the configuration in force, by name.
    pub(crate) pools: Vec<Pool>,
    /// The services of type LoadBalancer, by name.
    pub(crate) services: Vec<Service>,
    /// Those to whom something is announced.
    pub(crate) neighbors: Vec<Neighbor>,
    /// This node is drained.
    #[serde(default)]
    pub(crate) drained: bool,
    /// The nodes that agree on who announces what one node announces at a time, by name.
    #[serde(default)]
    pub(crate) nodes: Vec<Node>,
    /// The addresses that one node announces at a time.
    #[serde(default)]
    pub(crate) owned: Vec<Owned>,
    /// What was not accepted of what came as if from daemons of other nodes, the last first.
    #[serde(default)]
    pub(crate) dropped: Vec<Dropped>,
    /// What was not sent to the daemons of other nodes.
    #[serde(default)]
    pub(crate) unsent: Option<Unsent>,
}

impl Status {
    /// The addresses with one owner that this node has.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Owned> {
        self.owned.iter().filter(|owned| owned.here)
    }

    /// Adds what the daemons of other nodes have said last, and problems with them.
    pub(crate) fn hear(&mut self, gossip: &carillon_gossip::Status) {
        for member in &gossip.members {
            let address = member.id.to_string();
            let mut nodes = self.nodes.iter_mut();
            if let Some(node) = nodes.find(|node| node.address == address) {
                node.heard_seconds_ago = member.heard.map(|heard| heard.as_secs_f64());
            }
        }
        let silent = gossip.silent_seeds.iter().map(|seed| {
            format!(
                "no daemon answers at {seed}: is one running there, with the same secret, and is \
                 UDP port {} open on the way and back?",
                seed.port()
            )
        });
        self.problems.other.extend(silent);
        let is_problem =
            |dropped: &&DroppedStatus| dropped.ago < RECENT && dropped.why.is_noteworthy();
        let dropped = gossip.dropped_of.iter();
        let problems = dropped.filter(is_problem).take(MAX_SENDERS).map(|dropped| {
            let (from, why) = (dropped.from, dropped.why);
            carillon_gossip::Note::Dropped { from, why }.to_string()
        });
        self.problems.other.extend(problems);
        self.dropped = gossip.dropped_of.iter().map(Dropped::new).collect();
        self.unsent = gossip.stuck.as_ref().map(Unsent::new);
        let is_recent = |stuck: &StuckStatus| stuck.ago < RECENT;
        let stuck = gossip.stuck.filter(is_recent).map(|_| {
            "what is sent to the daemons of other nodes does not leave this host: is the transmit \
             queue of an interface stuck, or a neighbor not found?"
        });
        self.problems.other.extend(stuck.map(str::to_owned));
    }
}

/// A node whose daemon is or was there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// Where its daemon is reached.
    pub(crate) address: String,
    /// It is this one.
    pub(crate) here: bool,
    /// How long ago it was heard; absent for this one.
    pub(crate) heard_seconds_ago: Option<f64>,
    /// How many addresses with one owner it has.
    pub(crate) addresses: usize,
    /// Why it can have none.
    pub(crate) why_none: Option<String>,
}

/// An address that one node announces at a time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Owned {
    /// The address.
    pub(crate) address: IpAddr,
    /// The name of the node that has it.
    pub(crate) owner: Option<String>,
    /// That is this node.
    pub(crate) here: bool,
    /// The term of the owner's claim: how often it has changed hands.
    pub(crate) term: u64,
    /// For how long it has been there, as seen from here.
    pub(crate) since_seconds: Option<f64>,
    /// Why it is there.
    pub(crate) why: Option<String>,
    /// What is not as it should be.
    pub(crate) trouble: Option<String>,
    /// Another node could have it.
    pub(crate) has_alternative: bool,
}

/// Datagrams of one host that were not accepted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Dropped {
    /// The host.
    pub(crate) from: IpAddr,
    /// Why.
    pub(crate) why: String,
    /// How many.
    pub(crate) count: u64,
    /// How long ago the last one came.
    pub(crate) seconds_ago: f64,
}

impl Dropped {
    fn new(dropped: &DroppedStatus) -> Self {
        Self {
            from: dropped.from.ip(),
            why: dropped.why.to_string(),
            count: dropped.count,
            seconds_ago: dropped.ago.as_secs_f64(),
        }
    }
}

/// Datagrams to the daemons of other nodes that did not leave this host and were given up.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Unsent {
    /// How often that happened.
    pub(crate) count: u64,
    /// How long ago the last time was.
    pub(crate) seconds_ago: f64,
}

impl Unsent {
    fn new(stuck: &StuckStatus) -> Self {
        Self {
            count: stuck.count,
            seconds_ago: stuck.ago.as_secs_f64(),
        }
    }
}

/// What somebody should mend, in whole sentences.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Problems {
    /// Why the newest configuration is not in force.
    pub(crate) configuration: Vec<String>,
    /// What in the files or the cluster cannot be read or is not understood.
    pub(crate) files: Vec<String>,
    /// All else.
    pub(crate) other: Vec<String>,
}

impl Problems {
    fn iter(&self) -> impl Iterator<Item = &String> {
        self.configuration
            .iter()
            .chain(&self.files)
            .chain(&self.other)
    }
}

/// The state of the configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Configuration {
    /// The ConfigMap.
    pub(crate) object: String,
    /// The file in which its newest version is; in a cluster the ConfigMap itself.
    pub(crate) file: Option<String>,
    /// How long ago the version in force was accepted; absent while none is in force.
    pub(crate) accepted_seconds_ago: Option<f64>,
    /// The version in force is the newest one.
    pub(crate) up_to_date: bool,
}

/// The controller role: the one daemon of a cluster that gives addresses.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Controller {
    /// Who holds the Lease, if anybody.
    pub(crate) holder: Option<String>,
    /// It is this daemon's turn.
    pub(crate) leads: bool,
    /// How many services wait for their status to be written by this daemon.
    pub(crate) unwritten: usize,
}

impl Controller {
    /// The same for users.
    pub(crate) fn new(turn: Turn) -> Self {
        let Turn {
            holder,
            leads,
            unwritten,
        } = turn;
        Self {
            holder,
            leads,
            unwritten,
        }
    }
}

/// A pool and how full it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Pool {
    /// Its name.
    pub(crate) name: String,
    /// The protocol that announces it.
    pub(crate) protocol: String,
    /// Its blocks.
    pub(crate) addresses: Vec<String>,
    /// Whether services that do not ask for it get addresses from it.
    pub(crate) auto_assign: bool,
    /// Its IPv4 addresses.
    pub(crate) ipv4: Usage,
    /// Its IPv6 addresses.
    pub(crate) ipv6: Usage,
}

/// Addresses by use.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// In use.
    pub(crate) assigned: u128,
    /// Still to be had.
    pub(crate) available: u128,
}

/// A service, and whether this node announces it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Service {
    /// Namespace and name.
    pub(crate) name: String,
    /// Its addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// The pool they are from.
    pub(crate) pool: Option<String>,
    /// Whether this node announces them.
    pub(crate) announced: bool,
    /// The short token of why not, as in logs.
    pub(crate) reason: Option<String>,
    /// Why it is not announced, or lacks an address.
    pub(crate) why: Option<String>,
    /// Where an address has more than one way, each with what becomes of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ways: Vec<Way>,
    /// Who is known to have what this node announces of it.
    #[serde(default)]
    pub(crate) announced_to: Vec<Reached>,
}

/// One backend by which an address of a service may be announced.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Way {
    /// The address.
    pub(crate) address: IpAddr,
    /// The backend.
    pub(crate) backend: String,
    /// Whether this node announces it in this way.
    pub(crate) announced: bool,
    /// The short token of why not, as in logs.
    pub(crate) reason: Option<String>,
    /// Why not.
    pub(crate) why: Option<String>,
}

impl Way {
    /// Why it is not announced in this way, for people.
    pub(crate) fn why_not(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("{} not by {}: {why}", self.address, self.backend))
    }
}

/// An address that is announced to a neighbour.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Reached {
    /// The address.
    pub(crate) address: IpAddr,
    /// The backend.
    pub(crate) backend: String,
    /// The name of the [`Neighbor`].
    pub(crate) neighbor: String,
}

/// One to whom a backend announces.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Neighbor {
    /// The backend.
    pub(crate) backend: String,
    /// Its address.
    pub(crate) name: String,
    /// The protocol's own name of the state.
    pub(crate) state: String,
    /// How long it has been in that state.
    pub(crate) since_seconds: f64,
    /// Facts by label.
    pub(crate) facts: Vec<(String, String)>,
    /// What went wrong last.
    pub(crate) last_error: Option<String>,
    /// Whether it has been told everything that is to be announced.
    pub(crate) in_sync: bool,
    /// How many prefixes are announced to it.
    pub(crate) sent_prefixes: usize,
    /// The prefixes.
    pub(crate) announced: Vec<Announced>,
}

/// One announced prefix.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Announced {
    /// The prefix.
    pub(crate) prefix: String,
    /// Its attributes in the protocol's words.
    pub(crate) attributes: String,
}

impl Neighbor {
    /// A neighbour of this backend.
    pub(crate) fn new(backend: &str, status: NeighborStatus) -> Self {
        let announced = |route: Route| Announced {
            prefix: route.prefix.to_string(),
            attributes: route.attributes.to_string(),
        };
        let facts = status.facts.into_iter();
        let facts = facts.map(|fact| (fact.label.to_owned(), fact.value.to_string()));
        Self {
            backend: backend.to_owned(),
            name: status.name,
            state: status.state,
            since_seconds: status.since.as_secs_f64(),
            facts: facts.collect(),
            last_error: status.last_error,
            in_sync: status.in_sync,
            sent_prefixes: status.prefixes,
            announced: status.announced.into_iter().map(announced).collect(),
        }
    }
}

/// `carillon status`.
///
/// # Errors
/// No daemon answers, or the standard output is closed.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode> {
    let json = socket::fetch(&args.socket.path)?;
    let mut out = io::stdout().lock();
    if args.json {
        out.write_all(&json)?;
    } else {
        let status: Status = serde_json::from_slice(&json)?;
        write!(out, "{}", text::render(&status, args.all))?;
    }
    Ok(ExitCode::SUCCESS)
}
