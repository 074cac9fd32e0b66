//! The file with the shared secret.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use carillon_gossip::Keys;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

#[cfg(test)]
mod tests;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// The longest file that is read, in octets.
const LONGEST: u64 = 64 << 10;

/// Looks at the file again and again, in a thread of its own, for its file system may hang; tells the
/// secrets when they change. The end of the receiver ends it.
pub(super) fn follow(mut file: KeyFile) -> Result<mpsc::Receiver<Keys>> {
    let (sender, receiver) = mpsc::channel(1);
    let thread = thread::Builder::new().name("gossip-key".to_owned());
    let look = move || {
        while !sender.is_closed() {
            thread::sleep(LOOK);
            if let Some(keys) = file.reread() {
                // Its end ends this thread.
                let _ = sender.blocking_send(keys);
            }
        }
    };
    thread.spawn(look).context("cannot start a thread")?;
    Ok(receiver)
}

/// A file with one or two secrets, each on a line; the first seals, both open.
pub(super) struct KeyFile {
    path: PathBuf,
    /// What was in it last, to notice a change.
    text: String,
}

impl KeyFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// It cannot be read, or what is in it is no secret.
    pub(super) fn read(path: PathBuf) -> Result<(Self, Keys)> {
        let mut file = Self {
            path,
            text: String::new(),
        };
        let text = file.text()?;
        let keys = file.parse(&text)?;
        file.text = text;
        Ok((file, keys))
    }

    /// The secrets, if they have changed. Those that cannot be used are told once, and the ones
    /// before them stay in use.
    pub(super) fn reread(&mut self) -> Option<Keys> {
        let text = self.text();
        // A file that cannot be read is news like one with another text.
        let known = text.as_ref().map_or("", |text| text);
        if known == self.text {
            return None;
        }
        let known = known.to_owned();
        let keys = text.and_then(|text| self.parse(&text));
        self.text = known;
        match keys {
            Ok(keys) => {
                info!(file = %self.path.display(), "the secret of the daemons has changed");
                Some(keys)
            }
            Err(error) => {
                error!("{error:#}; the secret before stays in use");
                None
            }
        }
    }

    fn text(&self) -> Result<String> {
        let shown = self.path.display();
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read the secret of the daemons in {shown}"))?;
        ensure!(
            bytes.len() as u64 <= LONGEST,
            "the secret of the daemons in {shown} is longer than {LONGEST} octets: it is one line, or \
             two"
        );
        // What is no text is a secret as well, in which no second line is looked for.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| format!("{:?}", error.as_bytes())))
    }

    fn parse(&self, text: &str) -> Result<Keys> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (first, second) = (lines.next().unwrap_or_default(), lines.next());
        let keys = Keys::new(first.as_bytes(), second.map(str::as_bytes))
            .with_context(|| format!("the secret of the daemons in {}", self.path.display()))?;
        if Keys::is_guessable(first.as_bytes()) {
            warn!(
                file = %self.path.display(),
                "the secret of the daemons looks like words: whoever records a datagram can guess at \
                 it; `openssl rand -base64 32` makes a good one"
            );
        }
        Ok(keys)
    }
}
