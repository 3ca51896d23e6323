//! Stage 2 of 7, capture: `log.record.uid`, by which a receiver knows a record that it has already. Thread: caller.
//!
//! A ULID: 48 bits of time in milliseconds, then 80 bits, of which 50 are drawn once per pipeline of a process, a forked
//! child included, and 30 count. So uids of one process rise in the order of its calls as long as the clock does, and
//! two processes share one only if both drew the same 50 bits and count alike in the same millisecond.

use crate::record::encoded_attributes::has_key;
use crate::record::fields::KeyField;
use crate::record::RecordWriter;
use ::ring::rand::{SecureRandom, SystemRandom};
use std::sync::atomic::{AtomicU32, Ordering};

/// Attribute of the semantic conventions.
pub const KEY: &str = "log.record.uid";
/// Characters of a ULID.
const LENGTH: usize = 26;
const TIME: usize = 10;
const RANDOM: usize = 10;
/// Crockford's alphabet, in the order of its values.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// An attribute of this name as it is encoded: its length stands before it.
const ENCODED_KEY: &[u8] = b"\x0a\x0elog.record.uid";

/// Gives uids to the records of one pipeline in one process.
#[derive(Debug)]
pub struct Uids {
    key: KeyField,
    random: [u8; RANDOM],
    count: AtomicU32,
}

impl Uids {
    /// Draws what tells this process from others.
    #[must_use]
    pub fn draw() -> Self {
        let mut bytes = [0; 8];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            // No source of randomness: the generator's seed is of time and thread, and the process tells forks apart.
            bytes = (fastrand::u64(..) ^ u64::from(std::process::id()).rotate_left(20)).to_le_bytes();
        }
        let mut random = [0; RANDOM];
        put(&mut random, u64::from_le_bytes(bytes));
        Self { key: KeyField::new(KEY.as_bytes()), random, count: AtomicU32::new(0) }
    }

    /// The next one, for a record of this time.
    #[must_use]
    pub fn next(&self, unix_nanos: u64) -> [u8; LENGTH] {
        let mut uid = [0; LENGTH];
        put(&mut uid[..TIME], unix_nanos / 1_000_000);
        uid[TIME..TIME + RANDOM].copy_from_slice(&self.random);
        put(&mut uid[TIME + RANDOM..], u64::from(self.count.fetch_add(1, Ordering::Relaxed)));
        uid
    }

    /// Adds one to the record, unless it has one from elsewhere.
    pub fn identify(&self, writer: &mut RecordWriter) {
        let record = writer.record();
        if memchr::memmem::find(record, ENCODED_KEY).is_some() && has_key(record, KEY.as_bytes()) {
            return;
        }
        // Every record begins with two times of nine bytes each; the second is when it was observed.
        let nanos = record.get(10..18).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        writer.attribute_str(&self.key, &self.next(nanos));
    }
}

/// Fills `place` with the lowest bits of `value`, five to a character.
fn put(place: &mut [u8], mut value: u64) {
    for character in place.iter_mut().rev() {
        *character = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
}
