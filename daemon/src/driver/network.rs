//! What the driver knows of this node's place in the network: its interfaces, the daemons of other
//! nodes, and whether it is drained.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::address::Family;
use carillon_core::backend::{BoxFuture, Ownership};
use carillon_core::interface::Interfaces;
use carillon_core::mark::Mark;
use carillon_core::node::DrainRule;
use carillon_core::{ownership, speaker};
use carillon_gossip::record::Impediment;
use carillon_gossip::{Event, MemberId, Status};
use carillon_host::exclusion::Excluded;
use carillon_host::interfaces;
use carillon_host::neighbours::{Neighbours, Wanted};
use carillon_objects::ObjectKey;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::guard::Guard;
use super::{Driver, Parts};
use crate::gossip::{Command, Commands, Gossip};
use crate::socket::Answer;

/// See the module's documentation.
pub(super) struct Network {
    interfaces: interfaces::Known,
    excluded: Excluded,
    /// Those that are usable, as the backends know them.
    usable: Arc<Interfaces>,
    /// The interfaces on which each backend can announce, by its family, once it has said so.
    able: BTreeMap<Family, Arc<BTreeSet<u32>>>,
    /// Those of which this node can have no VIP, as was decided on last.
    unable: BTreeSet<Family>,
    /// What is left to MetalLB.
    pub(super) guard: Guard,
    /// Somebody has ordered so.
    is_drained: bool,
    drain_on: Vec<DrainRule>,
    /// This node is being drained, by order or by its Node.
    is_draining: bool,
    /// Where the daemons of a cluster are, by their Pods.
    pods: BTreeMap<ObjectKey, IpAddr>,
    /// That has not been told yet.
    has_new_pods: bool,
    /// Why the daemons of other nodes cannot be talked to.
    trouble: Option<String>,
    /// Where other hosts of the subnets are wanted.
    wants_neighbours: watch::Sender<Wanted>,
    /// To the daemons of other nodes, if there are any.
    pub(super) gossip: Option<Commands>,
    /// When to tell them what there was no room for.
    pub(super) again: Option<Instant>,
    /// That has been logged.
    is_told: bool,
}

impl Network {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            interfaces: interfaces::Known::default(),
            excluded: Excluded::default(),
            usable: Arc::default(),
            able: BTreeMap::new(),
            unable: BTreeSet::new(),
            is_drained: parts.is_drained,
            drain_on: parts.drain_on.clone(),
            guard: Guard::new(&parts.node, parts.speaker.class.clone()),
            is_draining: false,
            pods: BTreeMap::new(),
            has_new_pods: false,
            trouble: None,
            wants_neighbours: watch::Sender::new(Wanted::new()),
            gossip: None,
            again: None,
            is_told: false,
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Takes in whether other hosts of this node's subnets are wanted.
    pub(super) fn want_neighbours(&self, are_wanted: bool) {
        let usable = self.usable.iter().map(|one| one.index);
        let interfaces = usable.filter(|_| are_wanted).collect();
        self.wants_neighbours.send_replace(interfaces);
    }
}

impl Driver {
    /// What somebody should mend about this node's place in the network.
    pub(super) fn network_problems(&self) -> impl Iterator<Item = &str> {
        let interfaces = self.network.interfaces.problem.as_deref();
        let excluded = self.network.excluded.problem.as_deref();
        [interfaces, excluded, self.isolation()]
            .into_iter()
            .flatten()
    }

    /// Why other daemons cannot be talked to, if there is a pool for which that matters.
    fn isolation(&self) -> Option<&str> {
        let trouble = self.network.trouble.as_deref();
        trouble.filter(|_| self.speaker.has_exclusive_pools())
    }

    /// Logs that once.
    pub(super) fn tell_isolation(&mut self) {
        let isolation = self.isolation();
        let is_told = isolation.is_some();
        if let Some(isolation) = isolation.filter(|_| !self.network.is_told) {
            warn!("{isolation}");
        }
        self.network.is_told = is_told;
    }

    /// Takes in the interfaces of this node.
    pub(crate) fn set_interfaces(&mut self, known: interfaces::Known, now: Instant) {
        let before = self.network.interfaces.problem.as_deref();
        warn_of_new(before, known.problem.as_deref());
        self.network.interfaces = known;
        self.use_interfaces(now);
    }

