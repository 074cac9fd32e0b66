//! Which service has which addresses, and where that is recorded.

use std::time::Instant;

use carillon_core::controller::{Controller, Input, ServiceStatus};
use carillon_core::service::{Service, ServiceKey};
use carillon_core::speaker::Speaker;

use crate::journal::Answer;
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

    /// Takes in a configuration.
    fn configure(&mut self, input: Input);

    /// Takes in a service as the source has it.
    fn set(&mut self, service: &Service);

    /// Takes in that a service is gone. Returns whether it was there.
    fn remove(&mut self, service: &ServiceKey) -> bool;

    /// Takes in what could not be read: the services in it may exist.
    fn set_unknown(&mut self, problems: &Problems);

    /// Takes in that everything has been read.
    fn synced(&mut self, now: Instant);

    /// Gets ready to decide, again and again until it is. Returns whether it is known which
    /// addresses were given before.
    fn prepare(&mut self, _now: Instant) -> bool {
        true
    }

    /// Takes in that somebody may have written to the journal.
    fn journal_changed(&mut self) {}

    /// Takes in an answer of the journal.
    fn answered(&mut self, _answer: Answer, _now: Instant) {}

    /// The text of the configuration that was in force before the restart, once.
    fn before(&mut self) -> Option<String> {
        None
    }

    /// Keeps the text of the configuration in force.
    fn keep(&mut self, _text: &str, _now: Instant) {}

    /// Takes in what an API server has to say beside its objects.
    #[cfg(feature = "kubernetes")]
    fn take(&mut self, change: ApiChange, now: Instant);

    /// Decides who has which addresses, has it recorded, and tells the speaker of all services that
    /// changed, of what is recorded. It never waits for the record.
    fn decide(&mut self, speaker: &mut Speaker, now: Instant);

    /// When [`Self::decide`] has something to do even if nothing comes in.
    fn due(&self) -> Option<Instant>;

    /// Takes no more memory than it needs.
    fn pack(&mut self);

    /// The services of type LoadBalancer that are here, by name, and what they have.
    fn services(&self) -> Vec<(&ServiceKey, ServiceStatus)>;

    /// Why addresses may be lost with a restart, or services wait.
    fn problem(&self) -> Option<&str>;

    /// The part of this daemon in the controller role, if daemons take turns.
    fn role(&self) -> Option<status::Controller> {
        None
    }
}
