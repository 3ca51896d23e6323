//! Stage 3 of 7, redact: where values of which types were hidden, counted, never shown. Threads: all that redact.
//!
//! It is written only when something was found, so records without findings pay nothing. It never waits, for a lock may
//! be held for ever in a forked child: what finds it in use is counted as missed. A name that is sensitive itself is `*`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Places that are counted each; what is found elsewhere is counted by type.
pub const MOST_PLACES: usize = 1_000;
/// Longest path that is counted by itself.
const MAX_PATH_BYTES: usize = 256;
/// Types that are counted: those of the scanner, and rules of the user.
const MOST_TYPES: usize = 512;

/// Counts by place and type; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    counts: Arc<Mutex<Counts>>,
    missed: Arc<AtomicU64>,
}

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// By path and type.
    pub places: HashMap<(Box<str>, Box<str>), u64>,
    /// By type, wherever it was found.
    pub types: HashMap<Box<str>, u64>,
    /// Findings without a place of their own: there was no room, or somebody else was counting.
    pub elsewhere: u64,
}

impl Inventory {
    /// Counts a finding of a type under a path; an empty one is the body.
    #[cold]
    pub fn add(&self, path: &[u8], kind: &str) {
        let Ok(mut counts) = self.counts.try_lock() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let counts = &mut *counts;
        if counts.types.contains_key(kind) || counts.types.len() < MOST_TYPES {
            *counts.types.entry(kind.into()).or_default() += 1;
        }
        let path = if path.is_empty() { "body".into() } else { String::from_utf8_lossy(path) };
        let place: (Box<str>, Box<str>) = (path.as_ref().into(), kind.into());
        let has_room = counts.places.len() < MOST_PLACES && place.0.len() <= MAX_PATH_BYTES;
        if counts.places.contains_key(&place) || has_room {
            *counts.places.entry(place).or_default() += 1;
        } else {
            counts.elsewhere += 1;
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.try_lock().map(|counts| counts.clone()).unwrap_or_default();
        counts.elsewhere += self.missed.load(Ordering::Relaxed);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_types_count_on() {
        let inventory = Inventory::default();
        let other = inventory.clone();
        for number in 0..MOST_PLACES + 10 {
            other.add(format!("key{number}").as_bytes(), "EMAIL");
        }
        inventory.add(b"", "PAN");
        inventory.add(b"key0", "EMAIL");
        let counts = inventory.counts();
        assert_eq!((counts.places.len(), counts.elsewhere), (MOST_PLACES, 11));
        assert_eq!(counts.types.get("EMAIL"), Some(&(MOST_PLACES as u64 + 11)));
        assert_eq!(counts.places.get(&("key0".into(), "EMAIL".into())), Some(&2));
    }
}
