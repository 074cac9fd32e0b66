//! What must be decided anew.

use std::collections::BTreeSet;

use crate::service::ServiceKey;

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum Dirty {
    /// All Services.
    All,
    /// These.
    Some(BTreeSet<ServiceKey>),
}

impl Dirty {
    /// Adds a Service.
    pub(super) fn mark(&mut self, key: ServiceKey) {
        if let Self::Some(keys) = self {
            keys.insert(key);
        }
    }

    /// These Services, and none from here on; `all` are the names of all.
    pub(super) fn take(
        &mut self,
        all: impl FnOnce() -> BTreeSet<ServiceKey>,
    ) -> BTreeSet<ServiceKey> {
        match std::mem::replace(self, Self::Some(BTreeSet::new())) {
            Self::All => all(),
            Self::Some(keys) => keys,
        }
    }
}
