//! COMMUNITIES (RFC 1997).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use carillon_core::config::Community;

use super::attribute_type::{AttributeType, OPTIONAL_TRANSITIVE, Value, anyone, list_of};
use crate::packet::update::problem::Approach;

/// The communities of a route, ascending; at least one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Communities(Arc<[Community]>);

impl Communities {
    /// These communities; `None` if there are none, for an empty attribute is malformed.
    pub fn new(communities: impl IntoIterator<Item = Community>) -> Option<Self> {
        let communities: BTreeSet<_> = communities.into_iter().collect();
        (!communities.is_empty()).then(|| Self(communities.into_iter().collect()))
    }
}

impl Value for Communities {
    /// RFC 7606 section 7.8.
    const TYPE: AttributeType = AttributeType {
        code: 8,
        name: "COMMUNITIES",
        flags: OPTIONAL_TRANSITIVE,
        expected: anyone,
        check: list_of::<4>,
        approach: Approach::TreatAsWithdraw,
    };

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.0.iter().flat_map(|one| one.0.to_be_bytes()));
    }

    fn merge(&mut self, other: &Self) {
        let both: BTreeSet<_> = self.0.iter().chain(&*other.0).copied().collect();
        self.0 = both.into_iter().collect();
    }
}

impl fmt::Display for Communities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("communities")?;
        self.0.iter().try_for_each(|one| write!(f, " {one}"))
    }
}
