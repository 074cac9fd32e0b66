//! Which nodes may have a VIP, and on which of their interfaces, as far as its services and
//! advertisements decide that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::interface::InterfaceNames;

#[cfg(test)]
mod tests;

/// Names of nodes.
type NodeNames = BTreeSet<Arc<str>>;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All nodes, on all interfaces.
    Anywhere,
    /// Not all.
    Within(Arc<Bounds>),
}

/// What is not all.
#[derive(Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Those with an endpoint that can serve (external traffic policy `Local`), or that the
    /// advertisements are for, or both; on all of their interfaces.
    Nodes(NodeNames),
    /// What any of these has, of which one at least names interfaces.
    Parts(Vec<Part>),
}

/// Some nodes, on some of their interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `None`: all.
    nodes: Option<NodeNames>,
    /// `None`: all.
    interfaces: Option<InterfaceNames>,
}

impl Scope {
    /// These nodes, on all of their interfaces.
    pub fn of_nodes(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self::Within(Arc::new(Bounds::Nodes(names.into_iter().collect())))
    }

    /// The same nodes, on interfaces of these names only; on all if there are none.
    #[must_use]
    pub fn on(self, interfaces: &InterfaceNames) -> Self {
        if interfaces.is_empty() {
            return self;
        }
        self.and(Self::of_parts([Part {
            nodes: None,
            interfaces: Some(interfaces.clone()),
        }]))
    }

    /// Whether a node of this name may have it.
    pub fn contains(&self, node: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(bounds) => match &**bounds {
                Bounds::Nodes(names) => names.contains(node),
                Bounds::Parts(parts) => parts.iter().any(|part| part.has_node(node)),
            },
        }
    }

    /// Whether it is for interfaces of some names only.
    pub fn names_interfaces(&self) -> bool {
        match self {
            Self::Anywhere => false,
            Self::Within(bounds) => match **bounds {
                Bounds::Nodes(_) => false,
                Bounds::Parts(_) => true,
            },
        }
    }

    /// The names of the interfaces on which a node may have it; `None`: all. One that may not have it,
    /// but does until another one does, has it where those may.
    pub fn interfaces(&self, node: &str) -> Option<InterfaceNames> {
        let Self::Within(bounds) = self else {
            return None;
        };
        let Bounds::Parts(parts) = &**bounds else {
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
    pub fn nodes(&self) -> Option<Box<dyn Iterator<Item = &Arc<str>> + '_>> {
        let Self::Within(bounds) = self else {
            return None;
        };
        match &**bounds {
            Bounds::Nodes(names) => Some(Box::new(names.iter())),
            Bounds::Parts(parts) => {
                let names: Option<Vec<_>> = parts.iter().map(|part| part.nodes.as_ref()).collect();
                let names: BTreeSet<_> = names?.into_iter().flatten().collect();
                Some(Box::new(names.into_iter()))
            }
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (mine, theirs) = match (self, other) {
            (Self::Anywhere, scope) | (scope, Self::Anywhere) => return scope,
            (Self::Within(mine), Self::Within(theirs)) => (mine, theirs),
        };
        if let (Bounds::Nodes(mine), Bounds::Nodes(theirs)) = (&*mine, &*theirs) {
            return Self::of_nodes(mine.intersection(theirs).cloned());
        }
        let theirs = theirs.parts();
        let mine = mine.parts().into_iter();
        Self::of_parts(mine.flat_map(|part| {
            let both = theirs.iter().map(move |other| part.and(other));
            both.collect::<Vec<_>>()
        }))
    }

    /// The scope of a VIP that services or advertisements of these two share.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (mine, theirs) = match (self, other) {
            (Self::Anywhere, _) | (_, Self::Anywhere) => return Self::Anywhere,
            (Self::Within(mine), Self::Within(theirs)) if mine == theirs => {
                return Self::Within(mine);
            }
            (Self::Within(mine), Self::Within(theirs)) => (mine, theirs),
        };
        if let (Bounds::Nodes(mine), Bounds::Nodes(theirs)) = (&*mine, &*theirs) {
            return Self::of_nodes(mine.union(theirs).cloned());
        }
        Self::of_parts(mine.parts().into_iter().chain(theirs.parts()))
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
            Some(None) => Self::Anywhere,
            nodes if by_interfaces.is_empty() => {
                Self::of_nodes(nodes.flatten().unwrap_or_default())
            }
            nodes => {
                let nodes = nodes.map(|nodes| (None, nodes));
                let parts = nodes.into_iter().chain(by_interfaces);
                let parts = parts.map(|(interfaces, nodes)| Part { nodes, interfaces });
                Self::Within(Arc::new(Bounds::Parts(parts.collect())))
            }
        }
    }
}

impl Bounds {
    fn parts(&self) -> Vec<Part> {
        match self {
            Self::Nodes(names) => vec![Part {
                nodes: Some(names.clone()),
                interfaces: None,
            }],
            Self::Parts(parts) => parts.clone(),
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
