//! What this daemon does, as it is told to those who read it where the objects are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_core::backend::Caps;
use carillon_core::config::{Config, peer};
use carillon_core::node::Node;
use carillon_core::ownership::Ineligible;
use carillon_core::policy::WithdrawReason;
use carillon_core::service::ServiceKey;
use carillon_core::speaker::Verdict as Way;
use carillon_objects::source::{Announced, Verdict};
use carillon_objects::{Kind, Purpose};
use tracing::{debug, info};

use super::Driver;

/// The backend whose neighbours are BGP peers.
const BGP: &str = "bgp";
/// How many Services are looked at in one step.
const AT_ONCE: usize = 2048;

/// What has changed since it was told last.
#[derive(Default)]
pub(super) struct Reporter {
    /// The VIPs that other neighbours have than before.
    vips: BTreeSet<IpAddr>,
    /// The Services of which something else may have to be told.
    services: BTreeSet<ServiceKey>,
    /// What is made of the configuration may have changed.
    is_unjudged: bool,
    /// The names of the BGP peers in the configuration, by those of their sessions.
    peers: BTreeMap<String, Arc<str>>,
    /// The Services that no node can announce.
    failed: BTreeSet<ServiceKey>,
    /// The lists that were told last: most Services have the same.
    interfaces: Arc<[Arc<str>]>,
    acknowledged: Arc<[Arc<str>]>,
}

impl Reporter {
    /// Other neighbours than before have these VIPs.
    pub(super) fn reached(&mut self, vips: impl IntoIterator<Item = IpAddr>) {
        self.vips.extend(vips);
    }

    /// It was decided otherwise about these Services.
    pub(super) fn decided(&mut self, mut services: BTreeSet<ServiceKey>) {
        self.services.append(&mut services);
    }

    /// What is made of the configuration may have changed.
    pub(super) fn has_news(&mut self) {
        self.is_unjudged = true;
    }

    /// Another configuration is in force on this node. Returns whether peers have other names.
    pub(super) fn configured(&mut self, config: &Config, node: &Node) -> bool {
        self.is_unjudged = true;
        let is_here = |peer: &&Arc<peer::Peer>| {
            let selectors = &peer.node_selectors;
            selectors.is_empty() || selectors.iter().any(|one| one.matches(&node.labels))
        };
        let mut peers = BTreeMap::new();
        for peer in config.bgp.peers.iter().filter(is_here) {
            let session = peer::name(peer.address, peer.port).to_string();
            peers
                .entry(session)
                .or_insert_with(|| Arc::from(&*peer.name));
        }
        let is_news = peers != self.peers;
        self.peers = peers;
        is_news
    }

    /// A Service is gone.
    pub(super) fn forget(&mut self, service: &ServiceKey) {
        self.failed.remove(service);
    }

    /// Whether [`Driver::report`] has something left to do.
    pub(super) fn is_busy(&self) -> bool {
        !self.services.is_empty()
    }

    fn share(list: BTreeSet<Arc<str>>, last: &mut Arc<[Arc<str>]>) -> Arc<[Arc<str>]> {
        if !list.iter().eq(last.iter()) {
            *last = list.into_iter().collect();
        }
        last.clone()
    }
}

impl Driver {
    /// Tells what this daemon does: people, and where there is a place for that.
    pub(super) fn report(&mut self, now: Instant) {
        let decided = self.speaker.take_decided();
        for key in &decided {
            self.tell_decision(key);
        }
        self.reporter.decided(decided);
        if !self.synced || self.source.allocation_mut().reports().is_none() {
            (self.reporter.vips, self.reporter.services) = Default::default();
            return;
        }
        for vip in std::mem::take(&mut self.reporter.vips) {
            let services = self.speaker.services_on(vip).iter();
            self.reporter.services.extend(services.cloned());
        }
        for _ in 0..AT_ONCE {
            let Some(service) = self.reporter.services.pop_first() else {
                break;
            };
            self.report_service(&service);
        }
        let is_unjudged = std::mem::take(&mut self.reporter.is_unjudged);
        let verdict = is_unjudged.then(|| self.verdict());
        let Some(reports) = self.source.allocation_mut().reports() else {
            return;
        };
        if let Some(verdict) = verdict {
            reports.judged(verdict);
        }
        reports.report(now);
    }

    /// The peers of the configuration in force may have other names on this node than before.
    pub(super) fn name_peers(&mut self) {
        let Some(config) = &self.config.in_force else {
            return;
        };
        if self.reporter.configured(config, self.speaker.node()) {
            self.reporter.vips.extend(self.reach.vips());
        }
    }

    fn tell_decision(&self, service: &ServiceKey) {
        match self.speaker.explain(service) {
            Some(Ok(grant)) => {
                let ips: Vec<_> = grant.addresses().collect();
                let ips = join(&ips);
                info!(%service, %ips, pool = %grant.pool, "service has IP, announcing");
            }
            // Most services of a cluster are of another type.
            Some(Err(WithdrawReason::NotLoadBalancer)) => debug!(%service, "not for us"),
            Some(Err(reason)) => {
                info!(%service, reason = reason.token(), "not announcing service: {reason}");
            }
            None => {}
        }
    }

