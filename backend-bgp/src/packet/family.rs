//! Address families on the wire (RFC 4760).

use carillon_core::address::Family;

use super::cursor::put_field8;

/// The code of the Multiprotocol capability (RFC 4760 section 8).
pub(super) const CAPABILITY_MULTIPROTOCOL: u8 = 1;
/// SAFI 1: routes for unicast forwarding.
pub(super) const SAFI_UNICAST: u8 = 1;

/// The address family identifier (AFI) of a family.
pub fn afi(family: Family) -> u16 {
    match family {
        Family::V4 => 1,
        Family::V6 => 2,
    }
}

/// The family of an AFI and SAFI; `None` for what this speaker has no use for.
pub fn unicast(afi: u16, safi: u8) -> Option<Family> {
    match (afi, safi) {
        (1, SAFI_UNICAST) => Some(Family::V4),
        (2, SAFI_UNICAST) => Some(Family::V6),
        _ => None,
    }
}

/// A set of unicast families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilySet {
    v4: bool,
    v6: bool,
}

impl FamilySet {
    /// Adds a family.
    pub fn insert(&mut self, family: Family) {
        match family {
            Family::V4 => self.v4 = true,
            Family::V6 => self.v6 = true,
        }
    }

    /// Whether the family is in the set.
    pub fn contains(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Whether no family is in the set.
    pub fn is_empty(self) -> bool {
        !self.v4 && !self.v6
    }

    /// The families that are in both sets.
    pub fn intersection(self, other: Self) -> Self {
        Self {
            v4: self.v4 && other.v4,
            v6: self.v6 && other.v6,
        }
    }

    /// The families, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        [Family::V4, Family::V6]
            .into_iter()
            .filter(move |family| self.contains(*family))
    }

    /// Appends a Multiprotocol capability for each family.
    pub(super) fn put_capabilities(self, out: &mut Vec<u8>) {
        for family in self.iter() {
            out.push(CAPABILITY_MULTIPROTOCOL);
            put_field8(out, |out| {
                out.extend(afi(family).to_be_bytes());
                out.extend([0, SAFI_UNICAST]);
            });
        }
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::default();
        for family in families {
            set.insert(family);
        }
        set
    }
}
