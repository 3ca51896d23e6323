//! Stage 3 of 7, redact: finds secrets that a sentence announces: `refresh token rotated: …`, `OTP 123456`. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::credentials::assigned::{is_random, is_secret_value, plain_end};
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::words::Word;

/// Most words between the keyword and the sign that announces.
const BETWEEN_WORDS: usize = 4;

/// Four to eight digits behind a word for codes.
pub fn code(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let start = value_after(context.text, hit.end as usize);
    let rest = context.text.get(start..)?;
    let digits = rest.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let behind = context.byte(start + digits);
    let glued = behind.is_ascii_alphanumeric() || matches!(behind, b'_' | b'-' | b':');
    if start > hit.end as usize && (4..=8).contains(&digits) && !glued {
        findings.push(start, start + digits, Kind::Password, "code.keyword");
    }
    None
}

/// The secret behind a few words in small letters and `: `, ` to ` or ` is `.
pub fn secret(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let mut at = hit.end as usize;
    for _ in 0..BETWEEN_WORDS {
        if context.byte(at) != b' ' {
            return None;
        }
        let rest = &text[at + 1..];
        let length = rest.iter().take(24).take_while(|byte| is_small(**byte)).count();
        let word = &rest[..length];
        at += 1 + length;
        let colon = context.byte(at) == b':' && context.byte(at + 1) == b' ';
        if length == 0 {
            return None;
        }
        if colon || matches!(word, b"to" | b"is") {
            return given(context, hit, at + usize::from(colon) + 1, findings);
        }
    }
    None
}

const fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
}

fn given(context: &Context<'_>, hit: &Hit, start: usize, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let start = start + usize::from(matches!(context.byte(start), b'"' | b'\''));
    let end = plain_end(text, start.min(text.len()));
    let value = text.get(start..end)?;
    let has = |class: fn(&u8) -> bool| value.iter().any(class);
    let found = match hit.word {
        Word::Password => {
            (6..=64).contains(&value.len())
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_alphabetic)
                && value
                    .iter()
                    .any(|byte| matches!(byte, b'!' | b'#'..=b'&' | b'*' | b'+' | b'?' | b'@' | b'^' | b'~'))
        }
        _ => is_random(value),
    };
    if found && is_secret_value(Kind::Password, value) {
        let kind = if hit.word == Word::Password { Kind::Password } else { Kind::ApiKeyGeneric };
        findings.push(start, end, kind, "announced");
        return Some(end);
    }
    None
}
