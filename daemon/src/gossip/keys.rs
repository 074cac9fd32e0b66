//! The file with the shared secret.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use carillon_core::membership::Keys;
use tracing::{error, info};

#[cfg(test)]
mod tests;

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
        let bytes = fs::read(&self.path)
            .with_context(|| format!("cannot read the secret of the daemons in {shown}"))?;
        // What is no text is a secret as well, in which no second line is looked for.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| format!("{:?}", error.as_bytes())))
    }

    fn parse(&self, text: &str) -> Result<Keys> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (first, second) = (lines.next().unwrap_or_default(), lines.next());
        Keys::new(first.as_bytes(), second.map(str::as_bytes))
            .with_context(|| format!("the secret of the daemons in {}", self.path.display()))
    }
}
