//! What every member says of itself, at all others.
//!
//! Each member numbers what it says. A [`Records`] has all that it still says out of a range of
//! these versions, so whoever has everything before the range, has everything up to its end
//! afterwards. A change is pushed to all members at once; whoever sees a gap pulls; and about once
//! a second, a member compares a hash of what it has with another one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::detector::hash;
use super::record::{AnyKey, Key, Octets, Value};
use super::session::MAX_PEERS;
use super::status::Note;
use super::wire::{Message, Record, Records, Vector, encode};

mod pull;
mod remote;
mod store;

use remote::Remote;
use store::Store;

/// How many records of one member there may be, and withdrawals.
pub(crate) const MAX_RECORDS: usize = 65_536;
/// How many datagrams answer one pull.
const WINDOW: usize = 16;
/// How many datagrams of a change are pushed; the rest is pulled.
const PUSHED: usize = 4;
/// How many members are named in one datagram.
const VECTOR: usize = 24;
/// How long the records of a member that is down are remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A record has changed, or was withdrawn.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) member: MemberId,
    pub(crate) key: Key,
    pub(crate) value: Option<Value>,
}

/// What is known of the records of all members.
#[derive(Debug)]
pub(crate) struct Replica {
    me: MemberId,
    own: Store,
    /// Up to which version all members were told.
    pushed: u64,
    others: BTreeMap<SocketAddr, Remote>,
    /// Those of them of which an answer is waited for, and when they are asked again.
    pulled: BTreeSet<(Instant, SocketAddr)>,
    pub(crate) out: Vec<(SocketAddr, Message)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) notes: Vec<Note>,
}

