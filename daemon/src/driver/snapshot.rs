//! A picture of the present for `carillon status`.

use std::net::IpAddr;
use std::time::Duration;

use carillon_core::address::Family;
use carillon_core::allocator;
use carillon_core::backend::{BackendStatus, BoxFuture, Detail};
use carillon_core::config::Protocol;
use carillon_core::controller::ServiceStatus;
use carillon_core::ownership::{Explanation, Intrusion, NodeStatus};
use carillon_core::policy::Grant;
use carillon_core::service::ServiceKey;
use carillon_core::speaker::Verdict;

use tokio::sync::oneshot;

use super::Driver;
use super::assigner::Assigner;
use super::config::listed;
use crate::cli::VERSION;
use crate::status::{
    Configuration, Controller, Neighbor, Node, Owned, Pool, Problems, Service, Status, Usage, Way,
};

/// Why a daemon without a backend announces nothing.
const NO_SPEAKER: &str = "this daemon gives addresses and announces none (--role controller)";
/// How long a backend may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A status that still lacks what the backends have to say.
pub(crate) struct Snapshot {
    status: Status,
    backends: Vec<(&'static str, BoxFuture<BackendStatus>)>,
    /// What is known of the daemons of other nodes.
    gossip: Option<oneshot::Receiver<carillon_gossip::Status>>,
}

impl Snapshot {
    /// The whole status, when the backends have answered.
    pub(crate) async fn complete(mut self) -> Status {
        for (name, answer) in self.backends {
            let Ok(answer) = tokio::time::timeout(TIMEOUT, answer).await else {
                let problem = format!("the backend {name} does not answer");
                self.status.problems.other.push(problem);
                continue;
            };
            let neighbors = answer.neighbors.into_iter();
            let neighbors = neighbors.map(|neighbor| Neighbor::new(answer.backend, neighbor));
            self.status.neighbors.extend(neighbors);
        }
        if let Some(gossip) = self.gossip
            && let Ok(Ok(gossip)) = tokio::time::timeout(TIMEOUT, gossip).await
        {
            self.status.hear(&gossip);
        }
        self.status
    }
}

#[cfg(test)]
impl From<Status> for Snapshot {
    fn from(status: Status) -> Self {
        let backends = Vec::new();
        Self {
            status,
            backends,
            gossip: None,
        }
    }
}

impl Driver {
    /// What is known now.
    pub(crate) fn snapshot(&self, detail: Detail) -> Snapshot {
        let services = match detail {
            Detail::Routes => self.source.allocation().services(),
            // Who asks for these does so often, and looks at neighbours.
            Detail::Counters => Vec::new(),
        };
        let unready = (!self.synced).then(|| self.lacks().join("; "));
        let unready = unready.as_deref();
        let status = Status {
            version: VERSION.to_owned(),
            node: self.speaker.node().name.to_string(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            problems: self.problems(),
            configuration: self.configuration(),
            controller: self.source.allocation().turn().map(Controller::new),
            pools: self.pools(),
            services: services
                .into_iter()
                .map(|(key, status)| self.service(key, status, unready))
                .collect(),
            neighbors: Vec::new(),
            drained: self.network.is_draining(),
            nodes: self.nodes(),
            owned: self.owned(),
            dropped: Vec::new(),
            unsent: None,
        };
        let backends = self.backends.iter();
        let backends = backends.map(|backend| (backend.caps().name, backend.status(detail)));
        Snapshot {
            status,
            backends: backends.collect(),
            gossip: self.ask_gossip(),
        }
    }

    pub(super) fn problems(&self) -> Problems {
        let mut configuration = listed(&self.config.refused, |refusal| refusal.text.clone());
        configuration.extend(self.config.waiting.clone());
        configuration.extend(self.config.missing.clone());
        Problems {
            configuration,
            files: self
                .problems
                .unreachable
                .iter()
                .cloned()
                .chain(self.problems.objects.iter().map(ToString::to_string))
                .chain(self.problems.notes())
                .chain(listed(&self.config.notes, |note| format!("note: {note}")))
                .chain(self.problems.more())
                .collect(),
            other: self
                .source
                .allocation()
                .problem()
                .into_iter()
                .chain(self.network_problems())
                .map(str::to_owned)
                .chain(self.assigner.iter().flat_map(Assigner::problems))
                .chain(self.rivalry())
                .chain(self.namesakes())
                .chain(self.shared_station())
                .chain(self.probes.iter().filter_map(|told| told.borrow().clone()))
                .collect(),
        }
    }

    fn configuration(&self) -> Configuration {
        let age = self.config.accepted.map(|at| at.elapsed());
        Configuration {
            object: self.config.object(),
            file: self.config.file().map(str::to_owned),
            accepted_seconds_ago: age.map(|age| age.as_secs_f64()),
            up_to_date: self.config.is_up_to_date(),
        }
    }

    fn pools(&self) -> Vec<Pool> {
        let Some(config) = &self.config.in_force else {
            return Vec::new();
        };
        let protocols = config.protocols();
        let usage = self.source.allocation().controller().pools();
        let pools = usage.into_iter().filter_map(|usage| {
            let pool = config.pools.get(&usage.name)?;
            let protocols = protocols.get(&usage.name).map(Protocol::names);
            Some(Pool {
                name: usage.name.to_string(),
                protocol: protocols.unwrap_or_default(),
                addresses: pool.blocks.iter().map(ToString::to_string).collect(),
                auto_assign: pool.auto_assign,
                ipv4: count(&usage.ipv4),
                ipv6: count(&usage.ipv6),
            })
        });
        pools.collect()
    }

    /// A service; `unready` is why nothing is decided yet.
    fn service(&self, key: &ServiceKey, status: ServiceStatus, unready: Option<&str>) -> Service {
        let decision = self.speaker.explain(key);
        let reason = decision
            .as_ref()
            .and_then(|decision| decision.as_ref().err());
        let granted = decision
            .as_ref()
            .and_then(|decision| decision.as_ref().ok());
        let unserved = granted.and_then(|grant| unserved(&status.addresses, grant));
        let ways = self.ways(key);
        let unserved = unserved.or_else(|| ways.iter().find_map(Way::why_not));
        let why_not = match (&status.shortfall, reason) {
            _ if unready.is_some() => unready.map(str::to_owned),
            (Some(shortfall), _) if status.addresses.is_empty() => Some(shortfall.clone()),
            (_, Some(reason)) => Some(reason.to_string()),
            (None, None) if self.backends.is_empty() => Some(NO_SPEAKER.to_owned()),
            (shortfall, None) => unserved.or_else(|| shortfall.clone()),
        };
        let reached = status.addresses.iter();
        Service {
            name: key.to_string(),
            announced_to: reached.flat_map(|vip| self.reach.of(*vip)).collect(),
            addresses: status.addresses,
            pool: status.pool.map(|pool| pool.to_string()),
            announced: decision.as_ref().is_some_and(Result::is_ok),
            reason: reason.map(|reason| reason.token().to_owned()),
            why: why_not,
            ways,
        }
    }

    /// What becomes of the ways of a service, where an address has more than one.
    fn ways(&self, key: &ServiceKey) -> Vec<Way> {
        let verdicts = self.speaker.verdicts(key);
        let mut vips: Vec<_> = verdicts.iter().map(|verdict| verdict.vip).collect();
        vips.dedup();
        if vips.len() == verdicts.len() {
            return Vec::new();
        }
        let way = |verdict: Verdict<'_>| {
            let reason = verdict.outcome.err();
            Way {
                address: verdict.vip,
                backend: verdict.backend.to_owned(),
                announced: reason.is_none(),
                reason: reason.as_ref().map(|reason| reason.token().to_owned()),
                why: reason.as_ref().map(ToString::to_string),
            }
        };
        verdicts.into_iter().map(way).collect()
    }
}

impl Driver {
    /// The nodes that agree on owners, as far as the records tell.
    fn nodes(&self) -> Vec<Node> {
        if self.network.gossip.is_none() {
            return Vec::new();
        }
        let nodes = self.election.ownership().nodes().into_iter();
        let node = |node: NodeStatus| Node {
            name: node.node.to_string(),
            address: node.member.to_string(),
            here: node.is_me,
            heard_seconds_ago: None,
            addresses: node.vips,
            why_none: node.inability.as_ref().map(ToString::to_string),
        };
        nodes.map(node).collect()
    }

