//! The pools of a configuration, and what is taken of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Tenant;
use super::eligibility::{Applicant, Eligibility, Eligible};
use super::refusal::{Refusal, Shown};
use super::space::{PoolUsage, Space};
use crate::address::Family;
use crate::config::{Config, Pool, PoolName};
use crate::service::Families;
use crate::text::bounded;

/// What is taken of a pool.
#[derive(Debug)]
pub(super) struct PoolSpace {
    name: PoolName,
    ipv4: Space,
    ipv6: Space,
}

impl PoolSpace {
    fn new(pool: &Pool) -> Self {
        Self {
            name: pool.name.clone(),
            ipv4: Space::new(pool, Family::V4),
            ipv6: Space::new(pool, Family::V6),
        }
    }

    fn space(&self, family: Family) -> &Space {
        match family {
            Family::V4 => &self.ipv4,
            Family::V6 => &self.ipv6,
        }
    }

    pub(super) fn space_mut(&mut self, family: Family) -> &mut Space {
        match family {
            Family::V4 => &mut self.ipv4,
            Family::V6 => &mut self.ipv6,
        }
    }

    fn usage(&self) -> PoolUsage {
        PoolUsage {
            name: self.name.clone(),
            ipv4: self.ipv4.usage(),
            ipv6: self.ipv6.usage(),
        }
    }
}

/// The pools, in the order of [`Eligibility`].
#[derive(Debug, Default)]
pub(super) struct Pools {
    spaces: Vec<PoolSpace>,
    places: BTreeMap<PoolName, usize>,
    eligibility: Eligibility,
}

impl Pools {
    pub(super) fn new(config: &Config) -> Self {
        let eligibility = Eligibility::new(config);
        let pools = eligibility.pools().iter();
        let spaces: Vec<_> = pools.map(|pool| PoolSpace::new(pool)).collect();
        let places = spaces.iter().enumerate();
        Self {
            places: places
                .map(|(place, pool)| (pool.name.clone(), place))
                .collect(),
            spaces,
            eligibility,
        }
    }

    pub(super) fn eligibility(&self) -> &Eligibility {
        &self.eligibility
    }

    pub(super) fn get_mut(&mut self, name: &PoolName) -> Option<&mut PoolSpace> {
        self.spaces.get_mut(*self.places.get(name)?)
    }

    /// How full a pool is.
    pub(super) fn usage_of(&self, name: &str) -> Option<PoolUsage> {
        self.at(*self.places.get(name)?).map(PoolSpace::usage)
    }

    /// How full the pools are, by name.
    pub(super) fn usage(&self) -> impl Iterator<Item = PoolUsage> {
        let spaces = self.places.values().filter_map(|place| self.at(*place));
        spaces.map(PoolSpace::usage)
    }

    fn at(&self, place: usize) -> Option<&PoolSpace> {
        self.spaces.get(place)
    }

    /// The pools that a tenant may be given addresses from: the one that it names, else all that give
    /// addresses by themselves.
    ///
    /// # Errors
    /// There is no such pool, or it is for others.
    pub(super) fn eligible(
        &self,
        applicant: Applicant<'_>,
        name: Option<&str>,
    ) -> Result<Eligible, Refusal> {
        let Some(name) = name else {
            return Ok(self.eligibility.automatic(applicant));
        };
        let place = self.named(name)?;
        self.eligibility.permit(place, applicant)?;
        Ok([place].into_iter().collect())
    }

    fn named(&self, name: &str) -> Result<usize, Refusal> {
        let mut places = self.places.iter();
        let place = self.places.get(name);
        // A long name is kept short in the service that asks for it.
        let place = place.or_else(|| Some(places.find(|(other, _)| bounded(other) == name)?.1));
        place.copied().ok_or_else(|| Refusal::UnknownPool {
            name: name.into(),
            known: Shown::of(self.places.keys().cloned()),
        })
    }

    /// Checks that a pool is for the applicant.
    pub(super) fn permit(&self, pool: &str, applicant: Applicant<'_>) -> Result<(), Refusal> {
        match self.places.get(pool) {
            Some(place) => self.eligibility.permit(*place, applicant),
            None => Ok(()),
        }
    }

    /// The addresses that these pools offer to a tenant: from the first that has what is wanted, which
    /// is looked for in those that come first before all others.
    pub(super) fn offer(
        &self,
        eligible: &Eligible,
        tenant: &Tenant,
        families: Families,
    ) -> Option<Vec<IpAddr>> {
        let mut tiers = self.eligibility.tiers(eligible).into_iter();
        tiers.find_map(|places| {
            let pools = places.iter().filter_map(|place| self.at(*place));
            offer(&pools.collect::<Vec<_>>(), tenant, families)
        })
    }

    /// Why they offer nothing.
    pub(super) fn exhausted(
        &self,
        eligible: &Eligible,
        applicant: Applicant<'_>,
        families: Families,
    ) -> Refusal {
        let none_for = || self.eligibility.none_for(applicant);
        let none_for = eligible.places().is_empty().then(none_for).flatten();
        let pools = eligible.places().iter();
        none_for.unwrap_or_else(|| Refusal::Exhausted {
            families,
            pools: Shown::of(pools.filter_map(|place| Some(self.at(*place)?.usage()))),
        })
    }
}

/// The addresses that the first of the pools has that has what is wanted. In a pool it is the first
/// address in block order that the tenant may have, be it free or shared.
fn offer(pools: &[&PoolSpace], tenant: &Tenant, families: Families) -> Option<Vec<IpAddr>> {
    let one = |family| {
        let mut offers = pools.iter().map(|pool| pool.space(family).first(tenant));
        offers.find_map(|offer| offer.map(|address| vec![address]))
    };
    let both = || {
        let offer =
            |pool: &&PoolSpace| Some(vec![pool.ipv4.first(tenant)?, pool.ipv6.first(tenant)?]);
        pools.iter().find_map(offer)
    };
    match families {
        Families::One(family) => one(family),
        Families::Both => both(),
        Families::PreferBoth { primary } => both()
            .or_else(|| one(primary))
            .or_else(|| one(primary.other())),
    }
}
