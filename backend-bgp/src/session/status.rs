//! A session as `carillon status` shows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::backend::{Detail, Fact, NeighborStatus, Route};

use super::{Agreement, Session};
use crate::export::family_of;
use crate::fsm::State;
use crate::packet::attribute::Attribute;
use crate::packet::{Attributes, NextHop};

impl Session {
    /// A picture of the present.
    pub(crate) fn status(&mut self, detail: Detail, now: Instant) -> NeighborStatus {
        let prefixes = self.rib.count();
        let mut facts = self.configured().to_vec();
        if let Some(agreement) = self.agreement() {
            facts.extend(self.agreed(agreement));
        }
        facts.push(Fact::text("prefixes sent", prefixes.to_string()));
        facts.extend(self.counters.facts());
        NeighborStatus {
            name: self.name(),
            state: self.state.to_string(),
            since: now.saturating_duration_since(self.since),
            facts,
            last_error: self.trouble.shown(self.state == State::Established, now),
            in_sync: self.state == State::Established && self.is_settled(),
            prefixes,
            announced: match detail {
                Detail::Counters => Vec::new(),
                Detail::Routes => self.announced(),
            },
        }
    }

    fn configured(&self) -> [Fact; 3] {
        let peer = &self.peer;
        let kind = if peer.is_internal() { "iBGP" } else { "eBGP" };
        [
            Fact::text("type", kind),
            Fact::text("local AS", peer.my_asn.to_string()),
            Fact::text("remote AS", peer.peer_asn.to_string()),
        ]
    }

    fn agreed(&self, agreement: &Agreement) -> Vec<Fact> {
        let mut facts = vec![
            Fact::text("local address", agreement.local.to_string()),
            Fact::text("local router ID", agreement.ours.router_id.to_string()),
        ];
        if let Some(theirs) = &agreement.theirs {
            let families = agreement.context().families;
            let families: Vec<_> = families.iter().map(|f| format!("{f} unicast")).collect();
            let keepalive = agreement.keepalive_time(&self.peer);
            facts.extend([
                Fact::text("remote router ID", theirs.router_id.to_string()),
                Fact::text("address families", families.join(", ")),
                Fact::text("hold time", in_seconds(agreement.hold_time())),
                Fact::text("keepalive interval", in_seconds(keepalive)),
            ]);
        }
        facts
    }

    /// What the peer holds, each set of attributes put into words once.
    fn announced(&self) -> Vec<Route> {
        let Some(agreement) = self.agreement() else {
            return Vec::new();
        };
        let peer_type = agreement.context().peer_type;
        let mut texts: BTreeMap<(Family, Arc<Attributes>), Arc<str>> = BTreeMap::new();
        let mut routes = Vec::new();
        self.rib.for_each(|prefix, attributes| {
            let family = family_of(prefix);
            let told = attributes.for_peer(peer_type);
            let attributes = texts
                .entry((family, attributes.clone()))
                .or_insert_with(|| in_words(agreement.next_hop(family), told).into())
                .clone();
            routes.push(Route {
                prefix: *prefix,
                attributes,
            });
        });
        routes
    }
}

fn in_seconds(time: Option<Duration>) -> String {
    match time {
        Some(time) if !time.is_zero() => format!("{} s", time.as_secs()),
        Some(_) | None => "none".to_owned(),
    }
}

fn in_words(next_hop: Option<NextHop>, attributes: &[Attribute]) -> String {
    let next_hop = next_hop.map(|next_hop| format!("next hop {next_hop}"));
    let attributes = attributes.iter().map(ToString::to_string);
    let words: Vec<_> = next_hop.into_iter().chain(attributes).collect();
    words.join(", ")
}
