//! Stage 3 of 7, redact: what machines number things with, and nobody else: identifiers of traces, hashes, moments. Thread: caller.
//!
//! Half of what stands under ordinary keys is one of these. Told by their form alone, they need no further look.

use crate::scan::classes::{class, moment_end, Run};

/// Most digits that say nothing without a keyword.
const SHORT_NUMBER: usize = 11;

/// True of a value that no detector would take without a word in its key.
#[must_use]
pub fn is_quiet(value: &[u8]) -> bool {
    match value.len() {
        ..=SHORT_NUMBER if value.iter().all(u8::is_ascii_digit) => true,
        16 | 32 | 40 | 64 => is_hex(value),
        20..=35 => moment_end(value, 0) == Some(value.len()),
        36 => is_uuid(value),
        _ => false,
    }
}

/// True of a run that is the identifier of a trace or a span, a digest, or a UUID.
#[inline]
#[must_use]
pub fn is_id(text: &[u8], run: &Run) -> bool {
    let length = run.len();
    let form = match length {
        16 | 32 | 40 | 64 => run.mask == class::LOWER | class::DIGIT,
        36 => run.holds(class::DASH),
        _ => false,
    };
    form && text.get(run.range()).is_some_and(|run| if length == 36 { is_uuid(run) } else { is_hex(run) })
}

/// Small hexadecimal digits, with a letter among them, but no account of Belgium (`be` and 14 digits). No branch on a byte: compilers turn this into wide instructions.
fn is_hex(text: &[u8]) -> bool {
    let (mut others, mut letters) = (false, false);
    for byte in text {
        let letter = byte.wrapping_sub(b'a') < 6;
        others |= !(letter | (byte.wrapping_sub(b'0') < 10));
        letters |= letter;
    }
    letters && !others && !(text.len() == 16 && text.starts_with(b"be"))
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_uuid(text: &[u8]) -> bool {
    let dashes = [8, 13, 18, 23].iter().all(|at| text.get(*at) == Some(&b'-'));
    let mut others = 0;
    for byte in text {
        others += u8::from(!byte.is_ascii_hexdigit());
    }
    dashes && others == 4
}
