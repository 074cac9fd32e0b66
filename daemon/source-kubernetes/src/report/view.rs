//! What is to be written.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use carillon_core::service::ServiceKey;
use carillon_objects::source::{Announced, LeftToMetallb, Verdict};

use super::content::{Content, Judgement, Said};
use super::key::ReportKey;
use super::pools::Pools;
use super::shelf::Shelf;
use super::write::Change;
use crate::publisher::Difference;

/// What decides what is to be written.
pub(super) struct View<'a> {
    pub(super) announced: &'a HashMap<ServiceKey, Announced>,
    pub(super) verdict: Option<&'a Verdict>,
    pub(super) leads: bool,
    pub(super) pools: &'a Pools,
    pub(super) left: LeftToMetallb,
    pub(super) shelf: &'a Shelf,
    /// Those that are not to be made yet.
    pub(super) removed: &'a HashMap<ReportKey, Instant>,
    /// Those that are over; `None` if all are of which nothing is said.
    pub(super) over: Option<&'a HashSet<ReportKey>>,
}

impl View<'_> {
    /// What is to be done with an object, and the version on which that is decided: none, if it is
    /// not there.
    pub(super) fn difference(&self, key: &ReportKey) -> Option<Difference<Change>> {
        if !self.shelf.is_complete(key.kind()) || self.is_left(key) {
            return None;
        }
        let Some(stored) = self.shelf.get(key) else {
            let content = self
                .content(key, None)
                .filter(|_| key.is_made_here() && !self.removed.contains_key(key))?;
            return Some((Box::default(), Change::Create(content)));
        };
        let change = match self.content(key, Some(&stored.said)) {
            None => self.is_over(key).then_some(Change::Delete),
            Some(_) if stored.said == Said::Other => Some(Change::Delete),
            Some(_) if !stored.is_ours => Some(Change::Adopt),
            Some(content) if content.is_said(&stored.said) => None,
            Some(content) => Some(Change::Say(content)),
        };
        // Who creates an object says something only then. What has been created does not count until
        // that has been said, too.
        let is_half = stored.said.is_nothing() && matches!(change, Some(Change::Say(_)));
        let version = Some(&stored.version).filter(|_| !is_half);
        Some((version.cloned().unwrap_or_default(), change?))
    }

    /// Whether an object is left to MetalLB.
    fn is_left(&self, key: &ReportKey) -> bool {
        match key {
            ReportKey::Layer2(_) | ReportKey::Bgp(_) | ReportKey::Node => self.left.node,
            ReportKey::Controller | ReportKey::Pool(_) => self.left.addresses,
        }
    }

    /// What an object is to say; `None` if there is not to be one.
    fn content(&self, key: &ReportKey, stored: Option<&Said>) -> Option<Content> {
        let announced = key
            .service()
            .and_then(|service| self.announced.get(service));
        let list = match key {
            ReportKey::Layer2(_) => Content::Layer2(announced?.interfaces.clone()),
            ReportKey::Bgp(_) => Content::Bgp(announced?.peers.clone()),
            ReportKey::Controller | ReportKey::Pool(_) if !self.leads => return None,
            ReportKey::Pool(pool) => Content::Pool(self.pools.get(pool)?.clone()),
            ReportKey::Node | ReportKey::Controller => {
                let stored = match stored {
                    Some(Said::Configuration(stored)) => Some(stored),
                    Some(Said::Hash(_) | Said::Other | Said::Pool(_)) | None => None,
                };
                let judgement = Judgement::new(key, self.verdict?).after(stored);
                return Some(Content::Configuration(judgement));
            }
        };
        match &list {
            Content::Layer2(names) | Content::Bgp(names) if names.is_empty() => None,
            Content::Layer2(_) | Content::Bgp(_) | Content::Configuration(_) | Content::Pool(_) => {
                Some(list)
            }
        }
    }

    /// Whether an object that is to say nothing is to be removed.
    fn is_over(&self, key: &ReportKey) -> bool {
        match key {
            ReportKey::Layer2(_) | ReportKey::Bgp(_) => {
                self.over.is_none_or(|over| over.contains(key))
            }
            ReportKey::Node | ReportKey::Controller | ReportKey::Pool(_) => false,
        }
    }
}
