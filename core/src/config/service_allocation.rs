//! Which services a pool is for, and before which other pools they get its addresses.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arcstr::ArcStr;

use crate::labels::Labels;
use crate::selector::Selector;

#[cfg(test)]
mod tests;

/// What a pool says of the services that it is for; `spec.serviceAllocation` of an `IPAddressPool`. The
/// default restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAllocation {
    /// Its place among the pools that a service may have.
    pub priority: Priority,
    /// Names of namespaces, which need not be there.
    pub namespaces: BTreeSet<ArcStr>,
    /// Further namespaces: those whose labels one of these matches.
    pub namespace_selectors: Vec<Selector>,
    /// The services whose labels one of these matches; without any all those of the namespaces.
    pub service_selectors: Vec<Selector>,
}

/// A place among pools. A lower number comes first; 0 is none, and comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Priority(pub i64);

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |priority: &Self| (priority.0 == 0, priority.0);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ServiceAllocation {
    /// Whether it is for the services of some namespaces only. Selectors that match no namespace still
    /// say so.
    pub fn has_namespaces(&self) -> bool {
        !self.namespaces.is_empty() || !self.namespace_selectors.is_empty()
    }

    /// Whether it is for services of the namespace of this name with these labels, as far as that
    /// decides.
    pub fn is_for_namespace(&self, name: &str, labels: &Labels) -> bool {
        let mut selectors = self.namespace_selectors.iter();
        !self.has_namespaces()
            || self.namespaces.contains(name)
            || selectors.any(|selector| selector.matches(labels))
    }

    /// Whether it is for services with these labels, as far as these decide.
    pub fn is_for_labels(&self, labels: &Labels) -> bool {
        let mut selectors = self.service_selectors.iter();
        self.service_selectors.is_empty() || selectors.any(|selector| selector.matches(labels))
    }
}
