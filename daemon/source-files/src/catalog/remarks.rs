//! What is to say of files. There may be thousands of broken ones, and each change of one has to cost
//! what that one costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use carillon_objects::source::Problem;

/// What is to say, by file.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    files: BTreeMap<Arc<str>, Vec<Problem>>,
    count: usize,
}

impl Remarks {
    /// Takes in what is to say of a file now. Returns whether that has changed.
    pub(super) fn set(&mut self, file: &Arc<str>, remarks: Vec<Problem>) -> bool {
        self.count += remarks.len();
        let before = if remarks.is_empty() {
            self.files.remove(file)
        } else {
            self.files.insert(file.clone(), remarks)
        };
        self.count -= before.as_ref().map_or(0, Vec::len);
        before.as_ref() != self.files.get(file)
    }

    /// What is to say of a file, if anything.
    pub(super) fn of(&self, file: &str) -> Option<&Vec<Problem>> {
        self.files.get(file)
    }

    /// All of it, in the order of the files.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.files.values().flatten()
    }

    /// How much it is.
    pub(super) fn len(&self) -> usize {
        self.count
    }
}
