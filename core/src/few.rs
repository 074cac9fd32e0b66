//! A list that nearly always has one element.

use std::fmt;
use std::ops::Deref;

/// Some elements in order. One takes no memory beside the list itself.
#[derive(Clone)]
pub struct Few<T>(Elements<T>);

#[derive(Clone)]
enum Elements<T> {
    One(T),
    /// None, or two and more.
    Others(Box<[T]>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Elements::Others(Box::default()))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Elements::One(one) => std::slice::from_ref(one),
            Elements::Others(elements) => elements,
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut elements: Vec<T>) -> Self {
        match elements.pop() {
            Some(one) if elements.is_empty() => Self(Elements::One(one)),
            last => {
                elements.extend(last);
                Self(Elements::Others(elements.into()))
            }
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut elements = elements.into_iter();
        match (elements.next(), elements.next()) {
            (None, _) => Self::default(),
            (Some(one), None) => Self(Elements::One(one)),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(elements);
                Self(Elements::Others(all.collect()))
            }
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn has_what_it_was_made_of(elements: Vec<u8>) {
            let few = Few::from(elements.clone());
            prop_assert_eq!(&*few, &*elements);
            prop_assert_eq!(&few, &elements.iter().copied().collect());
        }
    }
}
