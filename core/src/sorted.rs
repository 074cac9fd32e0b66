//! A set in a sorted vector: a fraction of the memory of a tree where there are few elements, as in
//! the thousands of sets that hold one.

/// A set of `T` in ascending order. Insertion and removal move what comes after. One element takes
/// no memory beside the set itself.
#[derive(Clone, Debug)]
pub struct SortedVec<T>(Elements<T>);

#[derive(Clone, Debug)]
enum Elements<T> {
    One(T),
    /// None, or two and more.
    Many(Vec<T>),
}

impl<T> Default for SortedVec<T> {
    fn default() -> Self {
        Self(Elements::Many(Vec::new()))
    }
}

impl<T: PartialEq> PartialEq for SortedVec<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for SortedVec<T> {}

impl<T: Ord> SortedVec<T> {
    /// Adds an element, if it is not there already.
    pub fn insert(&mut self, element: T) {
        let Err(index) = self.binary_search(&element) else {
            return;
        };
        self.0 = match std::mem::take(self).0 {
            Elements::One(one) if index == 0 => Elements::Many(vec![element, one]),
            Elements::One(one) => Elements::Many(vec![one, element]),
            Elements::Many(elements) if elements.is_empty() => Elements::One(element),
            Elements::Many(mut elements) => {
                elements.insert(index, element);
                Elements::Many(elements)
            }
        };
    }

    /// Takes an element out, if it is there.
    pub fn remove(&mut self, element: &T) {
        let Ok(index) = self.binary_search(element) else {
            return;
        };
        self.0 = match std::mem::take(self).0 {
            Elements::One(_) => Elements::Many(Vec::new()),
            Elements::Many(mut elements) => {
                elements.remove(index);
                match elements.pop() {
                    Some(one) if elements.is_empty() => Elements::One(one),
                    last => {
                        elements.extend(last);
                        Elements::Many(elements)
                    }
                }
            }
        };
    }
}

impl<T> std::ops::Deref for SortedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Elements::One(one) => std::slice::from_ref(one),
            Elements::Many(elements) => elements,
        }
    }
}

impl<'a, T> IntoIterator for &'a SortedVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Makes a B-tree, a map or a set, as small as it can be. Its nodes are half empty where it grew by one
/// key after the other, as when everything is read at the start.
pub fn pack<T: Default + IntoIterator + FromIterator<T::Item>>(tree: &mut T) {
    *tree = std::mem::take(tree).into_iter().collect();
}

/// Elements in ascending order, put into the order in which an empty persistent map takes them in
/// with full nodes: every other one, and then those in between. In ascending order each new node
/// would be cut from a full one, and stay half empty.
pub fn interleaved<T>(ascending: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for element in ascending {
        first.push(element);
        std::mem::swap(&mut first, &mut second);
    }
    second.into_iter().chain(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn interleaving_loses_nothing(elements: Vec<u8>) {
            let mut all: Vec<u8> = interleaved(elements.clone()).collect();
            all.sort_unstable();
            let mut expected = elements;
            expected.sort_unstable();
            prop_assert_eq!(all, expected);
        }

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
