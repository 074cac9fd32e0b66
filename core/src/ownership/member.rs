//! What is known of one member.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_gossip::Departure;
use carillon_gossip::record::{Interface, Node};

use crate::address::Family;
use crate::interface::InterfaceNames;

use super::Scope;
use super::ineligible::Ineligible;

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has never been.
    Unreached,
    /// It is.
    Live,
    /// It was.
    Gone(Departure),
}

/// A member, this one included.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) presence: Presence,
    pub(super) node: Option<Node>,
    pub(super) interfaces: BTreeMap<u32, Interface>,
    /// Since when it has been able to have VIPs, as far as that does not depend on the VIP.
    pub(super) able_since: Option<Instant>,
    /// The VIPs that it claims.
    pub(super) claims: BTreeSet<IpAddr>,
    /// When it was last heard to claim one.
    pub(super) claimed_at: Option<Instant>,
    /// When it was lost last.
    pub(super) lost_at: Option<Instant>,
}

impl Member {
    pub(super) fn new() -> Self {
        Self {
            presence: Presence::Unreached,
            node: None,
            interfaces: BTreeMap::new(),
            able_since: None,
            claims: BTreeSet::new(),
            claimed_at: None,
            lost_at: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.presence == Presence::Live
    }

    /// Its node's name, empty as long as that is not known.
    pub(super) fn name(&self) -> Arc<str> {
        self.node
            .as_ref()
            .map_or_else(Arc::default, |node| node.name.clone())
    }

    /// Its interfaces by index on which it may have a VIP of this scope.
    pub(super) fn interfaces_for(
        &self,
        vip: IpAddr,
        scope: &Scope,
    ) -> impl Iterator<Item = (u32, &Interface)> + use<'_> {
        let node = self.node.as_ref();
        let names = node.and_then(|node| scope.interfaces(&node.name));
        let is_for = move |one: &Interface| {
            let names = names.as_ref();
            names.is_none_or(|names| is_among(one, Family::of(vip), names))
        };
        let all = self.interfaces.iter().map(|(index, one)| (*index, one));
        all.filter(move |(_, one)| is_for(one))
    }

    /// Whether one of these is on the subnet of the VIP.
    pub(super) fn has_subnet_of(&self, vip: IpAddr, scope: &Scope) -> bool {
        let interfaces = self.interfaces_for(vip, scope);
        let mut subnets = interfaces.flat_map(|(_, one)| &one.subnets);
        subnets.any(|subnet| subnet.contains(&vip))
    }

    pub(super) fn has_host(&self, vip: IpAddr) -> bool {
        let mut interfaces = self.interfaces.values();
        interfaces.any(|one| one.hosts.contains(&vip))
    }

    /// Whether it may have VIPs, as far as that does not depend on the VIP.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn ability(&self) -> Result<(), Ineligible> {
        let node = self.present()?;
        if self.interfaces.is_empty() {
            return Err(Ineligible::NoInterface);
        }
        unimpeded(node, true)?;
        passing(node)
    }

    fn present(&self) -> Result<&Node, Ineligible> {
        match self.presence {
            Presence::Unreached => Err(Ineligible::Unreached),
            Presence::Gone(Departure::Lost) => Err(Ineligible::Lost),
            Presence::Gone(Departure::Left) => Err(Ineligible::Left),
            Presence::Live => self.node.as_ref().ok_or(Ineligible::Unknown),
        }
    }

    /// Whether it is one that this VIP is for, be it ready at the moment or not.
    pub(super) fn lasting(&self, vip: IpAddr, scope: &Scope) -> Result<&Node, Ineligible> {
        let node = self.present()?;
        let family = Family::of(vip);
        let is_built_in = match family {
            Family::V4 => node.ipv4,
            Family::V6 => node.ipv6,
        };
        if !is_built_in {
            return Err(Ineligible::Family(family));
        }
        if self.interfaces.is_empty() {
            return Err(Ineligible::NoInterface);
        }
        unimpeded(node, true)?;
        if !scope.contains(&node.name) {
            return Err(Ineligible::OutOfScope);
        }
        if scope.names_interfaces() && self.interfaces_for(vip, scope).next().is_none() {
            let names = scope.interfaces(&node.name).unwrap_or_default();
            return Err(Ineligible::OtherInterfaces(names));
        }
        Ok(node)
    }
}

/// Whether VIPs of a family for interfaces of these names can be announced on one. As long as its
/// member has not told its name, that one alone knows.
fn is_among(one: &Interface, family: Family, names: &InterfaceNames) -> bool {
    one.named.as_ref().is_none_or(|named| {
        let is_open = match family {
            Family::V4 => named.ipv4,
            Family::V6 => named.ipv6,
        };
        is_open && names.contains(&named.name)
    })
}

/// Whether this is no time at which it gives its VIPs away, or takes none.
pub(super) fn passing(node: &Node) -> Result<(), Ineligible> {
    unimpeded(node, false)?;
    node.is_ready.then_some(()).ok_or(Ineligible::NotReady)
}

/// Whether it does not say of itself that it is not to have VIPs, for a lasting reason or another.
fn unimpeded(node: &Node, is_lasting: bool) -> Result<(), Ineligible> {
    let mut impediments = node.impediments.iter();
    match impediments.find(|one| one.is_lasting() == is_lasting) {
        Some(impediment) => Err(Ineligible::Impeded(*impediment)),
        None => Ok(()),
    }
}
