//! What the driver knows of the journal, and what it wants written there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use carillon_core::config::PoolName;
use carillon_core::service::ServiceKey;
use carillon_core::sorted::pack;

use super::{Answer, Commit, Given, News, Outcome};

/// The entries of the journal, and those that are on their way there.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<ServiceKey, Entry>,
    /// Decided, and not sent.
    pending: BTreeMap<ServiceKey, Given>,
    sent: Option<Sent>,
    /// What has not been written because the file could not be.
    unsaved: BTreeSet<ServiceKey>,
    version: u64,
    is_read: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    given: Given,
    /// Another daemon (or an earlier run of this one) wrote it, and it has not been found to fit.
    is_foreign: bool,
}

/// Lines that are being written.
#[derive(Debug)]
struct Sent {
    lines: BTreeMap<ServiceKey, Given>,
    /// Others have written since it was decided, so it will be refused.
    is_void: bool,
}

/// What follows from an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The services whose entries others have changed.
    pub(crate) changed: BTreeSet<ServiceKey>,
    /// The services whose entries are now what was decided here.
    pub(crate) entered: BTreeSet<ServiceKey>,
    /// The services about which has to be decided anew.
    pub(crate) void: BTreeSet<ServiceKey>,
}

impl Ledger {
    /// Whether it is known what services have.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    /// The addresses of a service, if it has an entry.
    pub(crate) fn addresses(&self, service: &ServiceKey) -> Option<&[IpAddr]> {
        let entry = self.entries.get(service)?;
        Some(&entry.given.addresses)
    }

    /// The pool that the addresses of a service were given from, if that was noted.
    pub(crate) fn pool(&self, service: &ServiceKey) -> Option<&PoolName> {
        self.entries.get(service)?.given.pool.as_ref()
    }

    /// Whether the entry of a service is somebody else's word.
    pub(crate) fn is_foreign(&self, service: &ServiceKey) -> bool {
        self.entries
            .get(service)
            .is_some_and(|entry| entry.is_foreign)
    }

    /// Takes no more memory than the entries need.
    pub(crate) fn pack(&mut self) {
        pack(&mut self.entries);
    }

