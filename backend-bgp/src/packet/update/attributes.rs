//! All attributes of a route, apart from what is the same for all routes of a session.

use super::attribute::Attribute;
use crate::packet::context::PeerType;

#[cfg(test)]
mod tests;

/// What routes are given: at most one attribute of a type. Kept as it is told to each kind of peer,
/// for tables of routes are compared by that.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributes {
    internal: Sorted,
    external: Sorted,
}

impl Attributes {
    /// With this attribute in the place of one of its type; without one, as before.
    pub fn with<A: Into<Attribute>>(mut self, attribute: Option<A>) -> Self {
        if let Some(attribute) = attribute.map(Into::into) {
            for (peer_type, attributes) in [
                (PeerType::Internal, &mut self.internal),
                (PeerType::External, &mut self.external),
            ] {
                if attribute.is_for(peer_type) {
                    attributes.put(&attribute, |present| present.clone_from(&attribute));
                }
            }
        }
        self
    }

    /// The attributes of a route that both are meant for.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.internal.merge(&other.internal);
        union.external.merge(&other.external);
        union
    }

    /// What peers of this kind are told of them, ascending by their codes.
    pub fn for_peer(&self, peer_type: PeerType) -> &[Attribute] {
        match peer_type {
            PeerType::Internal => &self.internal.0,
            PeerType::External => &self.external.0,
        }
    }
}

/// Attributes ascending by their codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Sorted(Vec<Attribute>);

impl Sorted {
    /// Changes the attribute of this type, or adds this one.
    fn put(&mut self, attribute: &Attribute, change: impl Fn(&mut Attribute)) {
        let code = attribute.code();
        match self.0.binary_search_by_key(&code, Attribute::code) {
            Ok(at) => self.0.get_mut(at).into_iter().for_each(change),
            Err(at) => self.0.insert(at, attribute.clone()),
        }
    }

    fn merge(&mut self, other: &Self) {
        for attribute in &other.0 {
            self.put(attribute, |present| present.merge(attribute));
        }
    }
}
