//! Stage 3 of 7, redact: what a detector sees of a text. Thread: caller.

use crate::scan::classes::Anchors;
use crate::scan::keys::KeyPlan;
use crate::scan::keywords::{self, Hit};
use crate::scan::words::Words;

/// One text, read and ready for detectors.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The bytes; valid UTF-8, except in a decoded view.
    pub text: &'a [u8],
    /// Where something may be.
    pub anchors: &'a Anchors,
    /// The keywords in it, ordered by their ends.
    pub hits: &'a [Hit],
    /// What all of them say.
    pub said: Words,
    /// What the key of the value says.
    pub key: &'a KeyPlan,
}

impl Context<'_> {
    /// The byte at `at`, 0 outside.
    #[inline]
    #[must_use]
    pub fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// The byte before `at`, 0 at the start.
    #[inline]
    #[must_use]
    pub fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.byte(at))
    }

    /// What the words around `start..end` and the key say.
    #[inline]
    #[must_use]
    pub fn near(&self, start: usize, end: usize) -> Words {
        self.key.words.and(keywords::near(self.text, self.hits, start, end))
    }
}
