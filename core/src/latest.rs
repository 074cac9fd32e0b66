//! A queue that cannot grow beyond what there is to speak of: what is newer takes the place of what
//! is older about the same.

use std::collections::{BTreeMap, VecDeque};

/// See the module's documentation. `K` is what something is about.
#[derive(Clone, Debug)]
pub struct Latest<K, V> {
    order: VecDeque<K>,
    newest: BTreeMap<K, V>,
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            newest: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord, V> Latest<K, V> {
    /// Puts something at the end, or in the place of what still waits about the same.
    pub fn push(&mut self, about: K, value: V) {
        if self.newest.insert(about.clone(), value).is_none() {
            self.order.push_back(about);
        }
    }

    /// Takes what has waited for longest.
    pub fn pop(&mut self) -> Option<V> {
        let about = self.order.pop_front()?;
        self.newest.remove(&about)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_takes_the_place_of_what_is_older() {
        let mut queue = Latest::default();
        for number in 0..1000 {
            for about in ["b", "a"] {
                queue.push(about, number);
            }
        }
        assert_eq!(queue.order.len(), 2);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(999), Some(999), None]
        );
        queue.push("a", 1);
        queue.push("b", 2);
        assert_eq!(queue.pop(), Some(1));
        queue.push("a", 3);
        assert!(!queue.is_empty());
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(2), Some(3), None]
        );
    }
}
