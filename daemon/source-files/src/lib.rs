//! The files source: a directory of Kubernetes objects, watched, and a journal as the record of which
//! Service has which addresses.
//!
//! ```text
//!  inotify ─▶ Watch ─Notice─▶ Agenda ─names─▶ read ─▶ Catalog ─Batch─▶ driver
//!                                                                       │
//!  journal ◀─lines─ thread: Store ◀─Request─ JournalAllocation ◀────────┘
//! ```
//!
//! Reading has a thread of its own, so that neither a slow disk nor the parsing of a large
//! directory holds up the protocols; so has the [`journal`]. What cannot be read or understood never
//! takes anything away: the last good version stays in force.
//!
//! [`follow`] is what a daemon calls; the parts are there for whoever reads files without following
//! them.

use std::io;
use std::path::PathBuf;

use carillon_objects::ObjectKey;
use carillon_objects::source::{Description, Feed, Followed};

mod agenda;
mod allocation;
mod catalog;
pub mod journal;
mod read;
mod reader;
mod watch;

pub use allocation::{JournalAllocation, Word};
pub use catalog::{Catalog, Contents};
pub use read::{Listing, ReadError, label, list, read_from, read_text};

use journal::Store;
use reader::spawn;

/// What the files source reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory.
    pub dir: PathBuf,
    /// The ConfigMap that holds the configuration; all others are passed over.
    pub config: ObjectKey,
    /// The allocation journal, whose changes are told too.
    pub journal: PathBuf,
}

/// Why a directory cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no thread to read it.
    #[error("cannot start to read files")]
    Files(#[source] io::Error),
    /// There is no thread for the journal.
    #[error("cannot start to keep a journal")]
    Journal(#[source] io::Error),
}

/// Starts to follow a directory, for the services of this class on this node. `trim` is called when
/// much memory has been freed at once, and may give it back to the system.
///
/// # Errors
/// No thread can be had.
pub fn follow(
    options: Options,
    node: &str,
    class: Option<String>,
    trim: fn(),
) -> Result<Followed, StartError> {
    let location = options.dir.display().to_string();
    let store = Store::new(options.journal.clone(), node, trim);
    let batches = spawn(options).map_err(StartError::Files)?;
    let (requests, answers) = journal::spawn(store).map_err(StartError::Journal)?;
    let allocation = JournalAllocation::new(class, requests);
    Ok(Followed {
        description: Description {
            name: location.clone(),
            how_to_configure: "write it into a *.yaml file there".to_owned(),
        },
        location,
        source: Box::new(Feed::new(allocation, batches).with_keeper(answers)),
        tasks: Vec::new(),
        leave: Box::pin(std::future::ready(())),
    })
}
