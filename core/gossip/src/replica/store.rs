//! The records of one member, in the order in which it made them.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::MemberId;
use crate::record::{AnyKey, Octets};
use crate::wire::{MAX_CONTENT, Records, encode_item};

/// What a [`Records`] has beside its items.
const HEAD: usize = 70;
/// How many withdrawals are kept beside as many records as there are.
const TOMBSTONES: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Everything up to this version is here.
    pub(crate) version: u64,
    /// Withdrawals up to this version are forgotten.
    pub(crate) floor: u64,
    entries: BTreeMap<AnyKey, (u64, Option<Octets>)>,
    versions: BTreeMap<u64, AnyKey>,
    tombstones: usize,
}

impl Store {
    pub(crate) fn get(&self, key: &AnyKey) -> Option<&Octets> {
        self.entries.get(key)?.1.as_ref()
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.tombstones
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &AnyKey> {
        let records = self
            .entries
            .iter()
            .filter(|(_, (_, value))| value.is_some());
        records.map(|(key, _)| key)
    }

    /// How much is kept.
    pub(crate) fn size(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, key: &AnyKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether the record was another before.
    pub(crate) fn set(&mut self, version: u64, key: AnyKey, value: Option<Octets>) -> bool {
        let old = self.remove(&key);
        if let Some((newer, _)) = old.as_ref().filter(|(old, _)| *old > version) {
            let (newer, value) = (*newer, old.and_then(|(_, value)| value));
            self.insert(newer, key, value);
            return false;
        }
        let is_change = old.and_then(|(_, value)| value) != value;
        self.insert(version, key, value);
        is_change
    }

    fn insert(&mut self, version: u64, key: AnyKey, value: Option<Octets>) {
        self.tombstones += usize::from(value.is_none());
        self.versions.insert(version, key.clone());
        self.entries.insert(key, (version, value));
    }

    pub(crate) fn forget(&mut self, key: &AnyKey) {
        self.remove(key);
    }

    fn remove(&mut self, key: &AnyKey) -> Option<(u64, Option<Octets>)> {
        let (version, value) = self.entries.remove(key)?;
        self.versions.remove(&version);
        self.tombstones -= usize::from(value.is_none());
        Some((version, value))
    }

    /// Keeps withdrawals from growing beyond all bounds. Those who have not seen them all are sent
    /// everything anew.
    pub(crate) fn forget_old_withdrawals(&mut self) {
        if self.tombstones > self.len() + TOMBSTONES {
            self.forget_withdrawals(self.version);
        }
    }

    /// Those up to this version.
    pub(crate) fn forget_withdrawals(&mut self, floor: u64) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        let old = self.versions.range(..=floor).map(|(_, key)| key.clone());
        let old: Vec<_> = old.filter(|key| self.get(key).is_none()).collect();
        for key in old {
            self.remove(&key);
        }
    }

    /// What a member that has everything up to `after` lacks, in at most so many datagrams. If
    /// withdrawals were forgotten that it has not seen, it is everything.
    pub(crate) fn answer(
        &self,
        member: MemberId,
        after: u64,
        floor: u64,
        datagrams: usize,
    ) -> Vec<Records> {
        let is_behind = after < self.floor && floor < self.floor;
        let mut after = if is_behind { 0 } else { after };
        let mut answer = Vec::new();
        while answer.len() < datagrams {
            let (items, to) = self.pack(after);
            answer.push(Records {
                member,
                after,
                to,
                latest: self.version,
                floor: self.floor,
                last: false,
                items,
            });
            after = to;
            if to >= self.version {
                break;
            }
        }
        if let Some(records) = answer.last_mut() {
            records.last = true;
        }
        answer
    }

    /// As many items as fit, and up to which version they go.
    fn pack(&self, after: u64) -> (Vec<u8>, u64) {
        let mut items = Vec::new();
        let mut to = after;
        let mut before = None;
        let newer = (Bound::Excluded(after), Bound::Unbounded);
        for (version, key) in self.versions.range(newer) {
            let Some((_, value)) = self.entries.get(key) else {
                continue;
            };
            let item = encode_item(*version - to, key, value.as_ref(), before == Some(value));
            if items.len() + item.len() > MAX_CONTENT - HEAD {
                return (items, to);
            }
            items.extend(item);
            to = *version;
            before = Some(value);
        }
        (items, self.version)
    }
}

/// Whether a record can be told to others.
pub(crate) fn fits(key: &AnyKey, value: &Octets) -> bool {
    encode_item(u64::MAX, key, Some(value), false).len() <= MAX_CONTENT - HEAD
}
