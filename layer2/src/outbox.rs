//! What waits to be told to the rest of the daemon: no more than there is to speak of, however long
//! that does not listen. Of the same fact it is told how it stands last.

use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::backend::BackendEvent;
use carillon_core::interface::MacAddress;
use carillon_core::latest::Latest;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Applied,
    Able,
    Neighbor(String),
    Reach(Arc<str>),
    /// With a daemon, or another host.
    Conflict(IpAddr, bool),
    Answer(IpAddr, MacAddress),
    Heard(u32),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Latest<Topic, BackendEvent>);

impl Outbox {
    /// Something is to be told.
    pub(crate) fn push(&mut self, event: BackendEvent) {
        self.0.push(topic(&event), event);
    }

    /// The next to be told.
    pub(crate) fn pop(&mut self) -> Option<BackendEvent> {
        self.0.pop()
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn topic(event: &BackendEvent) -> Topic {
    match event {
        BackendEvent::Applied { .. } => Topic::Applied,
        BackendEvent::Able(_) => Topic::Able,
        BackendEvent::NeighborUp { neighbor } | BackendEvent::NeighborDown { neighbor, .. } => {
            Topic::Neighbor(neighbor.clone())
        }
        BackendEvent::Reaches { neighbor, .. } => Topic::Reach(neighbor.clone()),
        BackendEvent::Conflict { vip, mark, .. } => Topic::Conflict(*vip, mark.is_some()),
        BackendEvent::Answered { vip, station } | BackendEvent::Unanswered { vip, station } => {
            Topic::Answer(*vip, *station)
        }
        BackendEvent::Heard { interface } => Topic::Heard(*interface),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_listen_is_told_later_how_it_stands() {
        let mut outbox = Outbox::default();
        let (vip, station) = (IpAddr::from([192, 0, 2, 1]), MacAddress([2, 0, 0, 0, 0, 2]));
        let answered = BackendEvent::Answered { vip, station };
        let unanswered = BackendEvent::Unanswered { vip, station };
        for generation in 0..1000 {
            outbox.push(answered.clone());
            outbox.push(BackendEvent::Applied { generation });
            for last in 0..=255 {
                outbox.push(BackendEvent::Conflict {
                    vip,
                    station: MacAddress([2, 0, 0, 0, 1, last]),
                    mark: None,
                    local: station,
                    interface: "eth0".into(),
                });
            }
            outbox.push(BackendEvent::Heard { interface: 1 });
            outbox.push(unanswered.clone());
        }
        let told: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(
            told[..2],
            [unanswered, BackendEvent::Applied { generation: 999 }]
        );
        assert!(outbox.is_empty());
    }
}
