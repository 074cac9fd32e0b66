//! This node's place in the network, as it changes: its interfaces, and the daemons of other nodes.

use std::time::Instant;

use anyhow::Result;
use carillon_core::membership::Event;
use tokio::sync::{mpsc, watch};

use crate::assignment::Assigned;
use crate::cli::RunArgs;
use crate::driver::Driver;
use crate::exclusion::{self, Excluded};
use crate::gossip::{self, Gossip, Secret};
use crate::interfaces;
use crate::pulse::Pulse;

/// How many events are taken in before anything else gets its turn.
const EVENTS: usize = 4096;

/// See the module's documentation.
pub(super) struct Surroundings {
    interfaces: watch::Receiver<interfaces::Known>,
    excluded: watch::Receiver<Excluded>,
    /// Where the means to talk to others come from, once they are there.
    arrivals: Option<mpsc::Receiver<Result<Gossip>>>,
    heard: Option<mpsc::Receiver<Event>>,
    assigned: Option<watch::Receiver<Assigned>>,
}

/// What has changed.
pub(super) enum Change {
    Interfaces,
    Excluded,
    Joined(Result<Gossip>),
    Heard(Event),
    /// Something has died without which this node cannot go on, and others take over from it.
    Died(&'static str),
    Assigned,
}

impl Surroundings {
    /// Looks around from here on, for which it needs a tokio runtime.
    ///
    /// # Errors
    /// There is no secret to talk to other daemons with. In a cluster it may be created later.
    pub(super) fn new(
        args: &RunArgs,
        is_cluster: bool,
        assigned: Option<watch::Receiver<Assigned>>,
        pulse: watch::Receiver<Pulse>,
    ) -> Result<Self> {
        let gossip = &args.gossip;
        let mut interfaces = interfaces::spawn();
        let arrivals = if gossip.is_wanted() {
            let secret = if is_cluster {
                None
            } else {
                Some(Secret::read(gossip)?)
            };
            let namespace = args.config.key().name.namespace().to_owned();
            let known = interfaces.clone();
            let gossip = gossip.clone();
            Some(gossip::spawn_when_ready(
                gossip, secret, namespace, known, pulse,
            ))
        } else {
            None
        };
        let mut excluded = exclusion::follow(args.host.exclude_interfaces.clone());
        interfaces.mark_changed();
        excluded.mark_changed();
        Ok(Self {
            interfaces,
            excluded,
            arrivals,
            heard: None,
            assigned,
        })
    }

    /// Waits for the next change; can be given up at any time.
    pub(super) async fn next(&mut self) -> Change {
        tokio::select! {
            known = self.interfaces.changed() => {
                known.map_or(Change::Died("what follows the interfaces"), |()| Change::Interfaces)
            }
            known = self.excluded.changed() => {
                known.map_or(Change::Died("what reads the exclusions"), |()| Change::Excluded)
            }
            Some(gossip) = receive(self.arrivals.as_mut()) => Change::Joined(gossip),
            event = hear(self.heard.as_mut()) => {
                event.map_or(Change::Died("the thread that talks to other nodes"), Change::Heard)
            },
            known = changed(self.assigned.as_mut()) => {
                known.map_or(Change::Died("what puts VIPs on an interface"), |()| Change::Assigned)
            }
        }
    }

    /// Tells the driver of a change, and of what else was heard until now.
    pub(super) fn tell(&mut self, change: Change, driver: &mut Driver, now: Instant) {
        match change {
            Change::Interfaces => {
                let known = self.interfaces.borrow_and_update().clone();
                driver.set_interfaces(known, now);
            }
            Change::Excluded => {
                let excluded = self.excluded.borrow_and_update().clone();
                driver.set_excluded(excluded, now);
            }
            Change::Joined(gossip) => {
                if let Some(heard) = driver.joined(gossip, now) {
                    self.heard = Some(heard);
                }
            }
            Change::Assigned => {
                if let Some(assigned) = &mut self.assigned {
                    let assigned = assigned.borrow_and_update().clone();
                    driver.set_assigned(assigned, now);
                }
            }
            Change::Died(_) => {}
            Change::Heard(event) => {
                driver.heard(event, now);
                let more = |heard: &mut mpsc::Receiver<Event>| heard.try_recv().ok();
                for _ in 0..EVENTS {
                    let Some(event) = self.heard.as_mut().and_then(more) else {
                        break;
                    };
                    driver.heard(event, now);
                }
            }
        }
    }
}

async fn receive(arrivals: Option<&mut mpsc::Receiver<Result<Gossip>>>) -> Option<Result<Gossip>> {
    match arrivals {
        Some(arrivals) => arrivals.recv().await,
        None => None,
    }
}

async fn changed(assigned: Option<&mut watch::Receiver<Assigned>>) -> Option<()> {
    match assigned {
        Some(assigned) => assigned.changed().await.ok(),
        None => std::future::pending().await,
    }
}

async fn hear(heard: Option<&mut mpsc::Receiver<Event>>) -> Option<Event> {
    match heard {
        Some(heard) => heard.recv().await,
        None => std::future::pending().await,
    }
}
