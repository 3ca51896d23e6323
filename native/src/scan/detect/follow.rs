//! Stage 3 of 7, redact: where the value of a keyword starts. Thread: caller.

use crate::scan::sets::WordSet;

/// Words that stand between a keyword and its value.
static BETWEEN: WordSet = WordSet::new(
    "is was are no nr num number numero nummer numer id the as of to at in on le la el il del de di do da am \
     op dn dnia ist lautet est es value code set for with",
);

/// The first byte of the value behind a keyword that ends at `at`: behind `: `, `="`, ` no. `, `>`, ` is `.
#[must_use]
pub fn value_after(text: &[u8], at: usize) -> usize {
    let mut at = at;
    for _ in 0..4 {
        at = skip_signs(text, at);
        let word =
            text.get(at..).unwrap_or_default().iter().take(9).take_while(|byte| is_letter(**byte)).count();
        let Some(given) = text.get(at..at + word) else { return at };
        let between = word > 0
            && BETWEEN.has(given)
            && matches!(text.get(at + word), Some(b' ' | b':' | b'.' | b'=' | b'#' | b'_' | b'"' | b'-'));
        if !between {
            return at;
        }
        at += word;
    }
    skip_signs(text, at)
}

/// Steps over at most eight signs.
fn skip_signs(text: &[u8], at: usize) -> usize {
    let signs = text.get(at..).unwrap_or_default().iter().take(8).take_while(|byte| is_sign(**byte)).count();
    at + signs
}

const fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b':'
            | b'='
            | b'"'
            | b'\''
            | b'#'
            | b'('
            | b'['
            | b'>'
            | b'\\'
            | b'_'
            | b'.'
            | b'/'
            | b'\t'
            | b'|'
            | b')'
            | b'`'
    )
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// The end of the stretch of letters, digits and dashes that starts at `at`, at most `most` bytes long.
#[must_use]
pub fn token_end(text: &[u8], at: usize, most: usize) -> usize {
    let length = text
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(most + 1)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    at + length
}
