//! What one peer has been told, and what it has to be told next (RFC 4271 section 3.2).
//!
//! The peer is led from one table to the next in rounds. A round knows the table that the peer
//! held when it began and the table it leads to, both persistent maps that cost a pointer, and a
//! queue of what is still to be written. When a newer table is wished for in the middle of a
//! round, the next round starts from what the peer holds at that moment, so a slow peer converges
//! to the newest wish without being told what is no longer true.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use carillon_core::address::Family;
use imbl::ordmap::DiffItem;
use ipnet::IpNet;

use crate::export::{Routes, family_of};
use crate::packet::attribute::Attribute;
use crate::packet::{Attributes, FamilySet, PeerType};

#[cfg(test)]
mod tests;

/// How many routes a refresh takes up at a time.
const REFRESH_STEP: usize = 4096;

/// The next thing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch<'a> {
    /// Prefixes of one family that the peer has and must lose; never empty.
    Withdraw(&'a [IpNet]),
    /// Prefixes of this family that carry the same; never empty.
    Announce(Family, &'a [Attribute], &'a [IpNet]),
    /// The End-of-RIB marker of a family (RFC 4724 section 2).
    EndOfRib(Family),
}

/// Prefixes to be written together: announced with the same attributes, or withdrawn.
#[derive(Clone, Debug)]
struct Group {
    family: Family,
    attributes: Option<Arc<Attributes>>,
    prefixes: Vec<IpNet>,
    written: usize,
}

impl Group {
    fn new(family: Family, attributes: Option<Arc<Attributes>>, prefixes: Vec<IpNet>) -> Self {
        Self {
            family,
            attributes,
            prefixes,
            written: 0,
        }
    }

    fn rest(&self) -> &[IpNet] {
        self.prefixes.get(self.written..).unwrap_or_default()
    }
}

