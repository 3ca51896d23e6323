//! Stage 3 of 7, redact: short strings that came by lately, and what was found out about each. Thread: caller.
//!
//! Records repeat themselves: messages, names of attributes, regions, routes, states. A string is known again by all of
//! its bytes; its hash says only where to look, so strings that are made to collide cost time, never a wrong answer.

/// Longest string that is remembered.
pub const MAX_BYTES: usize = 61;
/// Places for strings. A power of two.
const SLOTS: usize = 256;

/// What was found out about strings lately: at most one for each place, the last one.
#[derive(Debug, Clone)]
pub struct Recent<V> {
    /// Empty before the first string comes by.
    slots: Vec<Slot<V>>,
}

#[derive(Debug, Clone)]
struct Slot<V> {
    /// Zero of a place that is free.
    length: u8,
    /// Says which strings this is one of.
    sort: u8,
    bytes: [u8; MAX_BYTES],
    value: V,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<V: Copy + Default> Recent<V> {
    /// What was found out about this string of this sort, if it is known.
    #[inline]
    #[must_use]
    pub fn get(&self, sort: u8, bytes: &[u8]) -> Option<V> {
        let slot = self.slots.get(place(bytes))?;
        let same = usize::from(slot.length) == bytes.len()
            && slot.sort == sort
            && slot.bytes.get(..bytes.len()) == Some(bytes);
        (same && !bytes.is_empty()).then_some(slot.value)
    }

    /// Remembers a string, unless it is too long.
    pub fn put(&mut self, sort: u8, bytes: &[u8], value: V) {
        if bytes.is_empty() || bytes.len() > MAX_BYTES {
            return;
        }
        if self.slots.is_empty() {
            let free = Slot { length: 0, sort: 0, bytes: [0; MAX_BYTES], value: V::default() };
            self.slots.resize(SLOTS, free);
        }
        if let Some(slot) = self.slots.get_mut(place(bytes)) {
            slot.bytes[..bytes.len()].copy_from_slice(bytes);
            (slot.length, slot.sort, slot.value) = (bytes.len() as u8, sort, value);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.length = 0);
    }
}

/// Where a string has its place: by its length, its first, middle and last eight bytes.
#[inline]
fn place(bytes: &[u8]) -> usize {
    let eight = |at: usize| {
        bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_le_bytes(*eight))
    };
    let word = match bytes.len() {
        8.. => eight(0) ^ eight(bytes.len() / 2 - 4).rotate_left(21) ^ eight(bytes.len() - 8).rotate_left(42),
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let product = (word ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 32) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_string_is_never_taken_for_another(
            strings in prop::collection::vec(("[ab]{0,70}", 0u8..3), 1..400),
        ) {
            let mut recent = Recent::default();
            let mut last = std::collections::HashMap::new();
            for (at, (string, sort)) in strings.iter().enumerate() {
                recent.put(*sort, string.as_bytes(), at);
                last.insert((string.clone(), *sort), at);
                for ((known, sort), value) in &last {
                    if let Some(found) = recent.get(*sort, known.as_bytes()) {
                        prop_assert_eq!(found, *value);
                    }
                }
                let fits = (1..=MAX_BYTES).contains(&string.len());
                prop_assert_eq!(recent.get(*sort, string.as_bytes()), fits.then_some(at));
            }
            recent.clear();
            prop_assert!(last.keys().all(|(known, sort)| recent.get(*sort, known.as_bytes()).is_none()));
        }
    }
}
