//! Stage 3 of 7, redact: finds sensitive values in a text. Thread: caller.
//!
//! Plain functions over bytes; this room imports nothing of ours. [`Scanner::scan`] takes one text and what the name of
//! its key says:
//!
//! 1. [`classes`] reads the bytes once and leaves anchors. 2. [`keywords`] finds words that speak for a value.
//! 3. [`mod@detect`] goes from anchors and words to findings, with the arithmetic of [`mod@check`]. 4. [`mod@resolve`] unites them.
//!
//! [`kind`] lists what is known, [`words`] what keywords mean, [`vocabulary`] which they are; [`keys`] reads names of
//! keys; [`blocks`] and [`lexicon`] ([`hashes`]) are the searches behind 1 and 2; [`quiet`] tells what needs no look;
//! [`context`] is what a detector sees.

pub mod blocks;
pub mod check;
pub mod classes;
pub mod clusters;
pub mod context;
pub mod detect;
pub mod finding;
pub mod hashes;
pub mod keys;
pub mod keywords;
pub mod kind;
pub mod lexicon;
pub mod quiet;
pub mod resolve;
pub mod sets;
pub mod views;
pub mod vocabulary;
pub mod vocabulary_further;
pub mod vocabulary_secrets;
pub mod words;

use blocks::Blocks;
use classes::{flag, Anchors, LONG_RUN};
use context::Context;
use finding::{Finding, Findings};
use keys::KeyPlan;
use keywords::Hit;
use kind::{Kind, Kinds};
use views::View;
use words::Words;

/// The shortest value that is found without a word: `a@b.co`.
const SHORTEST_VALUE: usize = 6;

/// Fewest digits of a value without a letter that is told by its form, an address of the network: `1.2.3.4`.
const FEWEST_DIGITS_OF_VALUE: u8 = 4;

/// What a scanner looks for.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The kinds that are looked for.
    pub kinds: Kinds,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kinds: Kinds::ALL.without(Kind::UserPath) }
    }
}

/// Memory that a caller keeps from one text to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    reading: Reading,
    view: View,
    findings: Vec<Finding>,
}

/// What one reading of a text leaves.
#[derive(Debug, Default)]
struct Reading {
    blocks: Blocks,
    anchors: Anchors,
    hits: Vec<Hit>,
}

/// Finds sensitive values; compiled once.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    settings: Settings,
}

impl Scanner {
    /// Compiles the settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Whether findings of this kind are asked for.
    #[must_use]
    pub const fn looks_for(&self, kind: Kind) -> bool {
        self.settings.kinds.has(kind)
    }

    /// What the name of a key says; keep it as long as the key lives.
    #[must_use]
    pub fn plan(&self, key: &str) -> KeyPlan {
        KeyPlan::new(key)
    }

    /// The findings in `text`, ordered, without overlap, at borders of characters.
    pub fn scan<'s>(&self, text: &str, key: &KeyPlan, scratch: &'s mut Scratch) -> &'s [Finding] {
        let Scratch { reading, view, findings } = scratch;
        findings.clear();
        if key.keyed && self.is_silent(text.as_bytes(), key) {
            return findings;
        }
        self.look(text.as_bytes(), key, reading, findings);
        let coloured = memchr::memchr(0x1b, text.as_bytes()).is_some();
        if view.read(text, reading.anchors.flags | if coloured { flag::ESCAPE } else { 0 }) {
            let known = findings.len();
            self.look(&view.bytes, key, reading, findings);
            for finding in &mut findings[known..] {
                (finding.start, finding.end) = view.source(text.as_bytes(), finding.start, finding.end);
            }
        }
        resolve::resolve(text, findings);
        findings
    }

    /// True of a value that nothing is found in, told without reading it whole.
    #[inline]
    fn is_silent(&self, value: &[u8], key: &KeyPlan) -> bool {
        (!key.whole && self.is_plain(value)) || (!key.speaks() && quiet::is_quiet(value))
    }

    /// True of a value that is too short for anything, or one short word with hardly a digit: `GET`, `orders`, `eu-west-1`.
    fn is_plain(&self, value: &[u8]) -> bool {
        let path = !self.settings.kinds.has(Kind::UserPath);
        if value.len() < SHORTEST_VALUE || value.len() >= LONG_RUN {
            return value.len() < SHORTEST_VALUE;
        }
        // No branch on a byte: compilers turn this into wide instructions.
        let (mut others, mut digits) = (0u8, 0u8);
        for byte in value {
            let sign = matches!(byte, b'-' | b'_' | b'.') || (*byte == b'/' && path);
            let digit = byte.is_ascii_digit();
            digits += u8::from(digit);
            others += u8::from(!(digit || sign || byte.is_ascii_alphabetic()));
        }
        others == 0 && digits < FEWEST_DIGITS_OF_VALUE
    }

    /// Reads a text, or a view of one, and appends what it holds.
    fn look(&self, text: &[u8], key: &KeyPlan, reading: &mut Reading, findings: &mut Vec<Finding>) {
        let Reading { blocks, anchors, hits } = reading;
        hits.clear();
        blocks.read(text);
        anchors.read(text, blocks);
        // A value of one word has its keywords in its key.
        let wordy = !key.keyed
            || !anchors.assigns.is_empty()
            || anchors.has(flag::SPACE)
            || memchr::memchr(b'<', text).is_some();
        let said = if wordy { keywords::find(text, blocks, hits) } else { Words::NONE };
        let context = Context { text, anchors, hits, said, key };
        detect::all(&context, &mut Findings::new(findings, self.settings.kinds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn what_is_taken_for_plain_holds_nothing(value in "[a-zA-Z_./-]{0,5}[0-9]{0,3}[a-zA-Z_./-]{0,8}[0-9]{0,2}[A-Za-z]{0,3}") {
            let (scanner, plan) = (Scanner::default(), KeyPlan::new("thing"));
            let mut findings = Vec::new();
            scanner.look(value.as_bytes(), &plan, &mut Reading::default(), &mut findings);
            // The others are there to show that not all is plain.
            prop_assert!(findings.is_empty() || !scanner.is_plain(value.as_bytes()), "{value:?}: {findings:?}");
        }
    }
}
