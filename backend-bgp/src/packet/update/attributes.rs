//! All attributes of a route, apart from what is the same for all routes of a session.

use std::cmp::Ordering;
use std::fmt;

use super::attribute::Attribute;
use crate::packet::context::PeerType;

#[cfg(test)]
mod tests;

/// What routes are given: at most one attribute of a type, ascending by their codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    /// With this attribute in the place of one of its type; without one, as before.
    pub fn with<A: Into<Attribute>>(mut self, attribute: Option<A>) -> Self {
        if let Some(attribute) = attribute.map(Into::into) {
            match self.position(&attribute) {
                Ok(at) => {
                    if let Some(present) = self.0.get_mut(at) {
                        *present = attribute;
                    }
                }
                Err(at) => self.0.insert(at, attribute),
            }
        }
        self
    }

    /// The attributes of a route that both are meant for.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for attribute in &other.0 {
            match union.position(attribute) {
                Ok(at) => {
                    if let Some(present) = union.0.get_mut(at) {
                        present.merge(attribute);
                    }
                }
                Err(at) => union.0.insert(at, attribute.clone()),
            }
        }
        union
    }

    /// What peers of this kind are told of them.
    pub fn for_peer(&self, peer_type: PeerType) -> ForPeer<'_> {
        ForPeer {
            attributes: &self.0,
            peer_type,
        }
    }

    /// Where an attribute of this type is, or would have its place.
    fn position(&self, attribute: &Attribute) -> Result<usize, usize> {
        self.0
            .binary_search_by_key(&attribute.code(), Attribute::code)
    }
}

/// Attributes as peers of one kind see them. They are equal if such a peer could not tell them
/// apart.
#[derive(Clone, Copy)]
pub struct ForPeer<'a> {
    attributes: &'a [Attribute],
    peer_type: PeerType,
}

impl<'a> ForPeer<'a> {
    /// The attributes that are told, ascending by their codes.
    pub fn iter(self) -> impl Iterator<Item = &'a Attribute> {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.is_for(self.peer_type))
    }
}

impl PartialEq for ForPeer<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ForPeer<'_> {}

impl PartialOrd for ForPeer<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ForPeer<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Most routes share their attributes with many others.
        if std::ptr::eq(self.attributes, other.attributes) && self.peer_type == other.peer_type {
            return Ordering::Equal;
        }
        self.iter().cmp(other.iter())
    }
}

impl fmt::Debug for ForPeer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
