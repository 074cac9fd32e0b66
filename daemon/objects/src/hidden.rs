//! Texts that nobody is told.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A text that shows neither in logs nor in messages about what is wrong with it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        // The message would repeat the value.
        let text = text.map_err(|_| D::Error::custom("is not text: write it in quotes"));
        text.map(Self)
    }
}
