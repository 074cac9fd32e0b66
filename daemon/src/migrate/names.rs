//! Names of a ConfigMap, which may be any text, as names of resources.

use std::collections::{BTreeMap, BTreeSet};

/// The longest name that is also good as part of another.
const LONGEST: usize = 63;

/// The names of resources of one kind, by those in the ConfigMap.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    by_written: BTreeMap<String, String>,
    /// The number that was tried last of each name that is taken.
    last: BTreeMap<String, usize>,
}

impl Names {
    /// Names for these, each once. Those that are good stay, whatever the others become.
    pub(super) fn of<'a>(written: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut names = Self::default();
        for name in written.clone().filter(|name| is_name(name)) {
            names.put(name, name.to_owned());
        }
        for name in written {
            if !names.by_written.contains_key(name) {
                let free = names.free(&mended(name));
                names.put(name, free);
            }
        }
        names
    }

    /// The name of a resource.
    pub(super) fn get<'a>(&'a self, written: &'a str) -> &'a str {
        self.by_written.get(written).map_or(written, |name| name)
    }

    /// Those that became others, with these.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.by_written.iter();
        let names = names.map(|(written, name)| (&**written, &**name));
        names.filter(|(written, name)| written != name)
    }

    fn put(&mut self, written: &str, name: String) {
        self.taken.insert(name.clone());
        self.by_written.insert(written.to_owned(), name);
    }

    fn free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        while self.taken.contains(&free) {
            let last = self.last.entry(name.to_owned()).or_insert(1);
            *last += 1;
            let number = format!("-{last}");
            let kept = LONGEST.saturating_sub(number.len()).min(name.len());
            // It is ASCII.
            free = format!("{}{number}", name.get(..kept).unwrap_or_default());
        }
        free
    }
}

/// Whether a resource may have that name (RFC 1123, and the API server's limit).
fn is_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A name that is as near as can be.
fn mended(text: &str) -> String {
    let lower = text.to_lowercase();
    let usual = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let text: String = lower.chars().map(usual).take(LONGEST).collect();
    let text = text.trim_matches('-');
    if text.is_empty() {
        "unnamed".to_owned()
    } else {
        text.to_owned()
    }
}
