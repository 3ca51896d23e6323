//! A table of bounded size from which the least recently used entry leaves.

use super::hash::Hashed;
use crate::recency::{Recency, MOST_SLOTS};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Values by hash. Every operation takes constant time; memory grows with use, up to the capacity.
#[derive(Debug)]
pub struct LruTable<V> {
    capacity: usize,
    places: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Each with its key.
    entries: Recency<(u64, V)>,
}

impl<V> LruTable<V> {
    /// An empty table for at most `capacity` entries, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.clamp(1, MOST_SLOTS),
            places: HashMap::default(),
            entries: Recency::default(),
        }
    }

    /// Entries now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing was put in yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value under `key`, made by `make` if it is not there; now the most recently used.
    #[inline]
    pub fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.add(key, make()),
        };
        self.entries.touch(place);
        &mut self.entries[place].1
    }

    /// Puts a new entry at the oldest end, in the place of the oldest one when the table is full.
    fn add(&mut self, key: u64, value: V) -> u32 {
        let full = self.entries.len() >= self.capacity;
        let place = if let Some(oldest) = self.entries.oldest().filter(|_| full) {
            self.places.remove(&self.entries[oldest].0);
            self.entries[oldest] = (key, value);
            oldest
        } else {
            let place = self.entries.add((key, value));
            self.entries.link_oldest(place);
            place
        };
        self.places.insert(key, place);
        place
    }
}
