//! Which pools a service may be given addresses from, and in which order: the one place that decides
//! that.
//!
//! Of thousands of pools most are for others, so those for a service are looked up by its namespace and
//! its labels, and none is asked in vain but those whose selectors need no certain label.

use std::collections::BTreeMap;
use std::sync::Arc;

use arcstr::ArcStr;

use super::refusal::{Mismatch, Refusal, Shown};
use super::selectors::Selectors;
use crate::config::{Config, Pool, Priority, ServiceAllocation};
use crate::labels::Labels;

/// What decides which pools are for a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant<'a> {
    pub(super) namespace: &'a str,
    pub(super) namespace_labels: &'a Labels,
    pub(super) labels: &'a Labels,
}

/// The places of some pools in the order of all, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Eligible(Arc<[usize]>);

impl Eligible {
    pub(super) fn places(&self) -> &[usize] {
        &self.0
    }
}

impl FromIterator<usize> for Eligible {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        Self(places.into_iter().collect())
    }
}

/// The pools of a configuration in their order: those that say which services they are for come before
/// those that do not; then by priority, then by name.
#[derive(Debug, Default)]
pub(super) struct Eligibility {
    pools: Vec<Arc<Pool>>,
    /// How many say which services they are for.
    dedicated: usize,
    /// How many give addresses to services that do not ask for them by name.
    automatic: usize,
    /// Of the latter those that are for all.
    for_all: Vec<usize>,
    /// Those that are for all services of a namespace, by its name.
    by_namespace: BTreeMap<ArcStr, Vec<usize>>,
    /// Those that are for all services of the namespaces that a selector matches.
    by_namespace_labels: Selectors,
    /// Those that are for the services that a selector matches, in some namespaces or all.
    by_service_labels: Selectors,
    /// The selectors of namespaces, of all pools.
    of_namespaces: Selectors,
}

impl Eligibility {
    pub(super) fn new(config: &Config) -> Self {
        let mut pools: Vec<Arc<Pool>> = config.pools.values().cloned().collect();
        let place = |pool: &Arc<Pool>| {
            let allocation = pool.allocation.as_ref();
            let priority = allocation.map_or(Priority::default(), |rules| rules.priority);
            (allocation.is_none(), priority)
        };
        // They are in the order of their names, and stay so where all else is equal.
        pools.sort_by_key(place);
        let mut all = Self {
            dedicated: pools.partition_point(|pool| pool.allocation.is_some()),
            ..Self::default()
        };
        let none = ServiceAllocation::default();
        for (place, pool) in pools.iter().enumerate() {
            let rules = pool.allocation.as_ref().unwrap_or(&none);
            for selector in &rules.namespace_selectors {
                all.of_namespaces.insert(selector, place);
            }
            if pool.auto_assign {
                all.automatic += 1;
                all.enter(place, rules);
            }
        }
        Self { pools, ..all }
    }

    /// Enters a pool where those whom it is for look it up.
    fn enter(&mut self, place: usize, rules: &ServiceAllocation) {
        if !rules.service_selectors.is_empty() {
            for selector in &rules.service_selectors {
                self.by_service_labels.insert(selector, place);
            }
        } else if rules.has_namespaces() {
            for namespace in &rules.namespaces {
                let of_namespace = self.by_namespace.entry(namespace.clone());
                of_namespace.or_default().push(place);
            }
            for selector in &rules.namespace_selectors {
                self.by_namespace_labels.insert(selector, place);
            }
        } else {
            self.for_all.push(place);
        }
    }

    /// The pools, in their order.
    pub(super) fn pools(&self) -> &[Arc<Pool>] {
        &self.pools
    }

    /// Whether a pool selects namespaces by their labels.
    pub(super) fn selects_namespaces(&self) -> bool {
        !self.of_namespaces.is_empty()
    }

    /// The pools that select a namespace with these labels.
    pub(super) fn selecting(&self, labels: &Labels) -> Eligible {
        let candidates = self.of_namespaces.candidates(labels);
        let selects = |rules: &ServiceAllocation| {
            let mut selectors = rules.namespace_selectors.iter();
            selectors.any(|selector| selector.matches(labels))
        };
        self.those(candidates, selects)
    }

    /// The pools that an applicant may be given addresses from without asking for one.
    pub(super) fn automatic(&self, applicant: Applicant<'_>) -> Eligible {
        let mut candidates = self.by_service_labels.candidates(applicant.labels);
        candidates.extend((self.by_namespace_labels).candidates(applicant.namespace_labels));
        let by_name = self.by_namespace.get(applicant.namespace);
        candidates.extend(by_name.into_iter().flatten());
        candidates.extend(&self.for_all);
        self.those(candidates, |rules| mismatch(rules, applicant).is_none())
    }

    /// Those of the candidates whose rules are such, and those without any.
    fn those(
        &self,
        mut candidates: Vec<usize>,
        is_such: impl Fn(&ServiceAllocation) -> bool,
    ) -> Eligible {
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|place| {
            let rules = self
                .pools
                .get(*place)
                .and_then(|pool| pool.allocation.as_ref());
            rules.is_none_or(&is_such)
        });
        candidates.into_iter().collect()
    }

    /// Those of the pools that come first, and the others: MetalLB looks for all that a service wants
    /// in pools that are for certain services, before it looks in the others.
    pub(super) fn tiers<'a>(&self, eligible: &'a Eligible) -> [&'a [usize]; 2] {
        let places = eligible.places();
        let first = places.partition_point(|place| *place < self.dedicated);
        let (dedicated, others) = places.split_at(first);
        [dedicated, others]
    }

    /// Checks that a pool is for the applicant.
    pub(super) fn permit(&self, place: usize, applicant: Applicant<'_>) -> Result<(), Refusal> {
        let Some(pool) = self.pools.get(place) else {
            return Ok(());
        };
        let rules = pool.allocation.as_ref();
        match rules.and_then(|rules| mismatch(rules, applicant)) {
            Some(mismatch) => Err(Refusal::NotFor {
                pool: pool.name.clone(),
                mismatch,
            }),
            None => Ok(()),
        }
    }

    /// Why none of the pools is for the applicant, if that is because of what they say.
    pub(super) fn none_for(&self, applicant: Applicant<'_>) -> Option<Refusal> {
        let automatic = self.pools.iter().enumerate();
        let mut automatic = automatic.filter(|(_, pool)| pool.auto_assign);
        let first = automatic.find_map(|(place, _)| self.permit(place, applicant).err())?;
        Some(Refusal::NoneFor {
            first: Box::new(first),
            others: self.automatic.saturating_sub(1),
        })
    }
}

/// What of a pool's rules is against an applicant.
fn mismatch(rules: &ServiceAllocation, applicant: Applicant<'_>) -> Option<Mismatch> {
    let Applicant {
        namespace,
        namespace_labels,
        labels,
    } = applicant;
    if !rules.is_for_namespace(namespace, namespace_labels) {
        return Some(Mismatch::Namespace {
            namespace: namespace.into(),
            named: Shown::of(rules.namespaces.iter().cloned()),
            selects: !rules.namespace_selectors.is_empty(),
        });
    }
    (!rules.is_for_labels(labels)).then_some(Mismatch::Labels)
}
