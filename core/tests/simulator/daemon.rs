//! A run of the daemon of a node: the shipped speaker, election, gate and announcer, with the little
//! that the driver does between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::backend::BackendEvent;
use carillon_core::interface::Interfaces;
use carillon_core::mark::Mark;
use carillon_core::node::Node as Facts;
use carillon_core::node::election::{Effect, Election};
use carillon_core::node::gate::Gate;
use carillon_core::node::local_traffic::LocalTraffic;
use carillon_core::ownership::{Input, Scope, Settings};
use carillon_core::speaker::{self, Speaker};
use carillon_core::testing::{exclusive, shared};
use carillon_gossip::record::Impediment;
use carillon_gossip::{Event, MemberId};
use carillon_layer2::Message;

use crate::layer2::{Layer2, Sent};
use crate::objects;

/// What comes to a daemon.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// For its election.
    Input(Input),
    /// What it reads of the Service that has this VIP, on these nodes; without a scope it is gone.
    Service(IpAddr, Option<Scope>),
    /// The interfaces of its node.
    Interfaces(Arc<Interfaces>),
    Draining(bool),
    /// What membership tells.
    Event(Event),
    /// What the layer 2 task tells.
    Backend(BackendEvent),
}

/// What is announced by BGP, too: by every node that may, whoever has it on the segment.
#[derive(Debug, Default)]
struct Routes {
    is_synced: bool,
    is_draining: bool,
    wanted: BTreeMap<IpAddr, Option<Scope>>,
    announced: BTreeSet<IpAddr>,
}

