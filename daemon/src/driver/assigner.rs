//! The driver's side of `--assign-vips`: the [`Gate`] before the backends, and the [`Assignment`]
//! behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use carillon_core::address::Family;
use carillon_core::node::gate::Gate;
use carillon_host::assignment::{Assigned, Assignment};

use super::Driver;

/// How long a node whose kernel refused an address of a family counts as one that cannot have any.
const DISTRUST: Duration = Duration::from_secs(60);

/// See the module's documentation.
pub(super) struct Assigner {
    pub(super) gate: Gate,
    assignment: Assignment,
    assigned: Assigned,
    due: Option<Instant>,
    /// The families of which addresses were refused: when, and what was said of it.
    refused: BTreeMap<Family, (Instant, Vec<String>)>,
}

impl Assigner {
    pub(super) fn new(assignment: Assignment) -> Self {
        Self {
            gate: Gate::default(),
            assignment,
            assigned: Assigned::default(),
            due: None,
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What somebody should mend.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let foreign = self.assigned.foreign.iter().map(|vip| {
            format!(
                "{vip} is on an interface already, put there by somebody else: it is announced, and \
                 stays there when it is not"
            )
        });
        let refused = self.refused.values().flat_map(|(_, problems)| problems);
        let problems: BTreeSet<_> = self.assigned.problems.iter().chain(refused).collect();
        problems.into_iter().cloned().chain(foreign)
    }

    pub(super) async fn shutdown(self) {
        self.assignment.shutdown().await;
    }
}

impl Driver {
    /// Takes in which addresses this node has.
    pub(crate) fn set_assigned(&mut self, assigned: Assigned, now: Instant) {
        if let Some(assigner) = &mut self.assigner {
            for family in &assigned.refused {
                let told = (now, assigned.problems.clone());
                assigner.refused.insert(*family, told);
            }
            assigner.gate.set_usable(assigned.usable.clone());
            assigner.assigned = assigned;
        }
    }

    /// The families of which this node cannot have addresses: other nodes are to have them. What was
    /// refused once is tried again when nobody else has it by then.
    pub(super) fn unassignable(&mut self, now: Instant) -> BTreeSet<Family> {
        let Some(assigner) = &mut self.assigner else {
            return BTreeSet::new();
        };
        if assigner.assigned.is_down {
            return BTreeSet::from([Family::V4, Family::V6]);
        }
        let refused = &assigner.assigned.refused;
        assigner
            .refused
            .retain(|family, (at, _)| refused.contains(family) || now < *at + DISTRUST);
        assigner.refused.keys().copied().collect()
    }

    /// Has this node have the addresses that it is to have, if somebody sees to that at all. Before it is known what this node is to have, addresses of an earlier run are left alone: they
    /// serve.
    pub(super) fn assign(&mut self, now: Instant) {
        let is_known = self.synced && self.election.is_settled();
        if let Some(assigner) = &mut self.assigner {
            if is_known {
                let addresses = assigner.gate.addresses(now);
                assigner.assignment.set(addresses);
            }
            let trust = assigner.refused.values().map(|(at, _)| *at + DISTRUST);
            let times = trust.chain(assigner.gate.poll_timeout(now));
            assigner.due = times.filter(|due| *due > now).min();
        }
    }
}
