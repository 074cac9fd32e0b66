//! What the task tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use carillon_core::announcement::Announcements;
use carillon_core::backend::BackendEvent;
use tokio::sync::mpsc;

use super::Driver;
use super::port::Port;
use crate::protocol::Protocol;

impl<P: Protocol> Driver<P> {
    /// Says on which interfaces something can be announced, if that has changed.
    pub(super) fn report_able(&mut self) {
        match &self.able {
            Some(able) if self.ports.open().eq(able.iter().copied()) => return,
            None if self.ports.is_empty() => return,
            Some(_) | None => {}
        }
        let able: Arc<BTreeSet<u32>> = Arc::new(self.ports.open().collect());
        self.able = Some(able.clone());
        self.outbox.push(BackendEvent::Able(able));
    }

    pub(super) fn report_applied(&mut self) {
        let applied = self.announcer.applied();
        if applied > self.applied && self.ports.are_flushed() {
            self.applied = applied;
            if let Some(generation) = applied {
                self.outbox.push(BackendEvent::Applied { generation });
            }
        }
    }

    /// Says what is announced on each interface, if that has changed and is on the wire.
    pub(super) fn report_reached(&mut self) {
        loop {
            let ports = &self.ports;
            let is_on_wire = |index| ports.get(index).is_none_or(Port::is_flushed);
            let Some((index, vips)) = self.announcer.poll_reached(is_on_wire) else {
                return;
            };
            let port = self.ports.get(index);
            let name = port.map(|port| port.interface.name.clone());
            let before = match &name {
                Some(name) => self.names.insert(index, name.clone()),
                None => self.names.remove(&index),
            };
            // Under its former name there is none, or none any more.
            if let Some(neighbor) = before.filter(|before| Some(before) != name.as_ref()) {
                let vips = Announcements::new();
                self.outbox.push(BackendEvent::Reaches { neighbor, vips });
            }
            if let Some(neighbor) = name {
                self.outbox.push(BackendEvent::Reaches { neighbor, vips });
            }
        }
    }

    pub(super) fn report_down(&mut self, name: &str, reason: String) {
        let neighbor = name.to_owned();
        self.outbox
            .push(BackendEvent::NeighborDown { neighbor, reason });
    }

    /// Tells as much as there is room for. Without anybody to hear it, the task is about to be stopped.
    pub(super) fn report(&mut self) {
        while !self.outbox.is_empty()
            && let Ok(permit) = self.events.try_reserve()
        {
            if let Some(event) = self.outbox.pop() {
                permit.send(event);
            }
        }
    }
}

/// Waits until there is room for an event; whether there will be somebody to take it.
pub(super) async fn has_room(events: &mpsc::Sender<BackendEvent>) -> bool {
    events.reserve().await.is_ok()
}
