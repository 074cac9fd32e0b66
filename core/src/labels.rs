//! The labels of an object.

use std::fmt;

use arcstr::ArcStr;

#[cfg(test)]
mod tests;

/// The most octets that are kept of the labels of an object that anybody may make. A label has at most
/// 380 of them.
const MOST: usize = 64 * 1024;
/// What ends a key and a value; neither can contain it.
const END: char = '\0';

/// The labels of an object, ascending by key: what selectors ask. Every Service has some, so they are
/// one pointer to one text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(ArcStr);

impl Labels {
    /// None.
    pub const fn new() -> Self {
        Self(ArcStr::new())
    }

    /// Those of an object that anybody may make, for instance a Service. No such object that people work
    /// with has more than 64 KiB of them; of one that has the last are left out, so that nobody can fill
    /// the memory of all nodes with them.
    pub fn bounded<K: AsRef<str>, V: AsRef<str>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::up_to(MOST, labels.into_iter().collect())
    }

    fn up_to<K: AsRef<str>, V: AsRef<str>>(most: usize, mut labels: Vec<(K, V)>) -> Self {
        labels.sort_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
        labels.dedup_by(|(later, _), (first, _)| later.as_ref() == first.as_ref());
        let mut text = String::new();
        for (key, value) in &labels {
            let (key, value) = (key.as_ref(), value.as_ref());
            let length = key.len() + value.len() + 2;
            if length > most.saturating_sub(text.len()) {
                break;
            }
            if !key.contains(END) && !value.contains(END) {
                text.extend([key, "\0", value, "\0"]);
            }
        }
        Self(text.into())
    }

    /// The value of a label, if it is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Whether a label is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Labels {
    /// Of a key that comes twice the first counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        Self::up_to(usize::MAX, labels.into_iter().collect())
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
