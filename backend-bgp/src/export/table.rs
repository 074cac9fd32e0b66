//! The routes that some advertisements lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::announcement::Announcement;
use carillon_core::config::{AdvertisementName, AdvertisementNames, BgpAdvertisement};
use carillon_core::sorted::interleaved;
use imbl::ordmap::DiffItem;
use ipnet::IpNet;

use super::{Routes, family_of};
use crate::packet::Attributes;
use crate::packet::attribute::{Communities, LocalPref};
use crate::reach::Vips;

/// What routes of this advertisement are given.
fn attributes_of(advertisement: &BgpAdvertisement) -> Attributes {
    let communities = advertisement.communities.iter().copied();
    Attributes::default()
        .with(Some(LocalPref(advertisement.local_pref)))
        .with(Communities::new(communities))
}

/// The prefix lengths under which advertisements together announce, and what the routes of each carry.
type Plan = BTreeMap<(Family, u8), Arc<Attributes>>;

fn plan_of<'a>(advertisements: impl Iterator<Item = &'a BgpAdvertisement>) -> Plan {
    let mut plan = Plan::new();
    for advertisement in advertisements {
        let attributes = Arc::new(attributes_of(advertisement));
        for (family, length) in [
            (Family::V4, advertisement.aggregation_length_v4),
            (Family::V6, advertisement.aggregation_length_v6),
        ] {
            plan.entry((family, length))
                .and_modify(|present| *present = Arc::new(present.union(&attributes)))
                .or_insert_with(|| attributes.clone());
        }
    }
    plan
}

fn has_route(plans: &BTreeMap<AdvertisementNames, Plan>, why: &Announcement) -> bool {
    let plan = plans.get(&why.advertisements);
    plan.is_some_and(|plan| !plan.is_empty())
}

/// A table of routes that follows the announcements.
#[derive(Debug)]
pub(super) struct Table {
    /// What it has the routes of.
    advertisements: Vec<Arc<BgpAdvertisement>>,
    by_name: BTreeMap<AdvertisementName, Arc<BgpAdvertisement>>,
    by_vip: imbl::OrdMap<IpAddr, Arc<Announcement>>,
    /// Those of the advertisements that VIPs are announced by, as far as they are of this table.
    plans: BTreeMap<AdvertisementNames, Plan>,
    /// How many VIPs of which advertisements are behind an aggregate. Not for host routes: each has
    /// the one VIP.
    aggregates: BTreeMap<(IpNet, AdvertisementNames), usize>,
    routes: Routes,
    /// How many VIPs have no route.
    unrouted: usize,
    /// Those that have.
    vips: Vips,
}

impl Table {
    /// The table of these advertisements, before any announcement.
    pub(super) fn new(advertisements: Vec<Arc<BgpAdvertisement>>) -> Self {
        let named = advertisements.iter();
        let named = named.map(|one| (one.name.clone(), one.clone()));
        Self {
            by_name: named.collect(),
            advertisements,
            by_vip: imbl::OrdMap::new(),
            plans: BTreeMap::new(),
            aggregates: BTreeMap::new(),
            routes: Routes::new(),
            unrouted: 0,
            vips: Vips::default(),
        }
    }

    /// What it has the routes of.
    pub(super) fn advertisements(&self) -> &[Arc<BgpAdvertisement>] {
        &self.advertisements
    }

    /// The routes.
    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The VIPs for which the routes are.
    pub(super) fn vips(&self) -> &Vips {
        &self.vips
    }

    /// Has the table follow the announcements to what they are now.
    pub(super) fn follow(&mut self, by_vip: &imbl::OrdMap<IpAddr, Arc<Announcement>>) {
        let before = std::mem::replace(&mut self.by_vip, by_vip.clone());
        let mut touched = BTreeSet::new();
        for change in before.diff(by_vip) {
            let (old, new) = match change {
                DiffItem::Add(vip, new) => (None, Some((vip, new))),
                DiffItem::Update { old, new } if old.1.advertisements == new.1.advertisements => {
                    continue;
                }
                DiffItem::Update { old, new } => (Some(old), Some(new)),
                DiffItem::Remove(vip, old) => (Some((vip, old)), None),
            };
            if let Some((vip, old)) = old {
                self.unrouted -= usize::from(!has_route(&self.plans, old));
                self.count(
                    *vip,
                    &old.advertisements,
                    usize::saturating_sub,
                    &mut touched,
                );
            }
            if let Some((vip, new)) = new {
                self.count(
                    *vip,
                    &new.advertisements,
                    usize::saturating_add,
                    &mut touched,
                );
                self.unrouted += usize::from(!has_route(&self.plans, new));
            }
        }
        let (plans, has_all) = (&self.plans, self.unrouted == 0);
        self.vips
            .follow(by_vip, has_all, |why| has_route(plans, why));
        for prefix in interleaved(touched) {
            match self.attributes(prefix) {
                Some(attributes) => self.routes.insert(prefix, attributes),
                None => self.routes.remove(&prefix),
            };
        }
    }

    /// Adds a VIP of these advertisements to the counts of its aggregates, or takes it out, and notes the
    /// prefixes it leads to.
    fn count(
        &mut self,
        vip: IpAddr,
        names: &AdvertisementNames,
        by: fn(usize, usize) -> usize,
        touched: &mut BTreeSet<IpNet>,
    ) {
        if !self.plans.contains_key(names) {
            let advertisements = names.iter().filter_map(|name| self.by_name.get(name));
            let plan = plan_of(advertisements.map(AsRef::as_ref));
            self.plans.insert(names.clone(), plan);
        }
        let Some(plan) = self.plans.get(names) else {
            return;
        };
        for (_, length) in plan.keys().filter(|(family, _)| *family == Family::of(vip)) {
            let Ok(prefix) = IpNet::new(vip, *length) else {
                continue;
            };
            let prefix = prefix.trunc();
            touched.insert(prefix);
            if prefix.prefix_len() < prefix.max_prefix_len() {
                let key = (prefix, names.clone());
                let count = self.aggregates.entry(key.clone()).or_default();
                *count = by(*count, 1);
                if *count == 0 {
                    self.aggregates.remove(&key);
                }
            }
        }
    }

    /// What the route for a prefix carries, if any VIP is behind it.
    fn attributes(&self, prefix: IpNet) -> Option<Arc<Attributes>> {
        if prefix.prefix_len() == prefix.max_prefix_len() {
            let announcement = self.by_vip.get(&prefix.addr())?;
            return self.planned(prefix, &announcement.advertisements);
        }
        self.aggregates
            .range((prefix, AdvertisementNames::default())..)
            .map_while(|((aggregate, names), _)| (*aggregate == prefix).then_some(names))
            .filter_map(|names| self.planned(prefix, names))
            .reduce(|one, other| Arc::new(one.union(&other)))
    }

    fn planned(&self, prefix: IpNet, names: &AdvertisementNames) -> Option<Arc<Attributes>> {
        let key = (family_of(&prefix), prefix.prefix_len());
        self.plans.get(names)?.get(&key).cloned()
    }
}
