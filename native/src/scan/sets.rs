//! Stage 3 of 7, redact: small sets of words, written as one text. Thread: caller.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Longest word of a set.
const LONGEST: usize = 32;

/// Words with spaces between, in small letters; split at their first use.
#[derive(Debug)]
pub struct WordSet {
    text: &'static str,
    words: OnceLock<HashSet<&'static [u8]>>,
}

impl WordSet {
    /// A set of the words in `text`.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, words: OnceLock::new() }
    }

    /// True when the word is in, whatever the case of its letters.
    #[must_use]
    pub fn has(&self, word: &[u8]) -> bool {
        let mut small = [0; LONGEST];
        let Some(small) = small.get_mut(..word.len()) else { return false };
        for (to, from) in small.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        let words =
            self.words.get_or_init(|| self.text.split_ascii_whitespace().map(str::as_bytes).collect());
        words.contains(&*small)
    }
}
