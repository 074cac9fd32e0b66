//! This node's place in the network, as it changes: its interfaces, and the daemons of other nodes.

use std::time::Instant;

use anyhow::Result;
use carillon_gossip::Event;
use carillon_host::assignment::Assigned;
use carillon_host::exclusion::{self, Excluded};
use carillon_host::interfaces;
use carillon_host::neighbours::{self, Neighbours, Wanted};
use tokio::sync::{mpsc, watch};

use super::channel::{changed, receive};
use crate::cli::RunArgs;
use crate::driver::Driver;
use crate::gossip::{self, Gossip, Secret};
use crate::pulse::Pulse;

/// How many events are taken in before anything else gets its turn.
const EVENTS: usize = 4096;

/// See the module's documentation.
pub(super) struct Surroundings {
    pub(super) interfaces: Option<watch::Receiver<interfaces::Known>>,
    pub(super) excluded: Option<watch::Receiver<Excluded>>,
    /// Where the means to talk to others come from, once they are there.
    pub(super) arrivals: Option<mpsc::Receiver<Result<Gossip>>>,
    pub(super) heard: Option<mpsc::Receiver<Event>>,
    pub(super) assigned: Option<watch::Receiver<Assigned>>,
    pub(super) neighbours: Option<watch::Receiver<Neighbours>>,
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
    Neighbours,
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
        wants_neighbours: watch::Receiver<Wanted>,
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
            interfaces: Some(interfaces),
            excluded: Some(excluded),
            arrivals,
            heard: None,
            assigned,
            neighbours: Some(neighbours::spawn(wants_neighbours)),
        })
    }

    /// Waits for the next change; can be given up at any time. What has died is told once.
    pub(super) async fn next(&mut self) -> Change {
        tokio::select! {
            known = changed(&mut self.interfaces) => {
                known.map_or(Change::Died("what follows the interfaces"), |()| Change::Interfaces)
            }
            known = changed(&mut self.excluded) => {
                known.map_or(Change::Died("what reads the exclusions"), |()| Change::Excluded)
            }
            Some(gossip) = receive(&mut self.arrivals) => Change::Joined(gossip),
            event = receive(&mut self.heard) => {
                event.map_or(Change::Died("the thread that talks to other nodes"), Change::Heard)
            },
            known = changed(&mut self.assigned) => {
                known.map_or(Change::Died("what puts VIPs on an interface"), |()| Change::Assigned)
            }
            known = changed(&mut self.neighbours) => {
                known.map_or(Change::Died("what reads the neighbour table"), |()| Change::Neighbours)
            }
        }
    }

    /// Tells the driver of a change, and of what else was heard until now.
    pub(super) fn tell(&mut self, change: Change, driver: &mut Driver, now: Instant) {
        match change {
            Change::Interfaces => {
                if let Some(interfaces) = &mut self.interfaces {
                    let known = interfaces.borrow_and_update().clone();
                    driver.set_interfaces(known, now);
                }
            }
            Change::Excluded => {
                if let Some(excluded) = &mut self.excluded {
                    let excluded = excluded.borrow_and_update().clone();
                    driver.set_excluded(excluded, now);
                }
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
            Change::Neighbours => {
                if let Some(neighbours) = &mut self.neighbours {
                    let neighbours = neighbours.borrow_and_update().clone();
                    driver.set_neighbours(&neighbours, now);
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
