//! Which services may share an address, and where they can.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Tenant;
use super::refusal::Obstacle;
use super::space::Position;
use crate::service::{Port, Service, TrafficPolicy};
use crate::sorted::SortedVec;

/// What must be equal for two services to share an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharingKeys {
    /// The sharing key.
    pub sharing: Arc<str>,
    /// The selector with external traffic policy `Local`, else empty: services on one address
    /// must be served by the same nodes.
    pub backend: BTreeMap<String, String>,
}

/// What a service shares addresses by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// What must be equal.
    pub keys: SharingKeys,
    /// What must be disjoint; ascending.
    pub ports: Box<[Port]>,
}

impl Sharing {
    /// That of a service, if it shares.
    pub fn of(service: &Service) -> Option<Self> {
        let keys = SharingKeys {
            sharing: service.requests.sharing_key.as_deref()?.into(),
            backend: match service.external_traffic_policy {
                TrafficPolicy::Cluster => BTreeMap::new(),
                TrafficPolicy::Local => service.selector.clone(),
            },
        };
        let ports = service.ports.iter().copied().collect();
        Some(Self { keys, ports })
    }
}

impl Tenant {
    /// The ports that matter: those of a service that shares.
    pub(super) fn ports(&self) -> &[Port] {
        self.sharing.as_ref().map_or(&[], |sharing| &sharing.ports)
    }

    /// What keeps it from sharing with a service that shares by these.
    pub(super) fn obstacle(&self, other: Option<&Sharing>) -> Option<Obstacle> {
        let (Some(one), Some(other)) = (&self.sharing, other) else {
            return Some(Obstacle::NoSharingKey);
        };
        if one.keys.sharing != other.keys.sharing {
            Some(Obstacle::SharingKeysDiffer)
        } else if one.keys.backend != other.keys.backend {
            Some(Obstacle::BackendsDiffer)
        } else {
            None
        }
    }
}

/// The addresses in use with the same keys, in block order, and which ports are taken on them.
///
/// As the addresses that use a port are some of the members, both lists are equal up to the first
/// member on which the port is free, which bisection finds.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: SortedVec<Position>,
    used: BTreeMap<Port, SortedVec<Position>>,
}

impl Group {
    pub(super) fn join<'a>(&mut self, at: Position, ports: impl IntoIterator<Item = &'a Port>) {
        self.members.insert(at);
        for port in ports {
            self.used.entry(*port).or_default().insert(at);
        }
    }

    pub(super) fn free_ports<'a>(
        &mut self,
        at: Position,
        ports: impl IntoIterator<Item = &'a Port>,
    ) {
        for port in ports {
            if let Some(used) = self.used.get_mut(port) {
                used.remove(&at);
                if used.is_empty() {
                    self.used.remove(port);
                }
            }
        }
    }

    pub(super) fn leave(&mut self, at: Position) {
        self.members.remove(&at);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The first address on which all of these ports are free.
    pub(super) fn first_without<'a>(
        &self,
        ports: impl IntoIterator<Item = &'a Port>,
    ) -> Option<Position> {
        let used: Vec<_> = (ports.into_iter())
            .filter_map(|port| self.used.get(port))
            .collect();
        let (mut candidate, mut agreed) = (*self.members.first()?, 0);
        for taken in used.iter().cycle() {
            let next = first_outside(&self.members, taken, candidate)?;
            agreed = if next == candidate { agreed + 1 } else { 1 };
            candidate = next;
            if agreed == used.len() {
                break;
            }
        }
        Some(candidate)
    }
}

/// The first of `members`, from `start` on, that is not in its subset `used`.
fn first_outside(members: &[Position], used: &[Position], start: Position) -> Option<Position> {
    let members = members.get(members.partition_point(|at| *at < start)..)?;
    let used = used.get(used.partition_point(|at| *at < start)..)?;
    let (mut equal, mut unequal) = (0, used.len());
    while equal < unequal {
        let middle = equal.midpoint(unequal);
        if members.get(middle) == used.get(middle) {
            equal = middle + 1;
        } else {
            unequal = middle;
        }
    }
    members.get(equal).copied()
}