    /// Daemons that say to be of one node: what is for that node is for all of them.
    fn namesakes(&self) -> Option<String> {
        let mut nodes = self.election.ownership().nodes();
        nodes.retain(|node| node.inability.is_none());
        let alike = |pair: &&[NodeStatus]| matches!(pair, [one, other] if one.node == other.node);
        let pair = nodes.windows(2).find(alike)?;
        let [one, other] = pair else {
            return None;
        };
        Some(format!(
            "the daemons at {} and {} both have the node name {}: give one of them another with \
             --node-name",
            one.member, other.member, one.node
        ))
    }

    fn shared_station(&self) -> Option<String> {
        let (station, [one, other]) = self.election.ownership().shared_station()?;
        Some(format!(
            "the nodes {one} and {other} both have the Ethernet address {station} on one segment, and get \
             each other's packets: give one of them another (a copy of a virtual machine has that of the \
             first)"
        ))
    }

    /// The addresses that one node announces at a time, ascending.
    fn owned(&self) -> Vec<Owned> {
        let ownership = self.election.ownership();
        let vips = ownership.vips();
        let explained = vips.filter_map(|vip| ownership.explain(vip));
        explained.map(|vip| self.owned_vip(&vip)).collect()
    }

    fn owned_vip(&self, explanation: &Explanation) -> Owned {
        let owner = explanation.owner.as_ref();
        Owned {
            address: explanation.vip,
            owner: owner.map(|owner| owner.node.to_string()),
            here: owner.is_some_and(|owner| owner.is_me),
            term: owner.map_or(0, |owner| owner.term),
            since_seconds: owner.map(|owner| owner.since.elapsed().as_secs_f64()),
            why: owner.map(|owner| owner.why.to_string()),
            trouble: self.trouble(explanation),
            has_alternative: explanation.has_alternative,
        }
    }

