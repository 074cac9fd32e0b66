//! The record of a cluster: the status of each Service.

use std::time::Instant;

use carillon_core::controller::{Controller, Input, ServiceStatus};
use carillon_core::service::{Service, ServiceKey};
use carillon_core::speaker::{self, Speaker};
use tracing::debug;

use super::Allocation;
use crate::journal::Busy;
use crate::kubernetes::ApiChange;
use crate::source::Problems;

/// An allocation that follows what others publish.
pub(crate) struct StatusAllocation {
    controller: Controller,
    /// What the speaker has still to be told.
    inputs: Vec<speaker::Input>,
    services: std::collections::BTreeSet<ServiceKey>,
}

impl StatusAllocation {
    /// The allocation for the services of this class.
    pub(crate) fn new(class: Option<String>) -> Self {
        let mut controller = Controller::new(class);
        controller.handle(Input::Lead(false));
        Self {
            controller,
            inputs: Vec::new(),
            services: std::collections::BTreeSet::new(),
        }
    }
}

impl Allocation for StatusAllocation {
    fn controller(&self) -> &Controller {
        &self.controller
    }

    fn controller_mut(&mut self) -> &mut Controller {
        &mut self.controller
    }

    fn set(&mut self, service: &Service) {
        self.services.insert(service.key.clone());
        self.controller.handle(Input::Service(service.clone()));
        self.inputs.push(speaker::Input::Service(service.clone()));
    }

    fn remove(&mut self, service: &ServiceKey) -> bool {
        self.controller
            .handle(Input::ServiceDeleted(service.clone()));
        let ours = |input: &speaker::Input| matches!(input, speaker::Input::Service(other) if other.key == *service);
        self.inputs.retain(|input| !ours(input));
        self.services.remove(service)
    }

    fn set_unknown(&mut self, _problems: &Problems) {}

    fn synced(&mut self, _now: Instant) {
        self.controller.handle(Input::Synced);
    }

    fn take(&mut self, change: ApiChange) {
        debug!(?change, "the API server says");
    }

    fn decide(&mut self, speaker: &mut Speaker, _now: Instant) -> Result<(), Busy> {
        while self.controller.poll_change().is_some() {}
        for input in self.inputs.drain(..) {
            speaker.handle(input);
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)> {
        self.controller.services().collect()
    }

    fn problem(&self) -> Option<&str> {
        None
    }
}
