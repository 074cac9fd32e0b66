//! The file with the interfaces on which nothing is announced: MetalLB's `excludel2.yaml`, from its
//! ConfigMap `metallb-excludel2` where that is mounted.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use carillon_core::interface::Exclusion;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// How often to look at the file.
const LOOK: Duration = Duration::from_secs(10);

/// The exclusion in force, and why it is not the newest, if so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excluded {
    pub(crate) exclusion: Exclusion,
    pub(crate) problem: Option<String>,
}

impl Excluded {
    /// Takes in the file as it is now. What is wrong with it leaves the exclusion as it was; without
    /// the file it is MetalLB's own.
    fn read(&mut self, file: &Path) {
        let exclusion = match fs::read_to_string(file) {
            Ok(text) => Exclusion::parse(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Exclusion::default()),
            Err(error) => Err(error.to_string()),
        };
        match exclusion {
            Ok(exclusion) => {
                *self = Self {
                    exclusion,
                    problem: None,
                }
            }
            Err(error) => {
                self.problem = Some(format!(
                    "{}: {error}; the interfaces excluded before stay so: {}",
                    file.display(),
                    self.exclusion
                ));
            }
        }
    }
}

/// Reads the file, and again when it changes, for which it needs a tokio runtime.
pub(crate) fn follow(file: PathBuf) -> watch::Receiver<Excluded> {
    let mut excluded = Excluded::default();
    excluded.read(&file);
    let (sender, receiver) = watch::channel(excluded.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = sender.closed() => return,
            }
            excluded.read(&file);
            sender.send_if_modified(|known| {
                let is_news = *known != excluded;
                known.clone_from(&excluded);
                is_news
            });
        }
    });
    receiver
}
