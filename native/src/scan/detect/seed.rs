//! Stage 3 of 7, redact: finds the words that hold the key of a wallet. Thread: caller.

use crate::scan::check::seed_phrase::{bits_of, is_phrase, MOST_WORDS, SHORTEST_PHRASE};
use crate::scan::classes::flag;
use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::words::Word;

/// The last words that are all of the list.
#[derive(Debug, Default)]
struct Row {
    bits: Vec<u16>,
    /// Where each begins and ends.
    places: Vec<(usize, usize)>,
}

/// Appends what it finds: a phrase with its checksum, or enough words of the list where a keyword speaks for them.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    if !context.anchors.has(flag::MANY_WORDS) || !findings.wants(Kind::SeedPhrase) {
        return;
    }
    let mut row = Row::default();
    let mut at = 0;
    while at < context.text.len() {
        let length = context.text[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let end = at + length;
        match bits_of(&context.text[at..end]).filter(|_| length > 0) {
            Some(bits) => {
                row.bits.push(bits);
                row.places.push((at, end));
            }
            None => row.flush(context, findings),
        }
        let gap = context.text[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if gap == 0 {
            row.flush(context, findings);
        }
        at = end + gap.max(1);
    }
    row.flush(context, findings);
}

impl Row {
    fn flush(&mut self, context: &Context<'_>, findings: &mut Findings<'_>) {
        let mut first = 0;
        while first + SHORTEST_PHRASE <= self.bits.len() {
            let count = (0..=4).rev().map(|more| SHORTEST_PHRASE + more * 3).find(|count| {
                *count <= MOST_WORDS && self.bits.get(first..first + count).is_some_and(is_phrase)
            });
            if let Some(count) = count {
                self.hide(first, first + count, findings);
            }
            first += count.unwrap_or(1);
        }
        if self.bits.len() >= SHORTEST_PHRASE {
            let named =
                context.near(self.places[0].0, self.places[self.bits.len() - 1].1).has(Word::SeedPhrase);
            if named {
                self.hide(0, self.bits.len(), findings);
            }
        }
        self.bits.clear();
        self.places.clear();
    }

    fn hide(&self, first: usize, behind: usize, findings: &mut Findings<'_>) {
        findings.push(self.places[first].0, self.places[behind - 1].1, Kind::SeedPhrase, "seed.bip39");
    }
}
