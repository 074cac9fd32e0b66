//! Which nodes may have a VIP, on which of their interfaces, and which of them come first, as far as its
//! services and advertisements decide that.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::interface::InterfaceNames;

mod extent;
mod preference;
#[cfg(test)]
mod tests;

pub use preference::Weights;

use extent::Extent;
use preference::Preference;

/// Names of nodes.
type NodeNames = BTreeSet<Arc<str>>;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All nodes alike, on all interfaces.
    Anywhere,
    /// Not all, or not all alike.
    Within(Arc<Bounds>),
}

/// What is not all, or not alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Those with an endpoint that can serve (external traffic policy `Local`), or that the
    /// advertisements are for, or both.
    extent: Extent,
    /// Of none that is not in it.
    preference: Preference,
}

static ALL: Extent = Extent::All;

impl Scope {
    /// These nodes, on all of their interfaces.
    pub fn of_nodes(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        let extent = Extent::Nodes(names.into_iter().collect());
        Self::new(extent, Preference::default())
    }

    fn new(extent: Extent, mut preference: Preference) -> Self {
        preference.weights.retain(|node, _| extent.contains(node));
        preference.last_resort.retain(|node| extent.contains(node));
        let are_last = |mut nodes: Box<dyn Iterator<Item = &Arc<str>> + '_>| {
            nodes.all(|node| preference.last_resort.contains(node))
        };
        // Before others that are not there nobody comes last.
        if extent.nodes().is_some_and(are_last) {
            preference.last_resort.clear();
        }
        if extent == Extent::All && preference.is_none() {
            return Self::Anywhere;
        }
        Self::Within(Arc::new(Bounds { extent, preference }))
    }

    /// The same nodes, on interfaces of these names only; on all if there are none.
    #[must_use]
    pub fn on(self, interfaces: &InterfaceNames) -> Self {
        if interfaces.is_empty() {
            return self;
        }
        let extent = self.extent().and(&Extent::on(interfaces));
        Self::new(extent, self.preference())
    }

    /// The same nodes, of which these may only have it while none of the others can.
    #[must_use]
    pub fn with_last_resort(self, nodes: impl IntoIterator<Item = Arc<str>>) -> Self {
        let mut preference = self.preference();
        preference.last_resort.extend(nodes);
        Self::new(self.extent().clone(), preference)
    }

    /// The same nodes, preferred by these weights.
    #[must_use]
    pub fn preferring(self, weights: Weights) -> Self {
        let mut preference = self.preference();
        preference.weights = weights;
        Self::new(self.extent().clone(), preference)
    }

    /// Whether a node of this name may have it.
    pub fn contains(&self, node: &str) -> bool {
        self.extent().contains(node)
    }

    /// Whether a node may only have it while none of those can that are not of last resort, too.
    pub fn is_last_resort(&self, node: &str) -> bool {
        match self {
            Self::Anywhere => false,
            Self::Within(bounds) => bounds.preference.last_resort.contains(node),
        }
    }

    /// By how much which nodes are preferred; `None`: no node is.
    pub fn weights(&self) -> Option<&Weights> {
        let Self::Within(bounds) = self else {
            return None;
        };
        let weights = &bounds.preference.weights;
        (!weights.is_empty()).then_some(weights)
    }

    /// Whether it is for interfaces of some names only.
    pub fn names_interfaces(&self) -> bool {
        matches!(self.extent(), Extent::Parts(_))
    }

    /// The names of the interfaces on which a node may have it; `None`: all. One that may not have it,
    /// but does until another one does, has it where those may.
    pub fn interfaces(&self, node: &str) -> Option<InterfaceNames> {
        self.extent().interfaces(node)
    }

    /// The names of its nodes, each once; `None`: all.
    pub fn nodes(&self) -> Option<Box<dyn Iterator<Item = &Arc<str>> + '_>> {
        self.extent().nodes()
    }

    /// What is in both. Who is of last resort in one of them is it in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (mine, theirs) = match (self, other) {
            (Self::Anywhere, scope) | (scope, Self::Anywhere) => return scope,
            (Self::Within(mine), Self::Within(theirs)) => (mine, theirs),
        };
        let (first, second) = (&mine.preference, &theirs.preference);
        let preference = Preference {
            last_resort: &first.last_resort | &second.last_resort,
            weights: first.higher_weights(second),
        };
        Self::new(mine.extent.and(&theirs.extent), preference)
    }

    /// The scope of a VIP that services or advertisements of these two share. Who is of last resort in
    /// one of them is not if it is in the other for itself.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == other {
            return other;
        }
        let (mine, theirs) = (self.preference(), other.preference());
        let is_first =
            |scope: &Self, node: &Arc<str>| scope.contains(node) && !scope.is_last_resort(node);
        let last_resort = mine.last_resort.union(&theirs.last_resort);
        let last_resort =
            last_resort.filter(|node| !is_first(&self, node) && !is_first(&other, node));
        let preference = Preference {
            last_resort: last_resort.cloned().collect(),
            weights: mine.higher_weights(&theirs),
        };
        Self::new(self.extent().or(other.extent()), preference)
    }

    fn extent(&self) -> &Extent {
        match self {
            Self::Anywhere => &ALL,
            Self::Within(bounds) => &bounds.extent,
        }
    }

    fn preference(&self) -> Preference {
        match self {
            Self::Anywhere => Preference::default(),
            Self::Within(bounds) => bounds.preference.clone(),
        }
    }
}
