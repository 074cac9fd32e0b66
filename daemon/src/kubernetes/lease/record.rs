//! What a Lease says, and what is asked about it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

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
