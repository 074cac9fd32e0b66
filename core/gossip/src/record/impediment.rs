//! Why a member says that its node is not to have VIPs, be it able to or not.

use std::fmt;

/// A reason, in the order of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impediment {
    /// Somebody has drained the node, or it is about to stop: its VIPs are to go to others.
    Draining,
    /// A label or a condition of its Node says that it must not announce.
    Excluded,
}

impl Impediment {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 2] = [Self::Draining, Self::Excluded];

    /// The number of the field by which others are told (`record/fields.rs`).
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Draining => 5,
            Self::Excluded => 6,
        }
    }

    /// Whether the node counts for nothing as long as it is so. Otherwise VIPs are for it all the same:
    /// it only is no time to give it any, and what it has is to go to others if there are some.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Draining => false,
            Self::Excluded => true,
        }
    }
}

/// What is to be said of the node.
impl fmt::Display for Impediment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draining => "it is draining",
            Self::Excluded => "its node is excluded",
        })
    }
}
