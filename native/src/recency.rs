//! Slots in a list by their last use: what bounded memory forgets first stands at one end. Used by [`crate::flight`] and
//! [`crate::process`].
//!
//! A slot is found by its place, which stays the same; every operation takes constant time. Indices instead of pointers: no
//! `unsafe`, and half the memory.

use std::ops::{Index, IndexMut};

/// No slot.
const NONE: u32 = u32::MAX;
/// Places there are.
pub const MOST_SLOTS: usize = NONE as usize;

#[derive(Debug)]
struct Slot<T> {
    value: T,
    /// Towards those used more recently.
    newer: u32,
    /// Towards those used longer ago.
    older: u32,
}

/// Slots, some of which are in a list from the newest to the oldest.
#[derive(Debug)]
pub struct Recency<T> {
    slots: Vec<Slot<T>>,
    newest: u32,
    oldest: u32,
}

impl<T> Default for Recency<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), newest: NONE, oldest: NONE }
    }
}

impl<T> Recency<T> {
    /// Slots, in the list or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True without any slot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The place at the oldest end of the list.
    #[must_use]
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// A new slot, not in the list yet. At most [`MOST_SLOTS`]: whoever adds bounds their number.
    pub fn add(&mut self, value: T) -> u32 {
        let place = self.slots.len() as u32;
        self.slots.push(Slot { value, newer: NONE, older: NONE });
        place
    }

    /// Puts a slot that is not in the list at its newest end.
    pub fn link_newest(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.newest, place);
        let slot = &mut self.slots[place as usize];
        (slot.newer, slot.older) = (NONE, before);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
    }

    /// Puts a slot that is not in the list at its oldest end.
    pub fn link_oldest(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.oldest, place);
        let slot = &mut self.slots[place as usize];
        (slot.newer, slot.older) = (before, NONE);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.older = place,
            None => self.newest = place,
        }
    }

    /// Takes a slot out of the list; it stays where it is.
    pub fn unlink(&mut self, place: u32) {
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

    /// Makes a slot of the list its newest one.
    #[inline]
    pub fn touch(&mut self, place: u32) {
        if self.newest != place {
            self.unlink(place);
            self.link_newest(place);
        }
    }
}

impl<T> Index<u32> for Recency<T> {
    type Output = T;

    #[inline]
    fn index(&self, place: u32) -> &T {
        &self.slots[place as usize].value
    }
}

impl<T> IndexMut<u32> for Recency<T> {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.slots[place as usize].value
    }
}
