//! What the driver tells the gossip thread: of each fact how it stands last, however long that thread
//! does not listen, and no more.

use std::time::{Duration, Instant};

use carillon_core::latest::Latest;
use carillon_gossip::MemberId;
use carillon_gossip::record::Key;
use tokio::sync::mpsc;

use super::Command;

#[cfg(test)]
mod tests;

/// How many commands wait at most in the channel.
pub(super) const ROOM: usize = 4096;
/// How much of that is kept for questions, so that the thread is not taken for dead.
pub(super) const QUESTIONS: usize = 64;
/// How soon what there was no room for is tried again.
const AGAIN: Duration = Duration::from_millis(5);

/// What a command is about, unless it is a question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Record(Key),
    Owner,
    Doubt(MemberId),
    Peers,
}

/// See the module's documentation.
pub(crate) struct Commands {
    sender: mpsc::Sender<Command>,
    waiting: Latest<Topic, Command>,
}

impl Commands {
    /// The way to a thread, and its end there.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(ROOM);
        let commands = Self {
            sender,
            waiting: Latest::default(),
        };
        (commands, receiver)
    }

    /// Tells something, soon. A thread that has died has said so.
    pub(crate) fn tell(&mut self, command: Command) {
        match topic(&command) {
            Some(topic) => self.waiting.push(topic, command),
            None => self.ask(command),
        }
        self.flush();
    }

    /// Asks something. If it is not taken, there is no answer.
    pub(crate) fn ask(&self, command: Command) {
        let _ = self.sender.try_send(command);
    }

    /// Passes on what there was no room for; returns when to try again, if there is none.
    pub(crate) fn review(&mut self, now: Instant) -> Option<Instant> {
        self.flush();
        (!self.waiting.is_empty()).then(|| now + AGAIN)
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty()
            && self.sender.capacity() > QUESTIONS
            && let Ok(permit) = self.sender.try_reserve()
        {
            if let Some(command) = self.waiting.pop() {
                permit.send(command);
            }
        }
    }
}

fn topic(command: &Command) -> Option<Topic> {
    match command {
        Command::Publish(key, _) => Some(Topic::Record(*key)),
        Command::Owner(_) => Some(Topic::Owner),
        Command::Doubt(member) => Some(Topic::Doubt(*member)),
        Command::Peers(_) => Some(Topic::Peers),
        Command::Pulse(_) | Command::Status(_) | Command::Leave(_) => None,
    }
}
