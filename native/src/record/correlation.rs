//! Stage 2 of 7, capture: an id that joins the records of one request, where the caller sent none. Thread: caller.
//!
//! 32 hexadecimal digits that sort by time: a UUID of version 7 (RFC 9562) without dashes. Unique, not secret.

use ::ring::rand::{SecureRandom, SystemRandom};
use fastrand::Rng;

/// Characters of an id.
pub const LENGTH: usize = 32;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Makes the ids of one process.
#[derive(Debug)]
pub struct Ids {
    random: Rng,
    process: u32,
}

impl Ids {
    /// Draws what tells this process from others.
    #[must_use]
    pub fn draw() -> Self {
        let mut bytes = [0; 8];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            // As `uid` does without a source of randomness.
            bytes = (fastrand::u64(..) ^ u64::from(std::process::id()).rotate_left(20)).to_le_bytes();
        }
        Self { random: Rng::with_seed(u64::from_le_bytes(bytes)), process: std::process::id() }
    }

    /// Whether a forked child has them from its parent: then both would make the same ones.
    #[must_use]
    pub fn are_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// The next id, of this time.
    pub fn next(&mut self, unix_nanos: u64) -> [u8; LENGTH] {
        let time = (unix_nanos / 1_000_000) & 0xffff_ffff_ffff;
        // The 7 is the version, the two highest bits of the second half the variant.
        let high = (time << 16) | 0x7000 | self.random.u64(..) >> 52;
        let low = 0x8000_0000_0000_0000 | self.random.u64(..) >> 2;
        let mut id = [0; LENGTH];
        let number = u128::from(high) << 64 | u128::from(low);
        for (place, digit) in id.iter_mut().enumerate() {
            *digit = DIGITS[(number >> (124 - 4 * place)) as usize & 15];
        }
        id
    }
}
