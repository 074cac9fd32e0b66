//! Which addresses frames have to concern so that the kernel lets them through.

use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::{Announcement, AnnouncementSet, Asked};
use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};

use crate::blocks::Blocks;
use crate::span::Span;

/// See the module's documentation. Either way may let more through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Those within these spans, ascending and at most [`crate::span::MOST`].
    Spans(Vec<Span>),
    /// These, of IPv4.
    Blocks(Blocks),
}

/// The addresses that a wish speaks of. A copy costs nothing, and the difference to another wish as
/// much as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    announced: OrdMap<IpAddr, Arc<Announcement>>,
    watched: OrdSet<IpAddr>,
    asked: OrdMap<IpAddr, Arc<Asked>>,
}

/// What another wish speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// The same.
    Nothing,
    /// A part of that.
    Less,
    /// Also others.
    More,
}

impl Spoken {
    /// Those of a wish.
    pub(crate) fn of(set: &AnnouncementSet) -> Self {
        Self {
            announced: set.by_vip.clone(),
            watched: set.watched.clone(),
            asked: set.asked.clone(),
        }
    }

    /// What `set` speaks of, in comparison.
    pub(crate) fn news(&self, set: &AnnouncementSet) -> News {
        let announced = self.announced.diff(&set.by_vip);
        let announced = announced.map(|item| self.change(&item));
        let asked = self.asked.diff(&set.asked).map(|item| self.change(&item));
        let watched = self.watched.diff(&set.watched).map(|item| match item {
            imbl::ordset::DiffItem::Add(vip) if !self.contains(*vip) => News::More,
            imbl::ordset::DiffItem::Add(_) | imbl::ordset::DiffItem::Remove(_) => News::Less,
        });
        let all = announced.chain(watched).chain(asked);
        all.max().unwrap_or(News::Nothing)
    }

    fn change<V>(&self, item: &DiffItem<'_, '_, IpAddr, V>) -> News {
        match item {
            DiffItem::Add(vip, _) if !self.contains(**vip) => News::More,
            DiffItem::Update { .. } => News::Nothing,
            DiffItem::Add(..) | DiffItem::Remove(..) => News::Less,
        }
    }

    /// Those of IPv4, as numbers, ascending.
    pub(crate) fn addresses(&self) -> Vec<u32> {
        let all = self.announced.keys().chain(self.watched.iter());
        let all = all.chain(self.asked.keys());
        let number = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        };
        let mut all: Vec<u32> = all.filter_map(number).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn contains(&self, vip: IpAddr) -> bool {
        self.announced.contains_key(&vip)
            || self.watched.contains(&vip)
            || self.asked.contains_key(&vip)
    }
}
