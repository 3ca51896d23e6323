//! Stage 6 of 7, export: text made harmless for a terminal and for line readers. Thread: caller.
//!
//! Escaped everywhere: C0 and C1 controls, DEL, the bidirectional overrides and isolates U+202A to U+202E and
//! U+2066 to U+2069, and the separators U+2028 and U+2029. So nobody can forge a line, move the cursor, or
//! show text in another order than it has. All other UTF-8 is kept.

/// How escapes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Free text: `\n`, `\x1b`, `\u202e`; quotes and backslashes stay.
    Text,
    /// As `Text` between double quotes: quotes and backslashes are escaped too.
    Quoted,
    /// JSON's escapes only; also what logfmt readers understand.
    Json,
}

/// Appends `text` with everything harmful escaped.
pub(super) fn push_escaped(out: &mut String, text: &str, form: Form) {
    let bytes = text.as_bytes();
    // Most texts have nothing to escape: pass over what is plain, then look from one suspect byte to the next.
    let (mut copied, mut at) = (0, plain_words(bytes));
    while let Some(ahead) = bytes[at..].iter().position(|byte| SUSPECT[usize::from(*byte)]) {
        at += ahead;
        let byte = bytes[at];
        let special = matches!(byte, b'"' | b'\\') && form != Form::Text;
        let found = if special { Some((byte.into(), 1)) } else { harmful(bytes, at) };
        let Some((code, length)) = found else {
            at += 1;
            continue;
        };
        // Both ends are character boundaries: `at` is a lead byte, and `length` a whole character.
        out.push_str(&text[copied..at]);
        push_escape(out, code, form);
        at += length;
        copied = at;
    }
    out.push_str(&text[copied..]);
}

/// Length of the words of eight bytes at the beginning that have printable ASCII only, without quote and backslash.
#[inline]
fn plain_words(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let words = bytes.chunks_exact(8).take_while(|word| {
        let word = u64::from_le_bytes(<[u8; 8]>::try_from(*word).unwrap_or_default());
        // A byte borrows into its highest bit when it is smaller than what is taken away. Bytes above 0x7f count as suspect.
        let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * 0x20);
        let delete = word.wrapping_add(ONES);
        (quote | backslash | control | delete | word) & HIGHS == 0
    });
    words.count() * 8
}

/// Bytes that a form may escape, or that a harmful character may start with.
static SUSPECT: [bool; 256] = {
    let mut suspect = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        suspect[byte] = matches!(byte as u8, 0..=0x1f | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2);
        byte += 1;
    }
    suspect
};

/// Appends `text` between double quotes.
pub(super) fn push_quoted(out: &mut String, text: &str, form: Form) {
    out.push('"');
    push_escaped(out, text, form);
    out.push('"');
}

/// True when `text` can stand as a bare word: not empty, no space, quote, `=` or harmful character.
pub(super) fn is_bare(text: &str) -> bool {
    let bytes = text.as_bytes();
    let breaks = |at: usize, byte: u8| matches!(byte, b' ' | b'"' | b'=') || harmful(bytes, at).is_some();
    !text.is_empty() && !bytes.iter().enumerate().any(|(at, byte)| breaks(at, *byte))
}

/// The harmful character that starts at `at`, if one does: its code point and length in bytes.
#[inline]
fn harmful(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let next = |offset: usize| bytes.get(at + offset).copied().unwrap_or(0);
    match bytes.get(at).copied()? {
        byte @ (0..=0x1f | 0x7f) => Some((byte.into(), 1)),
        0xc2 if next(1) < 0xa0 => Some((next(1).into(), 2)),
        0xe2 => match (next(1), next(2)) {
            (0x80, low @ 0xa8..=0xae) => Some((0x2000 + u16::from(low - 0x80), 3)),
            (0x81, low @ 0xa6..=0xa9) => Some((0x2040 + u16::from(low - 0x80), 3)),
            _ => None,
        },
        _ => None,
    }
}

fn push_escape(out: &mut String, code: u16, form: Form) {
    let short = match code {
        0x0a => "\\n",
        0x0d => "\\r",
        0x09 => "\\t",
        0x22 => "\\\"",
        0x5c => "\\\\",
        _ => "",
    };
    if !short.is_empty() {
        out.push_str(short);
    } else if code < 0x100 && form != Form::Json {
        out.push_str("\\x");
        push_hex(out, &[code as u8]);
    } else {
        out.push_str("\\u");
        push_hex(out, &code.to_be_bytes());
    }
}

/// Appends `bytes` in lower-case hexadecimal.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for group in bytes.chunks(16) {
        let mut digits = [0; 32];
        for (place, byte) in digits.chunks_exact_mut(2).zip(group) {
            place.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        out.push_str(std::str::from_utf8(&digits[..group.len() * 2]).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, form: Form) -> String {
        let mut out = String::new();
        push_escaped(&mut out, text, form);
        out
    }

    #[test]
    fn every_harmful_character_is_escaped_and_every_other_one_is_kept() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let harmful = character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
            let text = format!("é{character}é");
            assert_eq!(escaped(&text, Form::Text) == text, !harmful, "{character:?}");
        }
    }

    #[test]
    fn no_suspect_byte_is_passed_over_wherever_it_stands() {
        for byte in 0..=255 {
            for place in 0..16 {
                let mut bytes = *b"plain text of 19";
                bytes[place] = byte;
                let passed = plain_words(&bytes);
                assert!(!bytes[..passed].iter().any(|byte| SUSPECT[usize::from(*byte)]), "{bytes:?}");
            }
        }
        assert_eq!(plain_words(b"a path/of {17} #~"), 16);
    }

    #[test]
    fn each_form_writes_its_own_escapes() {
        let text = "a\"\\\n\u{1b}\u{9b}\u{202e}\u{2069}z";
        assert_eq!(escaped(text, Form::Text), r#"a"\\n\x1b\x9b\u202e\u2069z"#);
        assert_eq!(escaped(text, Form::Quoted), r#"a\"\\\n\x1b\x9b\u202e\u2069z"#);
        assert_eq!(escaped(text, Form::Json), r#"a\"\\\n\u001b\u009b\u202e\u2069z"#);
    }

    #[test]
    fn a_bare_word_has_no_space_quote_equals_sign_or_harmful_character() {
        assert!(is_bare("order-42/é\\"));
        for text in ["", "a b", "a\"", "a=b", "a\n", "\u{2028}"] {
            assert!(!is_bare(text), "{text:?}");
        }
    }
}
