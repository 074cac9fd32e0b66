//! Which nodes, on which of their interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::interface::InterfaceNames;

use super::NodeNames;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All nodes, on all interfaces.
    All,
    /// These, on all of their interfaces.
    Nodes(NodeNames),
    /// What any of these has, of which one at least names interfaces.
    Parts(Vec<Part>),
}

/// Some nodes, on some of their interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// `None`: all.
    nodes: Option<NodeNames>,
    /// `None`: all.
    interfaces: Option<InterfaceNames>,
}

impl Extent {
    /// All nodes, on interfaces of these names.
    pub(super) fn on(interfaces: &InterfaceNames) -> Self {
        Self::of_parts([Part {
            nodes: None,
            interfaces: Some(interfaces.clone()),
        }])
    }

    /// Whether a node of this name is in it.
    pub(super) fn contains(&self, node: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nodes(names) => names.contains(node),
            Self::Parts(parts) => parts.iter().any(|part| part.has_node(node)),
        }
    }

    /// The names of the interfaces of a node; `None`: all. One that is not in it has those that others
    /// have.
    pub(super) fn interfaces(&self, node: &str) -> Option<InterfaceNames> {
        let Self::Parts(parts) = self else {
            return None;
        };
        let is_among = parts.iter().any(|part| part.has_node(node));
        let parts = parts.iter();
        let parts = parts.filter(|part| !is_among || part.has_node(node));
        let names = parts.map(|part| part.interfaces.clone());
        names
            .reduce(|some, more| join(some, more, union_of_interfaces))
            .flatten()
    }

    /// The names of its nodes, each once; `None`: all.
    pub(super) fn nodes(&self) -> Option<Box<dyn Iterator<Item = &Arc<str>> + '_>> {
        match self {
            Self::All => None,
            Self::Nodes(names) => Some(Box::new(names.iter())),
            Self::Parts(parts) => {
                let names: Option<Vec<_>> = parts.iter().map(|part| part.nodes.as_ref()).collect();
                let names: BTreeSet<_> = names?.into_iter().flatten().collect();
                Some(Box::new(names.into_iter()))
            }
        }
    }

    /// What is in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, extent) | (extent, Self::All) => extent.clone(),
            (Self::Nodes(mine), Self::Nodes(theirs)) => Self::Nodes(mine & theirs),
            (Self::Nodes(_) | Self::Parts(_), Self::Nodes(_) | Self::Parts(_)) => {
                let theirs = other.parts();
                let mine = self.parts().into_iter();
                Self::of_parts(mine.flat_map(|part| {
                    let both = theirs.iter().map(move |other| part.and(other));
                    both.collect::<Vec<_>>()
                }))
            }
        }
    }

    /// What is in either.
    pub(super) fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Nodes(mine), Self::Nodes(theirs)) => Self::Nodes(mine | theirs),
            (Self::Nodes(_) | Self::Parts(_), Self::Nodes(_) | Self::Parts(_)) => {
                if self == other {
                    return self.clone();
                }
                Self::of_parts(self.parts().into_iter().chain(other.parts()))
            }
        }
    }

    fn parts(&self) -> Vec<Part> {
        let nodes = match self {
            Self::All => None,
            Self::Nodes(names) => Some(names.clone()),
            Self::Parts(parts) => return parts.clone(),
        };
        vec![Part {
            nodes,
            interfaces: None,
        }]
    }

    /// What any of these has; one part for each set of interfaces.
    fn of_parts(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut by_interfaces: BTreeMap<Option<InterfaceNames>, Option<NodeNames>> =
            BTreeMap::new();
        for part in parts {
            let nodes = by_interfaces.remove(&part.interfaces);
            let nodes = match nodes {
                Some(nodes) => join(nodes, part.nodes, |mine, theirs| mine | theirs),
                None => part.nodes,
            };
            by_interfaces.insert(part.interfaces, nodes);
        }
        by_interfaces.retain(|interfaces, nodes| {
            let is_somewhere = interfaces.as_ref().is_none_or(|names| !names.is_empty());
            is_somewhere && nodes.as_ref().is_none_or(|nodes| !nodes.is_empty())
        });
        match by_interfaces.remove(&None) {
            Some(None) => Self::All,
            nodes if by_interfaces.is_empty() => Self::Nodes(nodes.flatten().unwrap_or_default()),
            nodes => {
                let nodes = nodes.map(|nodes| (None, nodes));
                let parts = nodes.into_iter().chain(by_interfaces);
                let parts = parts.map(|(interfaces, nodes)| Part { nodes, interfaces });
                Self::Parts(parts.collect())
            }
        }
    }
}

impl Part {
    fn has_node(&self, node: &str) -> bool {
        self.nodes.as_ref().is_none_or(|names| names.contains(node))
    }

    fn and(&self, other: &Self) -> Self {
        let meet = |mine: &NodeNames, theirs: &NodeNames| mine & theirs;
        let interfaces = match (&self.interfaces, &other.interfaces) {
            (Some(mine), Some(theirs)) => Some(Arc::new(meet(mine, theirs))),
            (names, None) | (None, names) => names.clone(),
        };
        let nodes = match (&self.nodes, &other.nodes) {
            (Some(mine), Some(theirs)) => Some(meet(mine, theirs)),
            (names, None) | (None, names) => names.clone(),
        };
        Self { nodes, interfaces }
    }
}

/// Both of two, of which `None` is all.
fn join<T>(mine: Option<T>, theirs: Option<T>, union: impl Fn(&T, &T) -> T) -> Option<T> {
    Some(union(&mine?, &theirs?))
}

fn union_of_interfaces(mine: &InterfaceNames, theirs: &InterfaceNames) -> InterfaceNames {
    if theirs.is_subset(mine) {
        return mine.clone();
    }
    Arc::new(&**mine | &**theirs)
}