/// Groups in the making, by what the peer is told of their attributes. Withdrawals come first:
/// `None` is less than `Some`.
struct Groups<'a> {
    peer_type: PeerType,
    made: Vec<Option<Group>>,
    indices: BTreeMap<(Option<&'a [Attribute]>, Family), usize>,
    /// The group that was last added to, and of which attributes: most routes have those of the one
    /// before.
    last: Option<(Option<&'a Arc<Attributes>>, Family, usize)>,
}

impl<'a> Groups<'a> {
    fn new(peer_type: PeerType) -> Self {
        Self {
            peer_type,
            made: Vec::new(),
            indices: BTreeMap::new(),
            last: None,
        }
    }

    fn add(&mut self, prefix: IpNet, attributes: Option<&'a Arc<Attributes>>) {
        let family = family_of(&prefix);
        let index = match self.last {
            Some((last, of, index)) if of == family && is_same(last, attributes) => index,
            Some(_) | None => self.index(family, attributes),
        };
        self.last = Some((attributes, family, index));
        if let Some(Some(group)) = self.made.get_mut(index) {
            group.prefixes.push(prefix);
        }
    }

    /// The index of the group of these attributes, which is there then.
    fn index(&mut self, family: Family, attributes: Option<&'a Arc<Attributes>>) -> usize {
        let told = attributes.map(|attributes| attributes.for_peer(self.peer_type));
        let made = &mut self.made;
        *self.indices.entry((told, family)).or_insert_with(|| {
            let group = Group::new(family, attributes.cloned(), Vec::new());
            made.push(Some(group));
            made.len() - 1
        })
    }

    fn into_queue(mut self) -> VecDeque<Group> {
        let indices = self.indices.into_values();
        let groups = indices.filter_map(|index| self.made.get_mut(index)?.take());
        groups.collect()
    }
}

fn is_same(one: Option<&Arc<Attributes>>, other: Option<&Arc<Attributes>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// A family whose routes are being sent again.
#[derive(Clone, Debug)]
struct Refresh {
    family: Family,
    /// The last prefix that was sent again.
    done: Option<IpNet>,
    /// The last prefix in the queue.
    queued: Option<IpNet>,
}

/// The Adj-RIB-Out of one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct AdjRibOut {
    families: FamilySet,
    peer_type: PeerType,
    /// The newest wish.
    wished: Routes,
    /// The wish that the round began with.
    taken_up: Routes,
    /// What the peer held when the round began.
    held: Routes,
    /// What the peer holds when the round ends: what is wished for, but for what is withheld.
    target: Routes,
    queue: VecDeque<Group>,
    end_of_rib: VecDeque<Family>,
    refreshes: VecDeque<Refresh>,
}

impl AdjRibOut {
    /// The peer is to have these routes, as far as their family is negotiated.
    pub(crate) fn set(&mut self, routes: Routes) {
        self.wished = routes;
    }

    /// A session begins: the peer holds nothing, and takes these families. To external peers routes
    /// that differ in nothing but local preference are the same.
    pub(crate) fn start(&mut self, families: FamilySet, peer_type: PeerType) {
        self.stop();
        self.families = families;
        self.peer_type = peer_type;
        self.end_of_rib = families.iter().collect();
    }

    /// The session ended, and with it everything that the peer was told.
    pub(crate) fn stop(&mut self) {
        *self = Self {
            wished: std::mem::take(&mut self.wished),
            ..Self::default()
        };
    }

    /// The routes of this family are to be sent again (RFC 2918).
    pub(crate) fn refresh(&mut self, family: Family) {
        if self.families.contains(family) {
            self.refreshes.retain(|refresh| refresh.family != family);
            self.refreshes.push_back(Refresh {
                family,
                done: None,
                queued: None,
            });
        }
    }

    /// What to write next: withdrawals, then updates, then End-of-RIB. It stays the next until
    /// [`Self::advance`].
    pub(crate) fn next(&mut self) -> Option<Batch<'_>> {
        if !self.taken_up.ptr_eq(&self.wished) {
            self.begin_round();
        }
        if self.queue.is_empty() {
            self.held = self.target.clone();
            if self.end_of_rib.is_empty() {
                self.continue_refresh();
            }
        }
        match self.queue.front() {
            Some(group) => Some(match &group.attributes {
                Some(attributes) => Batch::Announce(
                    group.family,
                    attributes.for_peer(self.peer_type),
                    group.rest(),
                ),
                None => Batch::Withdraw(group.rest()),
            }),
            None => self.end_of_rib.front().copied().map(Batch::EndOfRib),
        }
    }

    /// The first `count` prefixes of the batch are written, or the End-of-RIB marker.
    pub(crate) fn advance(&mut self, count: usize) {
        let Some(group) = self.queue.front_mut() else {
            self.end_of_rib.pop_front();
            return;
        };
        group.written += count;
        if group.rest().is_empty() {
            self.queue.pop_front();
        }
    }

    /// The batch, updates that cannot be written, is not sent: the peer loses the routes instead,
    /// if it has them. They are tried again with the next wish.
    pub(crate) fn withhold(&mut self) {
        let Some(group) = self.queue.pop_front() else {
            return;
        };
        let mut withdrawn = group.rest().to_vec();
        for prefix in &withdrawn {
            self.target.remove(prefix);
        }
        withdrawn.retain(|prefix| self.held.contains_key(prefix));
        if !withdrawn.is_empty() {
            self.queue
                .push_front(Group::new(group.family, None, withdrawn));
        }
    }

    /// Passes over the routes that the peer holds once it has read everything written, in order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&IpNet, &Arc<Attributes>)) {
        for (prefix, attributes) in &self.held_now() {
            if self.families.contains(family_of(prefix)) {
                visit(prefix, attributes);
            }
        }
    }

    /// The families that the peer takes.
    pub(crate) fn families(&self) -> FamilySet {
        self.families
    }

    /// Of what was wished for when the round began, what the peer is not told although it takes the
    /// family.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = IpNet> {
        // What is the same is passed over without a look.
        let changes = self.target.diff(&self.taken_up);
        let missing = changes.filter_map(|change| match change {
            DiffItem::Add(prefix, _) => Some(*prefix),
            DiffItem::Update { .. } | DiffItem::Remove(..) => None,
        });
        missing.filter(|prefix| self.families.contains(family_of(prefix)))
    }

    /// Whether the peer has a route to this address when the round has ended.
    pub(crate) fn covers(&self, vip: IpAddr) -> bool {
        let longest = IpNet::from(vip);
        (0..=longest.prefix_len()).any(|length| {
            let prefix = IpNet::new(vip, length).map(|prefix| prefix.trunc());
            prefix.is_ok_and(|prefix| self.target.contains_key(&prefix))
        })
    }

    /// How many routes [`Self::for_each`] passes over.
    pub(crate) fn count(&self) -> usize {
        let held = self.held_now();
        let is_taken = |prefix: &&IpNet| self.families.contains(family_of(prefix));
        held.keys().filter(is_taken).count()
    }

    fn begin_round(&mut self) {
        self.held = self.held_now();
        self.taken_up = self.wished.clone();
        self.target = self.wished.clone();
        for refresh in &mut self.refreshes {
            refresh.queued = None;
        }
        let peer_type = self.peer_type;
        let mut groups = Groups::new(peer_type);
        for change in self.held.diff(&self.target) {
            let (prefix, attributes) = match change {
                DiffItem::Add(prefix, new) => (prefix, Some(new)),
                DiffItem::Update { old, new }
                    if old.1.for_peer(peer_type) == new.1.for_peer(peer_type) =>
                {
                    continue;
                }
                DiffItem::Update { new, .. } => (new.0, Some(new.1)),
                DiffItem::Remove(prefix, _) => (prefix, None),
            };
            if self.families.contains(family_of(prefix)) {
                groups.add(*prefix, attributes);
            }
        }
        self.queue = groups.into_queue();
    }

    /// What the peer holds in the middle of a round: the target, but for what is still in the
    /// queue.
    fn held_now(&self) -> Routes {
        let mut held = self.target.clone();
        for prefix in self.queue.iter().flat_map(Group::rest) {
            match self.held.get(prefix) {
                Some(attributes) => held.insert(*prefix, attributes.clone()),
                None => held.remove(prefix),
            };
        }
        held
    }

    fn continue_refresh(&mut self) {
        while let Some(mut refresh) = self.refreshes.pop_front() {
            refresh.done = refresh.queued.take().or(refresh.done);
            let from = refresh.done.map_or(Bound::Unbounded, Bound::Excluded);
            let mut groups = Groups::new(self.peer_type);
            for (prefix, attributes) in self
                .target
                .range((from, Bound::Unbounded))
                .filter(|(prefix, _)| family_of(prefix) == refresh.family)
                .take(REFRESH_STEP)
            {
                refresh.queued = Some(*prefix);
                groups.add(*prefix, Some(attributes));
            }
            self.queue = groups.into_queue();
            if !self.queue.is_empty() {
                self.refreshes.push_front(refresh);
                return;
            }
        }
    }
}
