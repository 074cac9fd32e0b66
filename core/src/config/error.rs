//! What is wrong with a configuration, and where.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::origin::{Origin, Spot};
use super::place::Location;
use crate::yaml::{Position, SyntaxError, suspects};

/// The most problems that are kept of one configuration; nobody reads more.
const MAX_ERRORS: usize = 1000;
/// The most characters of a value that a message repeats.
const MAX_QUOTED: usize = 80;

/// One problem of a configuration. Trying again does not help: the user must change the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where.
    pub location: Location,
    /// The value, what is wrong with it, and what would be right; one line.
    pub message: String,
    /// How MetalLB says the same, where programs look for that.
    pub known_as: Option<Box<str>>,
}

impl ConfigError {
    /// A syntax error of a text.
    pub fn syntax(error: &SyntaxError, origin: &Origin) -> Self {
        let spot = origin.spot(error.position);
        let packed = match spot.within {
            Some(_) => {
                "; the text is folded or quoted here: write `|` in front, and below it the text as it is"
            }
            None => "",
        };
        Self {
            location: Location {
                object: Arc::from(origin.file()),
                file: None,
                spot: Some(spot),
                path: String::new(),
            },
            message: format!("{}{packed}", error.message),
            known_as: None,
        }
    }

    /// The same, and how MetalLB says it.
    #[must_use]
    pub fn known_as(self, text: impl Into<Box<str>>) -> Self {
        Self {
            known_as: Some(text.into()),
            ..self
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)?;
        match self.location.spot {
            Some(Spot {
                within: Some(Position { line, column }),
                ..
            }) => write!(f, " (line {line}, column {column} of the text)"),
            Some(Spot { within: None, .. }) | None => Ok(()),
        }
    }
}

/// All problems of a configuration, in the order of their places. The configuration is refused
/// whole; the one before it stays in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    omitted: usize,
}

impl ConfigErrors {
    /// Adds a problem. Where there is no more room it is only counted, and its place not looked up.
    pub fn push_with(&mut self, error: impl FnOnce() -> ConfigError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error());
        } else {
            self.omitted += 1;
        }
    }

    /// Adds the problems of another configuration.
    pub fn append(&mut self, other: Self) {
        for error in other.errors {
            self.push_with(|| error);
        }
        self.omitted += other.omitted;
    }

    fn sort(&mut self) {
        self.errors
            .sort_by(|a, b| a.location.order().cmp(&b.location.order()));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }
}

/// What is wrong with objects that make up a configuration: those that are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused(BTreeMap<Arc<str>, ConfigErrors>);

impl Refused {
    /// One object, if anything is wrong with it.
    pub fn of(object: Arc<str>, errors: ConfigErrors) -> Self {
        let is_any = !errors.is_empty();
        Self(is_any.then_some((object, errors)).into_iter().collect())
    }

    /// Adds a problem of an object.
    pub fn push_with(&mut self, object: &Arc<str>, error: impl FnOnce() -> ConfigError) {
        let errors = self.0.entry(Arc::clone(object)).or_default();
        errors.push_with(error);
    }

    /// Adds what is wrong with others.
    pub fn append(&mut self, other: Self) {
        for (object, errors) in other.0 {
            self.0.entry(object).or_default().append(errors);
        }
    }

    /// Adds objects that are not among these yet.
    pub fn extend(&mut self, others: Self) {
        for (object, errors) in others.0 {
            self.0.entry(object).or_insert(errors);
        }
    }

    /// Whether this object is refused.
    pub fn contains(&self, object: &str) -> bool {
        self.0.contains_key(object)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects that are, by name, with all that is wrong with each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ConfigErrors)> {
        self.0.iter().map(|(object, errors)| (&**object, errors))
    }

    /// Everything that is wrong, in the order of the places.
    pub fn all(self) -> ConfigErrors {
        let mut all = ConfigErrors::default();
        for errors in self.0.into_values() {
            all.append(errors);
        }
        all.sort();
        all
    }

    /// Puts what is wrong with each object in the order of the places.
    pub fn sort(&mut self) {
        self.0.values_mut().for_each(ConfigErrors::sort);
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self {
            errors: vec![error],
            omitted: 0,
        }
    }
}

/// One line for each problem.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "{error}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\n… and {omitted} more"),
        }
    }
}

/// A value quoted, on one line, not too long.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A value as messages repeat it: as [`shorten`] makes it, and with what cannot be seen in it.
pub fn quote(text: &str) -> String {
    let quoted = shorten(text);
    match suspects::remark(text) {
        Some(remark) => format!("{quoted} ({remark})"),
        None => quoted,
    }
}

/// The candidate that the user most likely meant by `word`: the same but for case and separators,
/// or at most two letters away.
pub fn suggest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let letters = |text: &str| -> Vec<char> {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters
            .flat_map(char::to_lowercase)
            .take(MAX_QUOTED)
            .collect()
    };
    let word = letters(word);
    let near = candidates.iter().filter_map(|candidate| {
        let letters = letters(candidate);
        let is_near = word.len().abs_diff(letters.len()) <= 2;
        is_near.then(|| (distance(&word, &letters), letters.len(), *candidate))
    });
    let (distance, length, best) = near.min()?;
    (distance <= 2 && 2 * distance < length).then_some(best)
}

/// How many letters must be inserted, removed or replaced to make `a` from `b` (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            *cell = (diagonal + usize::from(left != right))
                .min(above + 1)
                .min(last + 1);
            diagonal = above;
            last = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_only_counted() {
        let origin = Origin::whole("f");
        let error = SyntaxError {
            position: Position { line: 1, column: 1 },
            message: "wrong".into(),
        };
        let mut errors = ConfigErrors::default();
        for _ in 0..MAX_ERRORS {
            errors.push_with(|| ConfigError::syntax(&error, &origin));
        }
        errors.push_with(|| panic!("its place was looked up"));
        assert_eq!(errors.iter().count(), MAX_ERRORS);
        assert!(errors.to_string().ends_with("\n… and 1 more"));
    }
}
