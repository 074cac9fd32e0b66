//! A set in a sorted vector: a fraction of the memory of a tree where there are few elements, as in
//! the thousands of sets that hold one.

/// A set of `T` in ascending order. Insertion and removal move what comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedVec<T>(Vec<T>);

impl<T> Default for SortedVec<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> SortedVec<T> {
    /// Adds an element, if it is not there already.
    pub fn insert(&mut self, element: T) {
        if let Err(index) = self.0.binary_search(&element) {
            // The first element does not take room for more.
            self.0.reserve_exact(usize::from(self.0.is_empty()));
            self.0.insert(index, element);
        }
    }

    /// Takes an element out, if it is there.
    pub fn remove(&mut self, element: &T) {
        if let Ok(index) = self.0.binary_search(element) {
            self.0.remove(index);
        }
    }
}

impl<T> std::ops::Deref for SortedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a SortedVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_set(changes: Vec<(bool, u8)>) {
            let mut sorted = SortedVec::default();
            let mut model = BTreeSet::new();
            for (add, element) in changes {
                if add {
                    sorted.insert(element);
                    model.insert(element);
                } else {
                    sorted.remove(&element);
                    model.remove(&element);
                }
                prop_assert!(sorted.iter().eq(&model));
            }
        }
    }
}
