//! Texts of users, which may have any length.
//!
//! Whoever may write a Service writes 256 KiB of annotations into it. What is kept of them, logged or
//! told is short.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

#[cfg(test)]
mod tests;

/// The most characters of a text that are kept or repeated.
pub const MOST: usize = 80;
/// The octets of a hash that stands for the rest of a text: nobody finds two texts with the same.
const HASH: usize = 16;
/// The most octets of labels that are kept as they are.
const LABELS: usize = 1024;

/// The beginning of a text, for people: it ends with `…` if there is more.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MOST - 1).chain(['…']).collect(),
    }
}

/// What stands for a text wherever texts are compared: itself, or of a longer one than [`MOST`] the
/// beginning and a hash.
pub fn bounded(text: &str) -> Cow<'_, str> {
    if text.char_indices().nth(MOST).is_none() {
        return Cow::Borrowed(text);
    }
    let beginning: String = text.chars().take(MOST - 1 - 2 * HASH).collect();
    Cow::Owned(format!("{beginning}…{}", hash(text)))
}

/// What stands for labels wherever they are compared: themselves, or of very many a hash.
pub fn bounded_labels(labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let octets: usize = labels
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if octets <= LABELS {
        return labels;
    }
    // No label has an empty key, and none has a zero in it.
    let all = labels.iter().fold(String::new(), |mut all, (key, value)| {
        for part in [key, "\0", value, "\0"] {
            all.push_str(part);
        }
        all
    });
    BTreeMap::from([(String::new(), hash(&all))])
}

/// What stands for a text, as 32 hexadecimal digits: nobody finds two texts with the same.
pub fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut hash = String::with_capacity(2 * HASH);
    for octet in digest.iter().take(HASH) {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{octet:02x}");
    }
    hash
}