    fn report_service(&mut self, service: &ServiceKey) {
        let (interfaces, peers) = self.neighbors_of(service);
        let announced = Announced {
            interfaces: Reporter::share(interfaces, &mut self.reporter.interfaces),
            peers: Reporter::share(peers, &mut self.reporter.acknowledged),
        };
        let failure = self.failure(service);
        let is_news = if failure.is_some() {
            self.reporter.failed.insert(service.clone())
        } else {
            self.reporter.failed.remove(service)
        };
        let Some(reports) = self.source.allocation_mut().reports() else {
            return;
        };
        reports.announced(service, announced);
        if let Some(failure) = failure.filter(|_| is_news) {
            reports.failed(service, &failure);
        }
    }

    /// The interfaces on which a Service is announced from here, unless another node has its first
    /// address that one node announces at a time, and the names of the BGP peers that have its routes.
    pub(super) fn neighbors_of(
        &self,
        service: &ServiceKey,
    ) -> (BTreeSet<Arc<str>>, BTreeSet<Arc<str>>) {
        let (mut interfaces, mut peers) = (BTreeSet::new(), BTreeSet::new());
        let ways = self.speaker.verdicts(service);
        let owner = ways.iter().filter(|way| self.is_exclusive(way.backend));
        let mut owner = owner.filter_map(|way| match way.outcome {
            Ok(()) => Some(true),
            Err(WithdrawReason::NotOwner(Some(_))) => Some(false),
            Err(_) => None,
        });
        let is_owner = owner.next() == Some(true);
        for way in ways.iter().filter(|way| way.outcome.is_ok()) {
            let reached = self.reach.by(way.backend, way.vip);
            if way.backend == BGP {
                let name = |session: &Arc<str>| self.reporter.peers.get(&**session).cloned();
                peers.extend(reached.map(|session| name(session).unwrap_or(session.clone())));
            } else if is_owner && self.is_exclusive(way.backend) {
                interfaces.extend(reached.cloned());
            }
        }
        (interfaces, peers)
    }

    fn is_exclusive(&self, backend: &str) -> bool {
        let mut caps = self.backends.iter().map(|backend| backend.caps());
        caps.any(|caps: Caps| caps.name == backend && caps.ownership.is_exclusive())
    }

    /// Why no node can announce an address of a Service: the interfaces that its advertisements name
    /// are nowhere. One node tells it, the first of those that are to have the address.
    pub(super) fn failure(&self, service: &ServiceKey) -> Option<String> {
        let ways = self.speaker.verdicts(service).into_iter();
        let mut ownerless = ways.filter(|way: &Way<'_>| {
            matches!(way.outcome, Err(WithdrawReason::NotOwner(None)))
                && self.is_exclusive(way.backend)
        });
        ownerless.find_map(|way| {
            let ownership = self.election.ownership();
            let Some(Ineligible::OtherInterfaces(_)) = ownership.inability(way.vip) else {
                return None;
            };
            let nodes = ownership.verdicts(way.vip);
            if nodes.iter().any(|(_, able)| able.is_ok()) {
                return None;
            }
            let mut nodes = nodes.into_iter().filter_map(|(node, able)| match able {
                Err(reason @ Ineligible::OtherInterfaces(_)) => Some((node, reason)),
                Ok(()) | Err(_) => None,
            });
            let (node, reason) = nodes.next()?;
            (node == self.speaker.node().name).then(|| {
                format!(
                    "\"{}\" is announced by no node: on node \"{node}\" with protocol \"layer2\" {reason}",
                    way.vip
                )
            })
        })
    }

    /// What is made of the configuration.
    pub(super) fn verdict(&self) -> Verdict {
        let refusals = self.refusals();
        let is_valid = refusals.is_empty();
        let of_pools = refusals.iter().filter(|(kind, _)| concerns_pools(kind));
        match &self.config.in_force {
            _ if !is_valid => Verdict::Invalid {
                of_pools: of_pools.map(|(_, cause)| cause.clone()).collect(),
                causes: refusals.into_iter().map(|(_, cause)| cause).collect(),
            },
            Some(_) if self.config.missing.is_none() => Verdict::Valid,
            Some(_) | None => Verdict::Unknown,
        }
    }

    /// What of the configuration is not in force, by the kinds of the objects, and why.
    fn refusals(&self) -> Vec<(String, String)> {
        let refused = self.config.refused.iter().map(|refusal| {
            let (kind, _) = refusal.object.split_once(' ').unwrap_or_default();
            (kind.to_owned(), refusal.known_as.clone())
        });
        let waiting = self.config.waiting.iter();
        let waiting = waiting.map(|why| (Kind::IpAddressPool.to_string(), why.clone()));
        let objects = self.problems.objects.iter().filter_map(|problem| {
            let kind = problem.object.as_ref()?.kind;
            let is_setting = kind.info().purpose == Purpose::Setting;
            is_setting.then(|| (kind.to_string(), problem.to_string()))
        });
        refused.chain(waiting).chain(objects).collect()
    }
}

/// Whether objects of this kind tell which addresses there are to give: those of all others are no
/// matter of those who give them.
fn concerns_pools(kind: &str) -> bool {
    let others = [
        Kind::L2Advertisement,
        Kind::BgpAdvertisement,
        Kind::BgpPeer,
        Kind::BfdProfile,
        Kind::Secret,
    ];
    others.iter().all(|other| other.info().name != kind)
}

/// Items separated by spaces.
pub(super) fn join<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(" ")
}
