//! Stage 3 of 7, redact: small sets of words, written as one text. Thread: caller.

use std::sync::OnceLock;

use crate::scan::hashes::{word_hash, Table};

/// Words with spaces between, in small letters; split at their first use.
#[derive(Debug)]
pub struct WordSet {
    text: &'static str,
    built: OnceLock<Built>,
}

#[derive(Debug)]
struct Built {
    table: Table,
    longest: usize,
}

impl WordSet {
    /// A set of the words in `text`.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, built: OnceLock::new() }
    }

    /// True when the word is in, whatever the case of its letters.
    #[must_use]
    pub fn has(&self, word: &[u8]) -> bool {
        let Built { table, longest } = self.built.get_or_init(|| self.build());
        (1..=*longest).contains(&word.len()) && table.get(word_hash(word, 0, word.len())) != 0
    }

    fn build(&self) -> Built {
        let words: Vec<&[u8]> = self.text.split_ascii_whitespace().map(str::as_bytes).collect();
        Built {
            table: Table::new(words.iter().map(|word| (word_hash(word, 0, word.len()), 1))),
            longest: words.iter().map(|word| word.len()).max().unwrap_or(0),
        }
    }
}