    /// Whether it is to be told [`Self::set_neighbours`].
    pub(crate) fn wants_neighbours(&self) -> watch::Receiver<Wanted> {
        self.network.wants_neighbours.subscribe()
    }

    /// Takes in other hosts of this node's subnets.
    pub(crate) fn set_neighbours(&mut self, neighbours: &Neighbours, now: Instant) {
        let neighbours = ownership::Input::Neighbours(neighbours.to_vec());
        self.election.handle(neighbours, now);
    }

    /// Takes in which of them are not to be used.
    pub(crate) fn set_excluded(&mut self, excluded: Excluded, now: Instant) {
        let before = self.network.excluded.problem.as_deref();
        warn_of_new(before, excluded.problem.as_deref());
        self.network.excluded = excluded;
        self.use_interfaces(now);
    }

    fn use_interfaces(&mut self, now: Instant) {
        let network = &self.network;
        let Some(all) = &network.interfaces.interfaces else {
            return;
        };
        let usable = Interfaces::usable(all, &network.excluded.exclusion);
        self.network.usable = Arc::new(usable.on(network.interfaces.segments.clone()));
        let usable = speaker::Input::Interfaces(self.network.usable.clone());
        self.speaker.handle(usable);
        self.review_interfaces(now);
    }

    /// Lets a node own only what it can announce where that belongs.
    fn review_interfaces(&mut self, now: Instant) {
        let mut open = Interfaces::clone(&self.network.usable);
        for (family, able) in &self.network.able {
            open = open.with_open(*family, able);
        }
        let open = ownership::Input::Interfaces(Arc::new(open));
        self.election.handle(open, now);
    }

    /// Takes in on which interfaces a backend can announce.
    pub(super) fn set_able(
        &mut self,
        backend: &'static str,
        able: &Arc<BTreeSet<u32>>,
        now: Instant,
    ) {
        let caps = self.backends.iter().map(|backend| backend.caps());
        for caps in caps.filter(|caps| caps.name == backend) {
            if let Ownership::Exclusive(family) = caps.ownership {
                self.network.able.insert(family, able.clone());
            }
        }
        self.review_interfaces(now);
    }

    /// Lets a node own no VIP that it cannot have the address of. Whoever assigns addresses goes on
    /// trying.
    pub(super) fn review_abilities(&mut self, now: Instant) {
        let unable = self.unassignable(now);
        if unable != self.network.unable {
            self.network.unable.clone_from(&unable);
            self.election.handle(ownership::Input::Unable(unable), now);
        }
    }

    /// Takes in that the daemons of other nodes can be talked to from here on, or why they cannot.
    /// Returns where they are heard.
    pub(crate) fn joined(
        &mut self,
        gossip: anyhow::Result<Gossip>,
        now: Instant,
    ) -> Option<mpsc::Receiver<Event>> {
        match gossip {
            Ok(gossip) => {
                self.network.trouble = None;
                info!(address = %gossip.me, "talking to the daemons of other nodes");
                self.mark(gossip.me);
                self.network.gossip = Some(gossip.commands);
                self.election.joined(gossip.me, now);
                self.carry_out();
                Some(gossip.events)
            }
            Err(error) => {
                let trouble = format!(
                    "no address of a layer 2 pool is announced from here, since this node cannot \
                     agree with others: {error:#}"
                );
                let network = &mut self.network;
                network.is_told &= network.trouble.as_ref() == Some(&trouble);
                network.trouble = Some(trouble);
                None
            }
        }
    }

    /// Takes in where the daemon in a Pod is reached. They are called until they answer; who is known
    /// stays known, whatever becomes of its Pod or of the API server.
    pub(super) fn set_pod(&mut self, key: &ObjectKey, address: Option<IpAddr>) {
        let pods = &mut self.network.pods;
        let before = match address {
            Some(address) => pods.insert(key.clone(), address),
            None => pods.remove(key),
        };
        self.network.has_new_pods |= before != address;
    }