impl Routes {
    fn check(&self, node: &str) {
        let may = |scope: &Option<Scope>| scope.as_ref().is_some_and(|one| one.contains(node));
        let wanted = self.wanted.iter().filter(|(_, scope)| may(scope));
        let mut wanted: BTreeSet<_> = wanted.map(|(vip, _)| *vip).collect();
        if !self.is_synced || self.is_draining {
            wanted.clear();
        }
        assert_eq!(self.announced, wanted, "routes of {node}");
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Daemon {
    node: Arc<str>,
    speaker: Speaker,
    election: Election,
    traffic: LocalTraffic,
    pub(crate) layer2: Layer2,
    routes: Routes,
    /// It puts VIPs on an interface.
    gate: Option<Gate>,
    /// How long the kernel takes for one.
    assigns: Duration,
    /// When the kernel has each address that it is to have, and those that it has.
    addresses: BTreeMap<IpAddr, Instant>,
    usable: Arc<BTreeSet<IpAddr>>,
    pub(crate) is_leaving: bool,
    stalled_until: Option<Instant>,
    inbox: VecDeque<Arrival>,
    /// The terms of its claims.
    pub(crate) claims: BTreeMap<IpAddr, u64>,
}

impl Daemon {
    /// One that has just started, and knows how it is called.
    pub(crate) fn new(
        node: &Arc<str>,
        me: MemberId,
        (assigns, refresh): (Option<Duration>, Duration),
        now: Instant,
    ) -> Self {
        let backends = [exclusive("arp", Family::V4), shared("bgp")];
        let settings = Settings {
            node: node.clone(),
            ipv4: true,
            ipv6: false,
            rebalance: None,
        };
        let mut daemon = Self {
            node: node.clone(),
            speaker: Speaker::new(Facts::named(node), speaker::Settings::default(), &backends),
            election: Election::new(settings, &["arp"], now),
            traffic: LocalTraffic::default(),
            layer2: Layer2::new(refresh),
            routes: Routes::default(),
            gate: assigns.map(|_| Gate::default()),
            assigns: assigns.unwrap_or_default(),
            addresses: BTreeMap::new(),
            usable: Arc::default(),
            is_leaving: false,
            stalled_until: None,
            inbox: VecDeque::new(),
            claims: BTreeMap::new(),
        };
        // With BGP every node is to have all addresses on its interface, and no wait for them is seen.
        let by_bgp = daemon.gate.is_none();
        daemon.speaker.handle(objects::config(by_bgp));
        daemon.mark(me);
        daemon.election.joined(me, now);
        daemon
    }

    /// Others know this run by its generation.
    fn mark(&mut self, me: MemberId) {
        let mark = Mark::of(&self.node, me.generation);
        self.speaker.handle(speaker::Input::Mark(mark));
    }

    /// Nothing is done until then by its driver, or by any of it.
    pub(crate) fn stall(&mut self, now: Instant, until: Instant, driver_only: bool) {
        self.stalled_until = self.stalled_until.max(Some(until));
        if driver_only {
            self.layer2.abandon(now, until);
        } else {
            self.layer2.stall(until);
        }
    }

    /// Takes in what comes, at once or when it does not stand still any more.
    pub(crate) fn receive(&mut self, arrival: Arrival, now: Instant) {
        self.inbox.push_back(arrival);
        self.work(now);
    }

    pub(crate) fn hear(&mut self, interface: u32, message: Arc<Message>, now: Instant) {
        self.layer2.hear(interface, message);
        self.work(now);
    }

    /// Whether its election takes this node for one that can have the VIP.
    pub(crate) fn is_able(&self, vip: IpAddr) -> bool {
        let nodes = self.election.ownership().verdicts(vip);
        let mut nodes = nodes.into_iter();
        nodes.any(|(node, verdict)| node == self.node && verdict.is_ok())
    }

    /// Who has the VIP, as far as it knows.
    pub(crate) fn owner(&self, vip: IpAddr) -> Option<Arc<str>> {
        let explanation = self.election.ownership().explain(vip)?;
        Some(explanation.owner?.node)
    }

    pub(crate) fn move_vip(&mut self, vip: IpAddr, to: &str, now: Instant) {
        let _refused = self.election.move_vip(vip, to, now);
        self.settle(now);
        self.work(now);
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.election.poll_effect()
    }

    pub(crate) fn take_frames(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.layer2.frames)
    }

    pub(crate) fn has_left(&self) -> bool {
        self.election.has_left()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let driver = self.stalled_until.or_else(|| self.due());
        [driver, self.layer2.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn due(&self) -> Option<Instant> {
        let wanted = self.addresses.iter();
        let awaited = wanted.filter(|(vip, _)| !self.usable.contains(*vip));
        let assigned = awaited.map(|(_, at)| *at).min();
        let traffic = self.traffic.poll_timeout();
        let times = [self.election.poll_timeout(), traffic, assigned];
        times.into_iter().flatten().min()
    }

    /// Does what is due and passes on what follows from it.
    pub(crate) fn work(&mut self, now: Instant) {
        loop {
            self.layer2.work(now);
            let events = std::mem::take(&mut self.layer2.events);
            self.inbox.extend(events.into_iter().map(Arrival::Backend));
            if self.stalled_until.is_some_and(|until| now < until) {
                return;
            }
            self.stalled_until = None;
            let is_due = self.due().is_some_and(|due| due <= now);
            if self.inbox.is_empty() && !is_due {
                return;
            }
            while let Some(arrival) = self.inbox.pop_front() {
                self.take_in(arrival, now);
            }
            self.settle(now);
        }
    }

    fn take_in(&mut self, arrival: Arrival, now: Instant) {
        match arrival {
            Arrival::Input(input) => {
                self.is_leaving |= matches!(input, Input::Leaving);
                if matches!(input, Input::Synced) {
                    self.speaker.handle(speaker::Input::Synced);
                    self.routes.is_synced = true;
                }
                self.election.handle(input, now);
            }
            Arrival::Service(vip, scope) => {
                for input in objects::service(vip, scope.as_ref()) {
                    self.speaker.handle(input);
                }
                self.routes.wanted.insert(vip, scope);
            }
            Arrival::Interfaces(interfaces) => {
                let known = speaker::Input::Interfaces(interfaces.clone());
                self.speaker.handle(known);
                self.election.handle(Input::Interfaces(interfaces), now);
            }
            Arrival::Draining(is_draining) => {
                let known = speaker::Input::Draining(is_draining);
                self.speaker.handle(known);
                self.routes.is_draining = is_draining;
                self.election
                    .handle(Input::Impediment(Impediment::Draining, is_draining), now);
            }
            Arrival::Event(event) => {
                if let Event::Renamed(me) = event {
                    self.mark(me);
                }
                self.election.heard(event, now);
            }
            Arrival::Backend(event) => self.election.told("arp", &event, now),
        }
    }

    fn settle(&mut self, now: Instant) {
        if let Some(gate) = &mut self.gate {
            let usable = self.addresses.iter().filter(|(_, at)| **at <= now);
            self.usable = Arc::new(usable.map(|(vip, _)| *vip).collect());
            gate.set_usable(self.usable.clone());
        }
        self.traffic.expire(&mut self.speaker, now);
        let sets = self
            .election
            .settle(&mut self.speaker, self.gate.as_mut(), now);
        for (backend, set) in sets {
            match backend {
                "bgp" => self.routes.announced = set.by_vip.keys().copied().collect(),
                _ => self.layer2.set(set, now),
            }
        }
        self.traffic.take_in(&mut self.speaker, now);
        self.assign(now);
        if self.gate.is_none() {
            self.routes.check(&self.node);
        }
    }

    /// The kernel takes one address after the other.
    fn assign(&mut self, now: Instant) {
        let Some(gate) = &mut self.gate else {
            return;
        };
        let wanted = gate.addresses(now);
        self.addresses.retain(|vip, _| wanted.contains(vip));
        for vip in wanted.iter().copied() {
            let busy = self.addresses.values().max().copied();
            let at = busy.map_or(now, |busy| busy.max(now)) + self.assigns;
            self.addresses.entry(vip).or_insert(at);
        }
    }
}
