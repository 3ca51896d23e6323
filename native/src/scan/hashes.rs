//! Stage 3 of 7, redact: hashes of words, whatever the case of their letters, and what is found by them. Thread: caller.

/// The bit that makes a letter small, in eight bytes.
pub const LOWER: u64 = 0x2020_2020_2020_2020;

/// Hash of the first eight letters and the length. Hardly a branch: words are too short to guess their length.
#[inline]
#[must_use]
pub const fn first_hash(loaded: u64, length: usize) -> u64 {
    let kept = if length < 8 { length } else { 8 };
    mix(length as u64, loaded & u64::MAX.wrapping_shr(64 - 8 * kept as u32))
}

/// Hash of the letters in `start..end`, whatever their case.
#[inline]
#[must_use]
pub fn word_hash(text: &[u8], start: usize, end: usize) -> u64 {
    let mut hash = first_hash(load(text, start) | LOWER, end - start);
    let mut at = start + 8;
    while at < end {
        hash = mix(hash, load(text, at.min(end - 8)) | LOWER);
        at += 8;
    }
    hash
}

/// Eight bytes as a number, with zeros behind the end of the text.
#[inline]
#[must_use]
pub fn load(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    rest.first_chunk().map_or_else(|| load_short(rest), |eight| u64::from_le_bytes(*eight))
}

/// The same of four bytes.
#[inline]
#[must_use]
pub fn load_four(text: &[u8], at: usize) -> u32 {
    let rest = text.get(at..).unwrap_or_default();
    rest.first_chunk().map_or_else(|| load_short(rest) as u32, |four| u32::from_le_bytes(*four))
}

/// The same of less than eight bytes.
#[inline]
fn load_short(text: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        return text.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    };
    let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
    u64::from(first) | u64::from(last) << (8 * (text.len() - 4))
}

/// Makes one hash of two numbers.
#[inline]
#[must_use]
pub const fn mix(hash: u64, value: u64) -> u64 {
    let product = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// A set of hashes in `N` times 64 bits. What is not in is told at once; of what seems to be in, a few are strangers.
#[derive(Debug)]
pub struct Sieve<const N: usize>(Box<[u64; N]>);

impl<const N: usize> Default for Sieve<N> {
    fn default() -> Self {
        Self(Box::new([0; N]))
    }
}

impl<const N: usize> Sieve<N> {
    /// Puts a hash in.
    pub fn add(&mut self, hash: u64) {
        self.0[(hash >> 6) as usize % N] |= 1 << (hash & 63);
    }

    /// False of what was not put in.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, hash: u64) -> bool {
        self.0[(hash >> 6) as usize % N] >> (hash & 63) & 1 != 0
    }
}

/// Numbers above 0 by hash.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<(u32, u16)>,
}

impl Table {
    /// At least half of its places stay free.
    #[must_use]
    pub fn new(entries: impl ExactSizeIterator<Item = (u64, u16)>) -> Self {
        let size = (entries.len() * 2 + 1).next_power_of_two();
        let mut slots = vec![(0, 0); size];
        for (hash, value) in entries {
            let mut at = hash as usize & (size - 1);
            while slots[at].1 != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = ((hash >> 32) as u32, value);
        }
        Self { slots }
    }

    /// The number with this hash, 0 without one.
    #[inline]
    #[must_use]
    pub fn get(&self, hash: u64) -> u16 {
        let last = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & last;
        while let Some(&(tag, value)) = self.slots.get(at) {
            if value == 0 || tag == (hash >> 32) as u32 {
                return value;
            }
            at = (at + 1) & last;
        }
        0
    }
}