    /// Takes in that a Pod is gone.
    pub(super) fn forget_pod(&mut self, key: &ObjectKey) {
        self.set_pod(key, None);
        self.network.guard.set(key, None);
    }

    /// Takes in that the Pods are known, be there any or not.
    pub(super) fn pods_synced(&mut self) {
        self.network.has_new_pods = true;
    }

    /// Tells where the daemons of a cluster are, if that is news.
    pub(super) fn tell_peers(&mut self) {
        if self.network.has_new_pods
            && let Some(gossip) = &mut self.network.gossip
        {
            self.network.has_new_pods = false;
            let peers = self.network.pods.values().copied().collect();
            gossip.tell(Command::Peers(peers));
        }
    }

    /// Others know this run by its generation.
    fn mark(&mut self, me: MemberId) {
        let mark = Mark::of(&self.speaker.node().name, me.generation);
        self.speaker.handle(speaker::Input::Mark(mark));
    }

    /// Takes in what is heard of them.
    pub(crate) fn heard(&mut self, event: Event, now: Instant) {
        if let Event::Renamed(me) = event {
            self.mark(me);
        }
        match event {
            Event::Note(note @ carillon_gossip::Note::SeedAnswers(_)) => info!("{note}"),
            Event::Note(note) => warn!("{note}"),
            event => self.election.heard(event, now),
        }
    }

    /// How it stands with them; the answer comes later.
    pub(super) fn ask_gossip(&self) -> Option<oneshot::Receiver<Status>> {
        let (sender, receiver) = oneshot::channel();
        let gossip = self.network.gossip.as_ref()?;
        gossip.ask(Command::Status(sender));
        Some(receiver)
    }

    /// Whether the thread that talks to them is alive; the answer comes later.
    pub(super) fn gossip_pulse(&self) -> Option<BoxFuture<Result<(), String>>> {
        let (sender, receiver) = oneshot::channel();
        let gossip = self.network.gossip.as_ref()?;
        gossip.ask(Command::Pulse(sender));
        let died = |_| "the gossip thread has died".to_owned();
        Some(Box::pin(async move { receiver.await.map_err(died) }))
    }

    /// Takes in what this node's Node says about announcing.
    pub(super) fn review_node(&mut self, now: Instant) {
        let node = self.speaker.node();
        let is_excluded = self.speaker.node_may_announce().is_err();
        let network = &mut self.network;
        let by_node = network.drain_on.iter().any(|rule| rule.matches(node));
        network.is_draining = network.is_drained || by_node;
        let is_draining = network.is_draining;
        self.speaker.handle(speaker::Input::Draining(is_draining));
        for (impediment, is_so) in [
            (Impediment::Excluded, is_excluded),
            (Impediment::Draining, is_draining),
        ] {
            let input = ownership::Input::Impediment(impediment, is_so);
            self.election.handle(input, now);
        }
    }

    /// Drains this node by order, or ends that.
    pub(super) fn drain(&mut self, is_drained: bool, now: Instant) -> Answer {
        self.network.is_drained = is_drained;
        self.review_node(now);
        let node = &self.speaker.node().name;
        match (is_drained, self.network.is_draining) {
            (true, _) => Ok(format!("{node} gives everything to other nodes")),
            (false, false) => Ok(format!("{node} may announce again")),
            (false, true) => Err(format!(
                "{node} stays drained: its Node has a label or taint of --drain-on"
            )),
        }
    }

    /// Begins to hand over everything, before the end.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.election.handle(ownership::Input::Leaving, now);
    }

    /// Says goodbye to the daemons of other nodes; resolves when that is on the wire.
    pub(crate) fn say_goodbye(&self) -> BoxFuture<()> {
        let (sender, said) = oneshot::channel();
        if let Some(gossip) = &self.network.gossip {
            gossip.ask(Command::Leave(sender));
        }
        Box::pin(async move {
            // A thread that is not there drops it.
            let _ = said.await;
        })
    }

    /// Whether everything that another node can take has been handed over.
    pub(crate) fn has_left(&self) -> bool {
        self.election.has_left()
    }
}

fn warn_of_new(before: Option<&str>, now: Option<&str>) {
    if let Some(problem) = now.filter(|_| now != before) {
        warn!("{problem}");
    }
}
