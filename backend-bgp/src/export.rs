//! From announcements to BGP routes, as MetalLB makes them.
//!
//! Each VIP becomes, for each of its advertisements, the prefix of the advertisement's length
//! that contains it. VIPs and advertisements that lead to the same prefix share one route: its
//! communities are those of all of them, its local preference is the highest. A route goes when
//! the last VIP behind it goes.
//!
//! Sessions that the same advertisements are for, which usually are all, share one table: a
//! persistent map of routes. A change of k announcements costs O(k log n) in each table; only a
//! change of its own advertisements makes a table anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::announcement::AnnouncementSet;
use carillon_core::config::{BgpAdvertisement, Config};
use ipnet::IpNet;

use crate::packet::Attributes;
use crate::reach::Vips;
use crate::sessions::PeerNames;

use table::Table;

mod table;
#[cfg(test)]
mod tests;

/// Routes by prefix; IPv4 before IPv6. A clone costs a pointer.
pub(crate) type Routes = imbl::OrdMap<IpNet, Arc<Attributes>>;

/// The family of a prefix.
pub(crate) fn family_of(prefix: &IpNet) -> Family {
    Family::of(prefix.addr())
}

/// Turns announcement sets into routes, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Export {
    config: Arc<Config>,
    /// The sessions that have routes, each by the names of its peers.
    sessions: BTreeSet<PeerNames>,
    /// The tables, each with the sessions that have it.
    tables: Vec<(BTreeSet<PeerNames>, Table)>,
}

impl Export {
    /// Follows `set`, for sessions with peers of these names.
    pub(crate) fn apply(&mut self, set: &AnnouncementSet, sessions: BTreeSet<PeerNames>) {
        if !Arc::ptr_eq(&self.config, &set.config) || self.sessions != sessions {
            self.config = set.config.clone();
            self.sessions = sessions;
            self.assign_tables();
        }
        for (_, table) in &mut self.tables {
            table.follow(&set.by_vip);
        }
    }

    /// The routes of the set last applied, for one of the sessions.
    pub(crate) fn routes_for(&self, session: &PeerNames) -> Routes {
        let table = self.table_for(session);
        table.map(Table::routes).cloned().unwrap_or_default()
    }

    /// The VIPs for which these routes are.
    pub(crate) fn vips_for(&self, session: &PeerNames) -> Vips {
        let table = self.table_for(session);
        table.map(Table::vips).cloned().unwrap_or_default()
    }

    fn table_for(&self, session: &PeerNames) -> Option<&Table> {
        let mut tables = self.tables.iter();
        let found = tables.find(|(sessions, _)| sessions.contains(session));
        found.map(|(_, table)| table)
    }

    /// Gives each session the table of its advertisements: one that is there, if there is one.
    fn assign_tables(&mut self) {
        let before = std::mem::take(&mut self.tables);
        let mut before: Vec<_> = before.into_iter().map(|(_, table)| table).collect();
        for session in &self.sessions {
            let advertisements = self.config.bgp.advertisements.iter();
            let advertisements: Vec<_> = advertisements
                .filter(|one| is_for(one, session))
                .cloned()
                .collect();
            let is_same = |table: &Table| table.advertisements() == advertisements;
            let mut tables = self.tables.iter_mut();
            if let Some((sessions, _)) = tables.find(|(_, table)| is_same(table)) {
                sessions.insert(session.clone());
                continue;
            }
            let table = match before.iter().position(is_same) {
                Some(at) => before.swap_remove(at),
                None => Table::new(advertisements),
            };
            self.tables.push(([session.clone()].into(), table));
        }
    }
}

/// Whether the routes of an advertisement are told in a session with peers of these names.
fn is_for(advertisement: &BgpAdvertisement, session: &PeerNames) -> bool {
    advertisement.peers.is_empty() || !advertisement.peers.is_disjoint(session)
}
