//! Whose turn it is: what waits, by owner, and taken from one owner after the other. Whoever asks for
//! much waits behind what he asked for himself, and never keeps others waiting behind it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Queues by owner. Everything that waits costs the same, so a turn is one of each.
#[derive(Debug)]
pub struct Turns<K, T> {
    queues: HashMap<K, VecDeque<T>>,
    /// Those of whom something waits, once each; the next is the first.
    order: VecDeque<K>,
    waiting: usize,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), order: VecDeque::new(), waiting: 0 }
    }
}

impl<K: Eq + Hash + Clone, T> Turns<K, T> {
    /// Puts one behind what waits of its owner.
    pub fn push(&mut self, owner: K, one: T) {
        let queue = self.queues.entry(owner.clone()).or_default();
        if queue.is_empty() {
            self.order.push_back(owner);
        }
        queue.push_back(one);
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Takes one of whoever's turn it is.
    pub fn take_one(&mut self) -> Option<T> {
        let owner = self.order.pop_front()?;
        let queue = self.queues.get_mut(&owner)?;
        let one = queue.pop_front()?;
        self.waiting = self.waiting.saturating_sub(1);
        if queue.is_empty() {
            self.queues.remove(&owner);
        } else {
            self.order.push_back(owner);
        }
        Some(one)
    }

    /// Takes so many at most, in turns.
    pub fn take(&mut self, most: usize) -> Vec<T> {
        let mut taken = Vec::with_capacity(most.min(self.waiting));
        while taken.len() < most
            && let Some(one) = self.take_one()
        {
            taken.push(one);
        }
        taken
    }

    /// Takes one out of the middle: it waits no longer.
    pub fn withdraw(&mut self, owner: &K, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let queue = self.queues.get_mut(owner)?;
        let place = queue.iter().position(is_it)?;
        let one = queue.remove(place)?;
        self.waiting = self.waiting.saturating_sub(1);
        if queue.is_empty() {
            self.queues.remove(owner);
            self.order.retain(|other| other != owner);
        }
        Some(one)
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(owners: &str) -> Turns<char, (char, usize)> {
        let mut turns = Turns::default();
        for (number, owner) in owners.chars().enumerate() {
            turns.push(owner, (owner, number));
        }
        turns
    }

    fn owners(taken: &[(char, usize)]) -> String {
        taken.iter().map(|(owner, _)| *owner).collect()
    }

    #[test]
    fn who_comes_behind_a_flood_is_in_the_next_group() {
        let mut turns = of("aaaaaaaaaabaaaacb");
        assert_eq!(turns.waiting(), 17);
        assert_eq!(owners(&turns.take(4)), "abca");
        assert_eq!(owners(&turns.take(4)), "baaa");
        turns.push('d', ('d', 0));
        assert_eq!(owners(&turns.take(2)), "ad");
        assert_eq!(owners(&turns.take(99)), "aaaaaaaa");
        assert_eq!((turns.waiting(), turns.take_one()), (0, None));
    }

    #[test]
    fn what_one_owner_asked_for_keeps_its_order() {
        let mut turns = of("aabababbba");
        let taken = turns.take(10);
        for owner in ['a', 'b'] {
            let numbers = taken.iter().filter(|(whose, _)| *whose == owner).map(|(_, n)| *n);
            assert!(numbers.is_sorted(), "{owner}: {taken:?}");
        }
    }

    #[test]
    fn what_is_withdrawn_takes_nobodys_turn() {
        let mut turns = of("aab");
        assert_eq!(turns.withdraw(&'a', |(_, number)| *number == 1), Some(('a', 1)));
        assert_eq!(turns.withdraw(&'a', |(_, number)| *number == 1), None);
        assert_eq!(turns.withdraw(&'b', |_| true), Some(('b', 2)));
        assert_eq!(turns.withdraw(&'b', |_| true), None);
        turns.push('b', ('b', 3));
        assert_eq!((turns.waiting(), owners(&turns.take(9)).as_str()), (2, "ab"));
    }
}
