//! The allocation journal: which Service has which addresses, kept over restarts.
//!
//! In Kubernetes the status of a Service says which addresses it has. Files have nobody who writes
//! a status, so the journal does: an append-only file of JSON lines, the last line of a service
//! counts, one without addresses ends it. Daemons that share the file agree on addresses: what is
//! appended was decided on all that others have appended, or it is refused; so the first grant wins
//! and nothing is given twice.
//!
//! ```text
//!  driver: Ledger ──Read, Commit(version, lines)──▶ thread: Store ──lock, read, append, sync──▶ file
//!             ▲                                          │
//!             └──────Answer(news, written or refused)────┘
//! ```
//!
//! Files are opened, locked and written by a thread of its own: a disk that hangs holds up nothing
//! but what needs it. Lines are on the disk (`fdatasync`) before anything in them is announced.
//! Beside the journal lies the text of the configuration in force, which has to survive a restart too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use carillon_core::service::ServiceKey;
use tokio::sync::mpsc;

use crate::Word;

mod ledger;
pub mod line;
mod store;
#[cfg(test)]
mod tests;
mod trouble;

pub(crate) use ledger::Ledger;
#[cfg(test)]
use ledger::Taken;
pub use line::Given;
use line::parse;
pub use store::Store;

/// The journal's name in the directory of the objects, where no other is given.
pub const NAME: &str = ".carillon-allocations.jsonl";
/// How soon to try again when another daemon is writing to the journal.
const BUSY: Duration = Duration::from_millis(5);
/// How many answers may wait for the driver.
const ANSWERS: usize = 4;

/// What the journal is asked for.
#[derive(Debug)]
pub enum Request {
    /// What others have written since.
    Read,
    /// To write lines.
    Commit(Commit),
    /// To keep the text of the configuration in force.
    Keep(String),
}

/// Lines to write.
#[derive(Debug)]
pub struct Commit {
    /// The version of the journal that they were decided on.
    pub version: u64,
    /// What services have now.
    pub lines: Vec<(ServiceKey, Given)>,
    /// How many services have something.
    pub entries: usize,
}

/// What becomes of a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// The version of the journal that the driver knows with this.
    pub version: u64,
    /// What others have written.
    pub news: Option<News>,
    /// There is something that cannot be read, and so nobody knows who has what.
    pub is_unreadable: bool,
    /// What became of the lines to write.
    pub outcome: Option<Outcome>,
    /// Why addresses may be lost with a restart.
    pub problem: Option<String>,
    /// It is about the text of the configuration in force and says nothing of the journal.
    pub is_of_config: bool,
    /// Lines that were skipped because they make no sense.
    pub damaged: Vec<String>,
    /// The text of the configuration that was in force before; with the first answer only.
    pub before: Option<String>,
}

/// What others have written.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// It is all that there is, and not only what is new.
    pub is_whole: bool,
    /// What services have, in order.
    pub entries: Vec<(ServiceKey, Given)>,
}

/// What became of lines to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are on the disk.
    Written,
    /// They were decided on an older version.
    Refused,
    /// The file cannot be written.
    Failed,
}

/// Starts the journal's thread. It ends with the sender of requests; it has died if the answers end.
///
/// # Errors
/// No thread can be had.
pub(crate) fn spawn(
    mut store: Store,
) -> io::Result<(std_mpsc::Sender<Request>, mpsc::Receiver<Word>)> {
    let (requests, asked) = std_mpsc::channel();
    let (sender, answers) = mpsc::channel(ANSWERS);
    let work = move || {
        for request in asked {
            let answer = loop {
                match store.answer(&request) {
                    Some(answer) => break answer,
                    None => thread::sleep(BUSY),
                }
            };
            if sender.blocking_send(Word::Answered(answer)).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("journal".to_owned());
    thread.spawn(work)?;
    Ok((requests, answers))
}

/// The addresses by service in a journal that may be in use; whatever cannot be read is left out.
pub fn recorded(path: &Path) -> BTreeMap<ServiceKey, Vec<IpAddr>> {
    let bytes = fs::read(path).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').map(parse);
    let lines = lines.filter_map(|line| line.ok().flatten());
    let mut recorded: BTreeMap<_, _> = lines
        .map(|(key, given)| (key, given.addresses.to_vec()))
        .collect();
    recorded.retain(|_, addresses| !addresses.is_empty());
    recorded
}
