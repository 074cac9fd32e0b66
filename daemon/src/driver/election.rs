//! What the election wants done outside: daemons of other nodes are told, and people.

use std::net::IpAddr;
use std::time::Instant;

use carillon_core::node::election::Effect;
use carillon_core::ownership::Note;
use tracing::{info, warn};

use super::Driver;
use crate::gossip::Command;
use crate::socket::Answer;

impl Driver {
    /// Does what the election wants done.
    pub(super) fn carry_out(&mut self) {
        while let Some(effect) = self.election.poll_effect() {
            match effect {
                Effect::Publish(key, value) => self.tell_others(Command::Publish(key, value)),
                Effect::Owner(owns) => self.tell_others(Command::Owner(owns)),
                Effect::Doubt(member) => self.tell_others(Command::Doubt(member)),
                Effect::Neighbours(are_wanted) => self.network.want_neighbours(are_wanted),
                Effect::Note(note) => tell(&note),
            }
        }
    }

    fn tell_others(&mut self, command: Command) {
        if let Some(gossip) = &mut self.network.gossip {
            gossip.tell(command);
        }
    }

    /// Has an address given to a node.
    pub(super) fn move_to(&mut self, vip: IpAddr, node: &str, now: Instant) -> Answer {
        match self.election.move_vip(vip, node, now) {
            Ok(()) => Ok(format!("{vip} goes to {node}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn tell(note: &Note) {
    match note {
        Note::Took { .. } | Note::GaveUp { .. } => info!("{note}"),
        Note::Conflict { .. }
        | Note::Outsider { .. }
        | Note::NotTaken { .. }
        | Note::Namesake { .. } => warn!("{note}"),
    }
}