    /// What is not as it should be with an address.
    fn trouble(&self, explanation: &Explanation) -> Option<String> {
        if let Some(conflict) = &explanation.conflict {
            let station = conflict.station;
            return Some(match &conflict.node {
                _ if conflict.kind == Intrusion::Unanswering => format!(
                    "somebody says in the name of the daemon at {station} to have it as well, but does not \
                     answer: either that node does not hear this one, or the frames are forged"
                ),
                None if conflict.kind == Intrusion::Yielding => format!(
                    "another daemon, at {station}, announces it and cannot be talked to: has it the same \
                     secret, and is the UDP port of the gossip open on the way and back?"
                ),
                Some(node) => format!("{node} ({station}) announces it as well"),
                None => format!("{station}, which is no node of these, announces it as well"),
            });
        }
        if let Some(host) = &explanation.host {
            return Some(format!(
                "it is {host}'s own address, and announced by no other node: take it out of the pool"
            ));
        }
        if explanation.owner.is_none() {
            let nodes = self.election.ownership().verdicts(explanation.vip);
            let reasons = nodes.into_iter().filter_map(|(node, able)| {
                let reason = able.err()?;
                Some(format!("{node}: {reason}"))
            });
            let reasons: Vec<_> = reasons.collect();
            return Some(reasons.join("; "));
        }
        let off = "no node is on a subnet with it: it is announced on all interfaces, and reached only \
                   over a route to it";
        explanation.is_off_segment.then(|| off.to_owned())
    }
}

/// What is not announced of a service that is.
fn unserved(addresses: &[IpAddr], grant: &Grant) -> Option<String> {
    let mut addresses = addresses.iter();
    let address = addresses.find(|address| grant.ways(**address).is_empty())?;
    let family = Family::of(*address);
    Some(format!(
        "{address} is not announced: no endpoint of the family {family} is ready"
    ))
}

fn count(usage: &allocator::Usage) -> Usage {
    Usage {
        assigned: usage.assigned,
        available: usage.total.saturating_sub(usage.assigned),
    }
}
