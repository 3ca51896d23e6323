//! A table of bounded size from which the least recently used entry leaves. Imports `hash` only.

use super::hash::Hashed;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// No entry.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot<V> {
    key: u64,
    value: V,
    /// Towards the entries used more recently.
    newer: u32,
    /// Towards those used longer ago.
    older: u32,
}

/// Values by hash. Every operation takes constant time; memory grows with use, up to the capacity.
#[derive(Debug)]
pub struct LruTable<V> {
    capacity: usize,
    places: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    slots: Vec<Slot<V>>,
    newest: u32,
    oldest: u32,
}

impl<V> LruTable<V> {
    /// An empty table for at most `capacity` entries, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.clamp(1, NONE as usize),
            places: HashMap::default(),
            slots: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// Entries now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when nothing was put in yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The value under `key`, made by `make` if it is not there; now the most recently used.
    #[inline]
    pub fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.add(key, make()),
        };
        if self.newest != place {
            self.unlink(place);
            self.link_newest(place);
        }
        &mut self.slots[place as usize].value
    }

    /// Puts a new entry at the oldest end, in the place of the oldest one when the table is full.
    fn add(&mut self, key: u64, value: V) -> u32 {
        if self.slots.len() < self.capacity {
            let place = self.slots.len() as u32;
            self.slots.push(Slot { key, value, newer: self.oldest, older: NONE });
            match self.slots.get_mut(self.oldest as usize) {
                Some(oldest) => oldest.older = place,
                None => self.newest = place,
            }
            self.oldest = place;
            self.places.insert(key, place);
            return place;
        }
        let place = self.oldest;
        let slot = &mut self.slots[place as usize];
        self.places.remove(&slot.key);
        (slot.key, slot.value) = (key, value);
        self.places.insert(key, place);
        place
    }

    fn unlink(&mut self, place: u32) {
        let Slot { newer, older, .. } = self.slots[place as usize];
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.newest, place);
        let slot = &mut self.slots[place as usize];
        (slot.newer, slot.older) = (NONE, before);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
    }
}
