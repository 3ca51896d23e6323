//! Stage 3 of 7, redact: the words that hold the key of a wallet (BIP-39, English). Thread: caller.

use std::sync::OnceLock;

use ring::digest::{digest, SHA256};

/// Fewest words of a phrase.
pub const SHORTEST_PHRASE: usize = 12;
/// Most words of a phrase.
pub const MOST_WORDS: usize = 24;

/// The list, sorted as the standard has it.
fn list() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    LIST.get_or_init(|| include_str!("bip39_english.txt").lines().collect())
}

/// The place of a word in the list: its eleven bits.
#[must_use]
pub fn bits_of(word: &[u8]) -> Option<u16> {
    let word = std::str::from_utf8(word).ok()?;
    list().binary_search(&word).ok().map(|place| place as u16)
}

/// True of 12, 15, 18, 21 or 24 words in small letters, all of the list, whose last bits are a hash of the others.
#[must_use]
pub fn is_seed_phrase(words: &str) -> bool {
    let mut bits = [0u16; MOST_WORDS];
    let mut count = 0;
    for word in words.split_ascii_whitespace() {
        let (Some(place), Some(known)) = (bits.get_mut(count), bits_of(word.as_bytes())) else {
            return false;
        };
        *place = known;
        count += 1;
    }
    is_phrase(&bits[..count])
}

/// The same of the places of words.
#[must_use]
pub fn is_phrase(words: &[u16]) -> bool {
    if !matches!(words.len(), 12 | 15 | 18 | 21 | 24) {
        return false;
    }
    let check_bits = words.len() / 3;
    let entropy_bytes = check_bits * 4;
    let mut bytes = [0u8; MOST_WORDS * 11 / 8];
    for (set, bit) in
        words.iter().flat_map(|word| (0..11).rev().map(move |bit| word >> bit & 1)).zip(0usize..)
    {
        bytes[bit / 8] |= (set as u8) << (7 - bit % 8);
    }
    let hash = digest(&SHA256, &bytes[..entropy_bytes]);
    hash.as_ref()[0] >> (8 - check_bits) == bytes[entropy_bytes] >> (8 - check_bits)
}