    /// The services whose entries are somebody else's word.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &ServiceKey> {
        let foreign = self.entries.iter().filter(|(_, entry)| entry.is_foreign);
        foreign.map(|(key, _)| key)
    }

    /// The entry of a service fits what is known here: it is as good as our own word.
    pub(crate) fn adopt(&mut self, service: &ServiceKey) {
        if let Some(entry) = self.entries.get_mut(service) {
            entry.is_foreign = false;
        }
    }

    /// The services that have an entry.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.entries.keys()
    }

    /// Whether a service has one of these addresses.
    pub(crate) fn has_any(&self, addresses: &[IpAddr]) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| {
            entry
                .given
                .addresses
                .iter()
                .any(|one| addresses.contains(one))
        })
    }

    /// Whether something about a service is on its way to the journal.
    pub(crate) fn is_under_way(&self, service: &ServiceKey) -> bool {
        let sent = self.sent.as_ref();
        self.pending.contains_key(service)
            || sent.is_some_and(|sent| !sent.is_void && sent.lines.contains_key(service))
    }

    /// Whether something could not be written.
    pub(crate) fn has_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// Notes what a service is to have; no addresses end its entry. Returns whether that is in the
    /// journal already.
    pub(crate) fn record(&mut self, service: &ServiceKey, given: Given) -> bool {
        let has = self.entries.get(service).map(|entry| &entry.given);
        let is_same = has.map_or(given.addresses.is_empty(), |has| *has == given);
        if is_same && !self.is_under_way(service) {
            return true;
        }
        self.pending.insert(service.clone(), given);
        false
    }

    /// What is to be written next, if the last has been answered: what was decided, and what could
    /// not be written before, if that is to be tried.
    pub(crate) fn next(&mut self, tries_again: bool) -> Option<Commit> {
        if self.sent.is_some() || !self.is_read {
            return None;
        }
        let mut lines = std::mem::take(&mut self.pending);
        if tries_again {
            for key in std::mem::take(&mut self.unsaved) {
                let given = self.entries.get(&key).map(|entry| entry.given.clone());
                lines.entry(key).or_insert(given.unwrap_or_default());
            }
        }
        if lines.is_empty() {
            return None;
        }
        let commit = Commit {
            version: self.version,
            lines: lines.clone().into_iter().collect(),
            entries: self.entries.len(),
        };
        self.sent = Some(Sent {
            lines,
            is_void: false,
        });
        Some(commit)
    }

    /// Takes in an answer.
    pub(crate) fn take(&mut self, answer: &mut Answer) -> Taken {
        let mut taken = Taken::default();
        self.version = answer.version;
        if let Some(outcome) = answer.outcome
            && let Some(sent) = self.sent.take()
        {
            self.answered(sent, outcome, &mut taken);
        }
        if let Some(news) = answer.news.take() {
            taken.changed = self.learn(news);
        } else if answer.is_unreadable {
            return taken;
        }
        self.is_read = true;
        if !taken.changed.is_empty() {
            taken
                .void
                .extend(std::mem::take(&mut self.pending).into_keys());
            if let Some(sent) = &mut self.sent {
                taken.void.extend(sent.lines.keys().cloned());
                sent.is_void = true;
            }
        }
        taken
    }

    fn answered(&mut self, sent: Sent, outcome: Outcome, taken: &mut Taken) {
        let keys = sent.lines.keys().cloned();
        match outcome {
            Outcome::Refused if sent.is_void => {}
            Outcome::Refused => {
                taken.void.extend(keys);
                taken
                    .void
                    .extend(std::mem::take(&mut self.pending).into_keys());
            }
            // Without a file it is remembered until the end of the process.
            Outcome::Failed => {
                self.unsaved.extend(keys);
                self.enter(sent, taken);
            }
            Outcome::Written => self.enter(sent, taken),
        }
    }

    fn enter(&mut self, sent: Sent, taken: &mut Taken) {
        for (key, given) in sent.lines {
            self.apply(key.clone(), given, false);
            taken.entered.insert(key);
        }
    }

    fn apply(&mut self, service: ServiceKey, given: Given, is_foreign: bool) {
        if given.addresses.is_empty() {
            self.entries.remove(&service);
        } else {
            self.entries.insert(service, Entry { given, is_foreign });
        }
    }

    /// Takes in what others have written. Returns the services whose addresses that changes.
    fn learn(&mut self, news: News) -> BTreeSet<ServiceKey> {
        if !news.is_whole {
            let mut changed = BTreeSet::new();
            for (key, given) in news.entries {
                self.unsaved.remove(&key);
                if *self.addresses(&key).unwrap_or_default() != *given.addresses {
                    self.apply(key.clone(), given, true);
                    changed.insert(key);
                }
            }
            return changed;
        }
        let before = std::mem::take(&mut self.entries);
        let is_empty = news.entries.is_empty();
        for (key, given) in news.entries {
            self.apply(key, given, true);
        }
        self.compare(before, is_empty)
    }

    /// What changed, when the whole file has been read anew. A file that was emptied or deleted
    /// says nothing about the services; what was known of them is written again.
    fn compare(
        &mut self,
        before: BTreeMap<ServiceKey, Entry>,
        is_empty: bool,
    ) -> BTreeSet<ServiceKey> {
        if is_empty {
            self.unsaved.extend(before.keys().cloned());
            self.entries = before;
            return BTreeSet::new();
        }
        for key in &self.unsaved {
            if let (false, Some(entry)) = (self.entries.contains_key(key), before.get(key)) {
                self.entries.insert(key.clone(), entry.clone());
            }
        }
        for (key, entry) in &before {
            let now = self.entries.get_mut(key);
            if let Some(now) = now.filter(|now| now.given.addresses == entry.given.addresses) {
                now.is_foreign = entry.is_foreign;
            }
        }
        let addresses = |entries: &BTreeMap<ServiceKey, Entry>, key: &ServiceKey| {
            entries.get(key).map(|entry| entry.given.addresses.clone())
        };
        let keys: BTreeSet<&ServiceKey> = before.keys().chain(self.entries.keys()).collect();
        let differs = |key: &&ServiceKey| addresses(&before, key) != addresses(&self.entries, key);
        keys.into_iter().filter(differs).cloned().collect()
    }
}
