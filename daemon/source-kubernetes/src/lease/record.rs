//! What a Lease says, and what is asked about it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::DURATION;

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// `spec.holderIdentity`; empty when it was given back.
    pub(crate) holder: String,
    /// `spec.leaseDurationSeconds`.
    pub(crate) duration: Duration,
    /// `spec.acquireTime`, in whole microseconds.
    pub(crate) acquired: Option<Timestamp>,
    /// `spec.renewTime`, in whole microseconds.
    pub(crate) renewed: Option<Timestamp>,
    /// `spec.leaseTransitions`.
    pub(crate) transitions: i32,
}

impl Record {
    /// That `me` takes the Lease after what is stored.
    pub(super) fn of(me: &str, before: Option<&StoredLease>, wall: Timestamp) -> Self {
        Self {
            holder: me.to_owned(),
            duration: DURATION,
            acquired: Some(wall),
            renewed: Some(wall),
            transitions: transitions(me, before),
        }
    }

    /// The same record, renewed.
    pub(super) fn renewed(&self, wall: Timestamp) -> Self {
        Self {
            duration: DURATION,
            renewed: Some(wall),
            ..self.clone()
        }
    }

    /// That nobody has the Lease any more.
    pub(super) fn given_back(me: &str, before: Option<&StoredLease>, wall: Timestamp) -> Self {
        Self {
            holder: String::new(),
            // As client-go does: who honours the duration whoever holds it need not wait long.
            duration: Duration::from_secs(1),
            acquired: None,
            renewed: Some(wall),
            transitions: transitions(me, before),
        }
    }
}

/// How often it went from one to another, counting the next time.
fn transitions(me: &str, before: Option<&StoredLease>) -> i32 {
    before.map_or(0, |stored| {
        let holder = &*stored.record.holder;
        let changes = holder != me && !holder.is_empty();
        stored.record.transitions.saturating_add(changes.into())
    })
}

/// A Lease as the API server stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredLease {
    /// `metadata.resourceVersion`.
    pub(crate) version: String,
    /// What it says.
    pub(crate) record: Record,
}

/// What to ask of the API server. Each is answered with [`super::Lease::answered`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Read the Lease, from etcd.
    Read,
    /// Replace this version by this record, or create it if there is no version.
    Write(Option<String>, Record),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeaseAnswer {
    /// It is stored like this now, or is not there.
    Is(Option<StoredLease>),
    /// The Lease has another version, exists already or does not exist: nothing was written.
    Conflict,
    /// Nobody knows; it may even take effect later.
    Failed,
}

/// Whether a version is newer than another. Versions are numbers that grow; where they are not,
/// another one counts as newer.
pub(super) fn is_newer(version: &str, than: &str) -> bool {
    match (version.parse::<u128>(), than.parse::<u128>()) {
        (Ok(version), Ok(than)) => version > than,
        _ => version != than,
    }
}
