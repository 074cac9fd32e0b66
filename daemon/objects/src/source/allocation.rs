//! Which service has which addresses, and where that is recorded.

use std::time::Instant;

use carillon_core::controller::{Controller, Input, ServiceStatus};
use carillon_core::service::{Service, ServiceKey};
use carillon_core::speaker::Speaker;

use super::Reports;

/// The controller, and the record of what it has given. All inputs take effect with
/// [`Self::decide`].
pub trait Allocation: Send {
    /// The controller, to ask.
    fn controller(&self) -> &Controller;

    /// Takes in a configuration, or a namespace.
    fn configure(&mut self, input: Input);

    /// Takes in a service as the source has it.
    fn set(&mut self, service: &Service);

    /// Takes in that a service is gone. Returns whether it was there.
    fn remove(&mut self, service: &ServiceKey) -> bool;

    /// Takes in that everything has been read.
    fn synced(&mut self, now: Instant);

    /// Gets ready to decide, again and again until it is. Returns whether it is known which
    /// addresses were given before.
    fn prepare(&mut self, now: Instant) -> bool;

    /// Where the text of the configuration in force outlasts a restart, if the record has such a
    /// place.
    fn config_store(&mut self) -> Option<&mut dyn ConfigStore>;

    /// Where others read what this daemon does, if there is such a place.
    fn reports(&mut self) -> Option<&mut dyn Reports> {
        None
    }

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
    fn turn(&self) -> Option<Turn>;
}

/// An allocation that its source tells more than the objects.
pub trait Listener: Allocation {
    /// What it is told.
    type Word: Send;

    /// Takes in a word, after the objects that came with it.
    fn take(&mut self, word: Self::Word, now: Instant);
}

/// Where the text of the configuration in force outlasts a restart.
pub trait ConfigStore {
    /// The text that was in force before the restart, once.
    fn before(&mut self) -> Option<String>;

    /// Keeps the text that is in force now.
    fn keep(&mut self, text: &str, now: Instant);
}

/// The controller role, in which daemons take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Whose turn it is, if anybody's.
    pub holder: Option<String>,
    /// It is that of this daemon.
    pub leads: bool,
    /// How many services wait for their status to be written by this daemon.
    pub unwritten: usize,
}
