//! What is wrong with a resource, collected.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use carillon_core::config::error::quote;

use super::super::tree::{FieldError, Path};

/// What is wrong with a resource.
#[derive(Debug, Default)]
pub(in super::super) struct Problems(Vec<FieldError>);

impl Problems {
    /// The value at this path is wrong.
    pub(super) fn refuse(&mut self, path: Path, message: impl fmt::Display) {
        self.0.push(FieldError::new(path, message.to_string()));
    }

    /// A value, unless it is wrong.
    pub(super) fn checked<T, E: fmt::Display>(
        &mut self,
        path: &Path,
        value: Result<T, E>,
    ) -> Option<T> {
        value.map_err(|error| self.refuse(path.clone(), error)).ok()
    }

    /// A number of this range, unless it is none.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        path: &Path,
        value: i64,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let number = Some(value).filter(|value| range.contains(value));
        let number = number.and_then(|value| T::try_from(value).ok());
        if number.is_none() {
            let (least, most) = range.into_inner();
            let message = format!("{value} is out of range: write a number from {least} to {most}");
            self.refuse(path.clone(), message);
        }
        number
    }

    /// Refuses the texts of the list at this path that are in it before.
    pub(super) fn unique(&mut self, path: &Path, texts: &[String]) {
        let mut before = HashSet::new();
        for (n, text) in texts.iter().enumerate() {
            if !before.insert(text.as_str()) {
                let message = format!("{} is in the list twice: remove one", quote(text));
                self.refuse(path.clone().item(n), message);
            }
        }
    }

    /// Each.
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.0
    }
}
