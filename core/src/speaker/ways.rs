//! From the ways of the services on a VIP to what each backend is to do about it, and why not.

use std::net::IpAddr;
use std::sync::Arc;

use super::Speaker;
use super::outlet::Wish;
use crate::announcement::Announcement;
use crate::config::{AdvertisementNames, PoolName};
use crate::ownership::{Holding, Scope};
use crate::policy::{Announcers, Grant, Way, WithdrawReason, node_may_announce};
use crate::service::ServiceKey;

/// One way of announcing an address of a Service, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The address.
    pub vip: IpAddr,
    /// [`crate::backend::Caps::name`].
    pub backend: &'static str,
    /// The advertisements that lead to it.
    pub advertisements: &'a AdvertisementNames,
    /// Why it is not announced from here in this way, if it is not.
    pub outcome: Result<(), WithdrawReason>,
}

impl Speaker {
    /// Whether this node may announce anything.
    ///
    /// # Errors
    /// It must not, for the reason returned.
    pub fn node_may_announce(&self) -> Result<(), WithdrawReason> {
        node_may_announce(&self.node, self.settings.exclude_label)
    }

    /// Whether the configuration has a pool whose addresses only one node at a time may announce.
    pub fn has_exclusive_pools(&self) -> bool {
        self.plan.is_exclusive()
    }

    /// Whether and why a Service is announced from here, as of the last [`Self::take_changes`]. A
    /// Service of whose addresses at least one is announced in at least one way, is.
    ///
    /// [`Self::take_changes`]: Speaker::take_changes
    pub fn explain(&self, key: &ServiceKey) -> Option<Result<&Grant, WithdrawReason>> {
        let grant = match &self.services.get(key)?.decision {
            Ok(grant) => grant,
            Err(reason) => return Some(Err(reason.clone())),
        };
        let mut reasons = Vec::new();
        for verdict in self.verdicts_of(grant) {
            match verdict.outcome {
                Ok(()) => return Some(Ok(grant)),
                Err(reason) => reasons.push(reason),
            }
        }
        // Who announces it instead says more than that nobody does here.
        let says_less =
            |reason: &WithdrawReason| !matches!(reason, WithdrawReason::NotOwner(Some(_)));
        reasons.into_iter().min_by_key(says_less).map(Err)
    }

    /// The ways of all addresses of a Service that may be announced from here, each with what
    /// becomes of it; none of one for which [`Self::explain`] has a reason that concerns all of it.
    pub fn verdicts(&self, key: &ServiceKey) -> Vec<Verdict<'_>> {
        let decision = self.services.get(key).map(|entry| &entry.decision);
        let grant = decision.and_then(|decision| decision.as_ref().ok());
        let verdicts = grant.into_iter().flat_map(|grant| self.verdicts_of(grant));
        verdicts.collect()
    }

    fn verdicts_of<'a>(&'a self, grant: &'a Grant) -> impl Iterator<Item = Verdict<'a>> {
        let ways = grant.vips.iter();
        let ways = ways.flat_map(|granted| granted.ways.iter().map(|way| (granted.vip, way)));
        ways.map(|(vip, way)| Verdict {
            vip,
            backend: way.backend,
            advertisements: &way.advertisements,
            outcome: match &way.announcers {
                Ok(Announcers::Shared) => Ok(()),
                Ok(Announcers::OneOf(_)) => self.owned(vip),
                Err(reason) => Err(reason.clone()),
            },
        })
    }

    /// Whether this node is the one that has a candidate.
    fn owned(&self, vip: IpAddr) -> Result<(), WithdrawReason> {
        match self.candidates.holding(vip) {
            Some(Holding::Here { .. }) => Ok(()),
            Some(Holding::Elsewhere { owner, .. }) => Err(WithdrawReason::NotOwner(owner.clone())),
            None => Err(WithdrawReason::NotOwner(None)),
        }
    }

    /// The pools and the ways of the services on a VIP.
    fn ways(&self, vip: IpAddr) -> impl Iterator<Item = (&PoolName, &Way)> {
        let services = self.services_on(vip).iter();
        let grants = services.filter_map(|key| self.services.get(key)?.decision.as_ref().ok());
        grants.flat_map(move |grant| grant.ways(vip).iter().map(|way| (&grant.pool, way)))
    }

    /// The scope of a candidate; `None` if it is not one.
    pub(super) fn scope(&self, vip: IpAddr) -> Option<Scope> {
        let scopes = self.ways(vip).filter_map(|(_, way)| match &way.announcers {
            Ok(Announcers::OneOf(scope)) => Some(scope.clone()),
            Ok(Announcers::Shared) | Err(_) => None,
        });
        scopes.reduce(Scope::or)
    }

    /// What each backend is to do about a VIP.
    pub(super) fn wishes(&self, vip: IpAddr) -> impl Iterator<Item = Wish> {
        let outlets = self.outlets.iter();
        outlets.map(move |outlet| self.wish(vip, outlet.caps.name))
    }

    fn wish(&self, vip: IpAddr, backend: &'static str) -> Wish {
        let mut ways = self.ways(vip).filter_map(|(pool, way)| {
            let announcers = way.announcers.as_ref().ok()?;
            (way.backend == backend).then_some((pool, &way.advertisements, announcers))
        });
        let Some((pool, first, announcers)) = ways.next() else {
            return Wish::default();
        };
        let (round, is_watched) = match (announcers, self.candidates.holding(vip)) {
            (Announcers::Shared, _) => (Some(0), false),
            (Announcers::OneOf(_), Some(Holding::Here { round })) => (Some(*round), false),
            (Announcers::OneOf(_), Some(Holding::Elsewhere { watched, .. })) => (None, *watched),
            (Announcers::OneOf(_), None) => (None, false),
        };
        let here = &self.node.name;
        Wish {
            announced: round.map(|round| Announcement {
                pool: pool.clone(),
                advertisements: ways.fold(first.clone(), |all, (_, more, _)| union(all, more)),
                round,
            }),
            is_watched,
            interfaces: match announcers {
                Announcers::Shared => None,
                Announcers::OneOf(_) => self.scope(vip).and_then(|scope| scope.interfaces(here)),
            },
        }
    }
}

/// All of these names.
fn union(all: AdvertisementNames, more: &AdvertisementNames) -> AdvertisementNames {
    if more.iter().all(|name| all.contains(name)) {
        return all;
    }
    let mut names = [&*all, more].concat();
    names.sort();
    names.dedup();
    Arc::from(names)
}
