//! The driver's side of `--assign-vips`: the [`Gate`] between speaker and backends, and the
//! [`Assignment`] behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use carillon_core::announcement::AnnouncementSet;

use super::Driver;
use super::gate::{Gate, Passed};
use crate::assignment::{Assigned, Assignment};

/// See the module's documentation.
pub(super) struct Assigner {
    gate: Gate,
    assignment: Assignment,
    assigned: Assigned,
    /// The backends that are to be told what has become usable.
    concerned: BTreeSet<&'static str>,
    due: Option<Instant>,
}

impl Assigner {
    pub(super) fn new(assignment: Assignment) -> Self {
        Self {
            gate: Gate::default(),
            assignment,
            assigned: Assigned::default(),
            concerned: BTreeSet::new(),
            due: None,
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
        self.assigned.problems.iter().cloned().chain(foreign)
    }

    pub(super) async fn shutdown(self) {
        self.assignment.shutdown().await;
    }
}

impl Driver {
    /// Takes in which addresses this node has.
    pub(crate) fn set_assigned(&mut self, assigned: Assigned) {
        if let Some(assigner) = &mut self.assigner {
            let concerned = assigner.gate.set_usable(assigned.usable.clone());
            assigner.concerned.extend(concerned);
            assigner.assigned = assigned;
        }
    }

    /// Gives the backends what this node has the addresses of, and asks for the other addresses.
    pub(super) fn give_assigned(
        &mut self,
        changes: BTreeMap<&'static str, Arc<AnnouncementSet>>,
        now: Instant,
    ) {
        let Some(assigner) = &mut self.assigner else {
            return;
        };
        let mut concerned = std::mem::take(&mut assigner.concerned);
        for (backend, set) in changes {
            concerned.insert(backend);
            assigner.gate.offer(backend, &set, now);
        }
        if assigner.due.is_some_and(|due| due <= now) {
            concerned.extend(assigner.gate.backends());
        }
        let pass = |backend| Some((backend, assigner.gate.pass(backend, now)?));
        let passed: Vec<_> = concerned.into_iter().filter_map(pass).collect();
        for (backend, Passed { set, is_complete }) in passed {
            self.give(backend, set, !is_complete);
        }
        self.assign(now);
    }

    /// Before it is known what this node is to have, addresses of an earlier run are left alone: they
    /// serve.
    fn assign(&mut self, now: Instant) {
        let is_known = self.synced && self.election.is_settled();
        if let Some(assigner) = &mut self.assigner {
            if is_known {
                let addresses = assigner.gate.addresses(now);
                assigner.assignment.set(addresses);
            }
            assigner.due = assigner.gate.due(now);
        }
    }
}
