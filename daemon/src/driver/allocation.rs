//! Which service has which addresses, and where that is recorded.

use std::time::Instant;

use carillon_core::controller::{Controller, ServiceStatus};
use carillon_core::service::{Service, ServiceKey};
use carillon_core::speaker::Speaker;

use crate::journal::Busy;
#[cfg(feature = "kubernetes")]
use crate::kubernetes::ApiChange;
use crate::source::Problems;
use crate::status;

mod journal;
#[cfg(feature = "kubernetes")]
mod service_status;

pub(crate) use journal::JournalAllocation;
#[cfg(feature = "kubernetes")]
pub(crate) use service_status::StatusAllocation;

/// The controller, and the record of what it has given. All inputs take effect with
/// [`Self::decide`].
pub(crate) trait Allocation: Send {
    /// The controller, to ask.
    fn controller(&self) -> &Controller;

    /// The controller, to hand it a configuration.
    fn controller_mut(&mut self) -> &mut Controller;

    /// Takes in a service as the source has it.
    fn set(&mut self, service: &Service);

    /// Takes in that a service is gone. Returns whether it was there.
    fn remove(&mut self, service: &ServiceKey) -> bool;

    /// Takes in what could not be read: the services in it may exist.
    fn set_unknown(&mut self, problems: &Problems);

    /// Takes in that everything has been read.
    fn synced(&mut self, now: Instant);

    /// Takes in what an API server has to say beside its objects.
    #[cfg(feature = "kubernetes")]
    fn take(&mut self, change: ApiChange, now: Instant);

    /// Decides who has which addresses, records it, and tells the speaker of all services that
    /// changed.
    ///
    /// # Errors
    /// The record is being written by another daemon; everything waits for the next call.
    fn decide(&mut self, speaker: &mut Speaker, now: Instant) -> Result<(), Busy>;

    /// When [`Self::decide`] has something to do even if nothing comes in.
    fn due(&self) -> Option<Instant>;

    /// The services of type LoadBalancer that are here, by name, and what they have.
    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)>;

    /// Why addresses may be lost with a restart, or services wait.
    fn problem(&self) -> Option<&str>;

    /// The part of this daemon in the controller role, if daemons take turns.
    fn role(&self) -> Option<status::Controller> {
        None
    }
}