impl Replica {
    pub(crate) fn new(me: MemberId) -> Self {
        Self {
            me,
            own: Store::default(),
            pushed: 0,
            others: BTreeMap::new(),
            pulled: BTreeSet::new(),
            out: Vec::new(),
            changes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How many records of a member are known.
    pub(crate) fn len(&self, member: MemberId) -> usize {
        let remote = self.others.get(&member.address);
        let remote = remote.filter(|remote| remote.id == member);
        remote.map_or(0, |remote| remote.store.len())
    }

    fn version(&self, member: MemberId) -> u64 {
        if member == self.me {
            return self.own.version;
        }
        let remote = self.others.get(&member.address);
        let remote = remote.filter(|remote| remote.id == member && remote.renewed.is_none());
        remote.map_or(0, |remote| remote.store.version)
    }

    /// The highest generation at this address of which something is known.
    pub(crate) fn generation(&self, address: SocketAddr) -> Option<u64> {
        self.others.get(&address).map(|remote| remote.id.generation)
    }

    pub(crate) fn has(&self, member: MemberId, version: u64) -> bool {
        self.version(member) >= version
    }

    pub(crate) fn publish(&mut self, key: Key, value: Option<Value>) {
        let value = value.map(|value| Octets::from(value.encode()));
        let any = AnyKey::Known(key);
        if value
            .as_ref()
            .is_some_and(|value| !store::fits(&any, value))
        {
            self.notes.push(Note::RecordTooLarge(key));
            return;
        }
        self.set(any, value);
    }

    /// Says something of which this version may know nothing.
    pub(crate) fn set(&mut self, key: AnyKey, value: Option<Octets>) {
        if self.own.get(&key) == value.as_ref() {
            return;
        }
        if self.own.size() >= MAX_RECORDS && !self.own.contains(&key) {
            self.notes.push(Note::TooManyRecords(self.me));
            return;
        }
        self.own.version += 1;
        self.own.set(self.own.version, key, value);
        self.own.forget_old_withdrawals();
    }

    /// This member has another generation now, of which nobody has anything.
    pub(crate) fn rename(&mut self, me: MemberId) {
        self.me = me;
        self.pushed = 0;
    }

    /// Whether something was published since [`Self::push`] was called last.
    pub(crate) fn has_news(&self) -> bool {
        self.pushed != self.own.version
    }

    /// Tells all members what was published since the last call.
    pub(crate) fn push(&mut self, alive: &[MemberId]) {
        if !self.has_news() {
            return;
        }
        if !alive.is_empty() {
            let answer = self.own.answer(self.me, self.pushed, u64::MAX, PUSHED);
            for member in alive {
                for records in &answer {
                    let message = Message::Records(records.clone());
                    self.out.push((member.address, message));
                }
            }
        }
        self.pushed = self.own.version;
    }

    /// A member comes, or shows that it is there.
    pub(crate) fn handle_up(&mut self, member: MemberId, now: Instant) {
        if let Some(remote) = self.remote(member, now) {
            let pull = Message::Pull(member, remote.store.version, remote.basis);
            self.out.push((member.address, pull));
        }
    }

    pub(crate) fn handle_pull(
        &mut self,
        from: SocketAddr,
        member: MemberId,
        after: u64,
        floor: u64,
    ) {
        let (store, is_reduced) = if member == self.me {
            (&self.own, false)
        } else {
            match self.others.get(&member.address) {
                Some(remote) if remote.id == member && remote.renewed.is_none() => {
                    (&remote.store, remote.is_reduced)
                }
                Some(_) | None => return,
            }
        };
        let answer = store.answer(member, after, floor, WINDOW);
        let messages = answer.into_iter().filter_map(|records| {
            if is_reduced {
                records.reduce().map(Message::ReducedRecords)
            } else {
                Some(Message::Records(records))
            }
        });
        self.out.extend(messages.map(|message| (from, message)));
    }

    /// A hash of which records of these members are here.
    pub(crate) fn digest(&self, alive: &[MemberId]) -> u64 {
        hash(&encode(&self.versions(alive)))
    }

    fn versions(&self, alive: &[MemberId]) -> Vec<(MemberId, u64)> {
        let members = alive.iter().copied().chain([self.me]);
        let mut versions: Vec<_> = members
            .map(|member| (member, self.version(member)))
            .collect();
        versions.sort_unstable();
        versions
    }

    pub(crate) fn send_vector(&mut self, to: SocketAddr, alive: &[MemberId], asks: bool) {
        let versions = self.versions(alive);
        let count = versions.len().div_ceil(VECTOR);
        for (index, part) in versions.chunks(VECTOR).enumerate() {
            let vector = Vector {
                versions: part.to_vec(),
                more: u16::try_from(count - index - 1).unwrap_or(u16::MAX),
                asks,
            };
            self.out.push((to, Message::Vector(vector)));
        }
    }

    pub(crate) fn handle_vector(
        &mut self,
        from: SocketAddr,
        versions: &[(MemberId, u64)],
        now: Instant,
    ) {
        for (member, version) in versions {
            if *member != self.me && !self.has(*member, *version) {
                self.pull(*member, from, now);
            }
        }
    }

    /// Whether somebody has records of this very run that it never made: an earlier run had the
    /// same generation.
    pub(crate) fn is_of_other_run(&self, member: MemberId, version: u64) -> bool {
        member == self.me && version > self.own.version
    }

    /// What this member says under this key.
    #[cfg(test)]
    pub(crate) fn get(&self, member: MemberId, key: &AnyKey) -> Option<Octets> {
        let remote = self.others.get(&member.address);
        let remote = remote.filter(|remote| remote.id == member);
        remote?.store.get(key).cloned()
    }

    /// Whether some records of this member may be there in part only.
    pub(crate) fn is_reduced(&self, member: MemberId) -> bool {
        let remote = self.others.get(&member.address);
        remote.is_some_and(|remote| remote.id == member && remote.is_reduced)
    }

    /// Asks this member for all of its records.
    pub(crate) fn renew(&mut self, member: MemberId, now: Instant) {
        if let Some(remote) = self.remote(member, now) {
            remote.is_reduced = false;
            remote.begin_renewal();
            self.end_pull(member.address);
            self.pull(member, member.address, now);
        }
    }

    /// What a member of the present version passes on. Returns whether it is understood.
    pub(crate) fn handle_records(
        &mut self,
        from: SocketAddr,
        records: &Records,
        now: Instant,
    ) -> bool {
        let decoded = records.decode();
        let is_understood = decoded.is_some();
        self.take(from, records, decoded, now);
        is_understood
    }

    /// What a member of version 1 passes on, or one that has it from such a member. It may be only a
    /// part of what another member says.
    pub(crate) fn handle_reduced(
        &mut self,
        from: SocketAddr,
        records: &Records,
        now: Instant,
    ) -> bool {
        let decoded = records.decode_reduced();
        let is_understood = decoded.is_some();
        if from != records.member.address
            && let Some(remote) = self.remote(records.member, now)
        {
            remote.is_reduced = true;
        }
        self.take(from, records, decoded, now);
        is_understood
    }

    fn take(
        &mut self,
        from: SocketAddr,
        records: &Records,
        decoded: Option<Vec<Record>>,
        now: Instant,
    ) {
        let member = records.member;
        if member == self.me {
            return;
        }
        if self.remote(member, now).is_none() {
            return;
        }
        let Some(remote) = self.others.get_mut(&member.address) else {
            return;
        };
        if remote.store.version < records.floor && remote.basis < records.floor {
            if records.after > 0 {
                self.pull(member, from, now);
                return;
            }
            remote.begin_renewal();
            remote.basis = records.floor;
        }
        if records.after > remote.store.version {
            self.pull(member, from, now);
            return;
        }
        let Some(decoded) = decoded else {
            return;
        };
        if remote.apply(records, decoded, &mut self.changes) {
            self.notes.push(Note::TooManyRecords(member));
        }
        if remote.store.version >= records.latest {
            remote.end_renewal(&mut self.changes);
            self.end_pull(member.address);
        } else if records.last {
            self.pull(member, from, now);
        }
    }

    /// What is known of this generation; `None` if a later one is known, or there are too many
    /// members. The records of an earlier one are withdrawn.
    fn remote(&mut self, member: MemberId, now: Instant) -> Option<&mut Remote> {
        let address = member.address;
        if address == self.me.address {
            return None;
        }
        let known = self.others.get(&address).map(|remote| remote.id.generation);
        if known.is_some_and(|known| known > member.generation) {
            return None;
        }
        if known.is_none() && self.others.len() >= MAX_PEERS {
            self.notes.push(Note::TooManyMembers);
            return None;
        }
        if known.is_some_and(|known| known < member.generation) {
            self.forget(address);
        }
        let others = self.others.entry(address);
        Some(others.or_insert_with(|| Remote::new(member, now)))
    }

    pub(crate) fn forget(&mut self, address: SocketAddr) {
        self.end_pull(address);
        let Some(remote) = self.others.remove(&address) else {
            return;
        };
        self.changes.extend(remote.withdrawals());
    }

    /// Forgets members that are down for long.
    pub(crate) fn forget_old(&mut self, alive: &[MemberId], now: Instant) {
        for member in alive {
            if let Some(remote) = self.others.get_mut(&member.address) {
                remote.alive = now;
            }
        }
        let others = self.others.iter();
        let old = others.filter(|(_, remote)| now >= remote.alive + REMEMBERED);
        for address in old.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.forget(address);
        }
    }
}
