//! The file with the interfaces on which nothing is announced: MetalLB's `excludel2.yaml`, from its
//! ConfigMap `metallb-excludel2` where that is mounted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use carillon_core::interface::Exclusion;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// How often to look at the file.
const LOOK: Duration = Duration::from_secs(10);
/// The longest file that is read, in octets.
const LONGEST: u64 = 1 << 20;

/// The exclusion in force, and why it is not the newest, if so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// The interfaces on which nothing is announced.
    pub exclusion: Exclusion,
    /// What is wrong with the file.
    pub problem: Option<String>,
}

impl Excluded {
    /// Takes in the file as it is now. What is wrong with it leaves the exclusion as it was; without
    /// the file it is MetalLB's own.
    fn read(&mut self, file: &Path) {
        let exclusion = match read(file) {
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

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(file)?.take(LONGEST + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("is longer than 1 MiB"));
    }
    Ok(text)
}

/// Reads the file, and again when it changes, for which it needs a tokio runtime.
pub fn follow(file: PathBuf) -> watch::Receiver<Excluded> {
    let mut excluded = Excluded::default();
    excluded.read(&file);
    let (sender, receiver) = watch::channel(excluded.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = sender.closed() => return,
            }
            let (before, file) = (excluded.clone(), file.clone());
            // The file system may be one that hangs.
            let read = tokio::task::spawn_blocking(move || {
                let mut excluded = before;
                excluded.read(&file);
                excluded
            });
            let Ok(read) = read.await else {
                return;
            };
            excluded = read;
            sender.send_if_modified(|known| {
                let is_news = *known != excluded;
                known.clone_from(&excluded);
                is_news
            });
        }
    });
    receiver
}
