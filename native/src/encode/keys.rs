//! Stage 6 of 7, export: the keys that one JSON object has already. Thread: as `encode`.
//!
//! Keys stay where they were written: the table holds their places in the text, so it copies nothing. It is emptied
//! for each record without being cleared, and its time is linear in the number of keys.

use std::ops::Range;

/// A table of places in one text, by what stands there.
#[derive(Debug)]
pub(super) struct Keys {
    slots: Vec<Slot>,
    /// Slots of another epoch are free.
    epoch: u32,
    count: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    epoch: u32,
    hash: u32,
    start: usize,
    end: usize,
}

const FIRST_SLOTS: usize = 64;

impl Keys {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::default(); FIRST_SLOTS], epoch: 1, count: 0 }
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            *self = Self::new();
        }
    }

    /// True when what stands at `place` was not there yet; then it is now.
    pub(super) fn insert(&mut self, text: &str, place: Range<usize>) -> bool {
        let key = &text[place.clone()];
        let hash = hash(key.as_bytes());
        let Err(free) = self.find(text, key, hash) else { return false };
        self.slots[free] = Slot { epoch: self.epoch, hash, start: place.start, end: place.end };
        self.count += 1;
        if self.count * 2 > self.slots.len() {
            self.grow();
        }
        true
    }

    /// Whether `key` with this [`hash`] is among those of `text`.
    pub(super) fn contains(&self, text: &str, key: &str, hash: u32) -> bool {
        self.count > 0 && self.find(text, key, hash).is_ok()
    }

    fn find(&self, text: &str, key: &str, hash: u32) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.epoch != self.epoch {
                return Err(at);
            }
            if slot.hash == hash && &text[slot.start..slot.end] == key {
                return Ok(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let larger = vec![Slot::default(); self.slots.len() * 2];
        let mask = larger.len() - 1;
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot.epoch == self.epoch {
                let mut at = slot.hash as usize & mask;
                while self.slots[at].epoch == self.epoch {
                    at = (at + 1) & mask;
                }
                self.slots[at] = slot;
            }
        }
    }
}

/// The hash of a key: eight bytes at a time, mixed by a multiplication.
pub(super) fn hash(key: &[u8]) -> u32 {
    let mut hash = key.len() as u64;
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_new_once_in_each_epoch_however_many_there_are() {
        let mut keys = Keys::new();
        for round in 0..3 {
            keys.clear();
            let mut text = String::new();
            for number in 0..1_000 * (round + 1) {
                for expected in [true, false] {
                    let start = text.len();
                    text.push_str("key-");
                    text.push_str(&number.to_string());
                    assert_eq!(keys.insert(&text, start..text.len()), expected);
                }
            }
            for (key, expected) in [("key-7", true), ("key-x", false)] {
                assert_eq!(keys.contains(&text, key, hash(key.as_bytes())), expected);
            }
        }
    }
}
