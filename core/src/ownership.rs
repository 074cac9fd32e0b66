//! Who announces a VIP that only one node of a segment may announce.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Which nodes may have a VIP, as far as its services decide that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Anywhere,
    /// Those with an endpoint that can serve: external traffic policy `Local`.
    Nodes(Arc<BTreeSet<Arc<str>>>),
}

impl Scope {
    /// Whether a node of this name may have it.
    pub fn contains(&self, node: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Nodes(names) => names.contains(node),
        }
    }

    /// The scope of a VIP that services of these two share.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nodes(mine), Self::Nodes(theirs)) if mine == theirs => Self::Nodes(mine),
            (Self::Nodes(mine), Self::Nodes(theirs)) => {
                Self::Nodes(Arc::new(mine.union(&theirs).cloned().collect()))
            }
            (Self::Anywhere, _) | (_, Self::Anywhere) => Self::Anywhere,
        }
    }
}

/// Who has a VIP, as seen from this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// This node announces it.
    Here {
        /// [`crate::announcement::Announcement::round`].
        round: u64,
    },
    /// This node does not.
    Elsewhere {
        /// The name of the node that does, if one is known.
        owner: Option<Arc<str>>,
        /// This node cannot talk to that one and must look on the segment whether it is there,
        /// [`crate::announcement::AnnouncementSet::watched`].
        watched: bool,
    },
}
