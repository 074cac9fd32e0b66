//! The records of another member.

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::MemberId;
use super::super::record::{AnyKey, Octets, Value};
use super::super::wire::{Record, Records};
use super::pull::Pull;
use super::store::Store;
use super::{Change, MAX_RECORDS};

#[derive(Debug)]
pub(super) struct Remote {
    pub(super) id: MemberId,
    pub(super) store: Store,
    pub(super) pull: Option<Pull>,
    /// While everything is sent anew: what was sent already.
    pub(super) renewed: Option<BTreeSet<AnyKey>>,
    /// Withdrawals up to this version were forgotten when this began to be received.
    pub(super) basis: u64,
    /// When it was last known to take part.
    pub(super) alive: Instant,
    /// There were more records than there may be.
    is_full: bool,
    /// Some of it came by way of a member that may not know all of it.
    pub(super) is_reduced: bool,
}

impl Remote {
    pub(super) fn new(id: MemberId, now: Instant) -> Self {
        Self {
            id,
            store: Store::default(),
            pull: None,
            renewed: None,
            basis: 0,
            alive: now,
            is_full: false,
            is_reduced: false,
        }
    }

    /// Everything is sent anew.
    pub(super) fn begin_renewal(&mut self) {
        if self.store.size() > 0 {
            self.renewed = Some(BTreeSet::new());
        }
        self.store.version = 0;
    }

    /// Takes in records that follow those that are here. Returns what of them is news, and whether
    /// there are too many for the first time.
    pub(super) fn apply(
        &mut self,
        records: &Records,
        decoded: Vec<Record>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let was_full = self.is_full;
        for record in decoded {
            if record.version > records.to {
                return !was_full && self.is_full;
            }
            if record.version <= self.store.version {
                continue;
            }
            if self.store.size() >= MAX_RECORDS && !self.store.contains(&record.key) {
                self.is_full = true;
                continue;
            }
            if let Some(renewed) = &mut self.renewed {
                renewed.insert(record.key.clone());
            }
            changes.extend(self.set(record));
        }
        self.store.version = self.store.version.max(records.to);
        if self.renewed.is_none() {
            let floor = records.floor.min(self.store.version);
            self.store.forget_withdrawals(floor);
        }
        !was_full && self.is_full
    }

    fn set(&mut self, record: Record) -> Option<Change> {
        let key = record.key.known();
        let decode = |octets: &Octets| Value::decode(key?, octets);
        let before = self.store.get(&record.key).and_then(decode);
        let value = record.value.as_ref().and_then(decode);
        let is_change = self.store.set(record.version, record.key, record.value);
        // What is not understood here may have changed.
        let member = self.id;
        let change = key.map(|key| Change { member, key, value });
        change.filter(|change| is_change && before != change.value)
    }

    /// Everything was sent anew: what was not sent is withdrawn.
    pub(super) fn end_renewal(&mut self, changes: &mut Vec<Change>) {
        let Some(renewed) = self.renewed.take() else {
            return;
        };
        let keys = self.store.keys().cloned();
        let gone: Vec<_> = keys.filter(|key| !renewed.contains(key)).collect();
        for key in gone {
            self.store.forget(&key);
            changes.extend(self.withdrawal(&key));
        }
    }

    /// All of it is withdrawn.
    pub(super) fn withdrawals(&self) -> impl Iterator<Item = Change> {
        self.store.keys().filter_map(|key| self.withdrawal(key))
    }

    fn withdrawal(&self, key: &AnyKey) -> Option<Change> {
        key.known().map(|key| Change {
            member: self.id,
            key,
            value: None,
        })
    }
}
