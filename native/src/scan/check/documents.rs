//! Stage 3 of 7, redact: the lines for machines of travel documents (ICAO 9303). Thread: caller.

/// A line of 30, 36 or 44 capitals, digits and `<`, that is one of a travel document: it begins as a first line, or
/// its check digits are right.
#[must_use]
pub fn is_mrz_line(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'<')
        && line.iter().any(u8::is_ascii_uppercase)
        && match line.len() {
            44 | 36 => is_first(line) || (part(line, 0, 9) && part(line, 13, 6) && part(line, 21, 6)),
            30 => is_first(line) || (part(line, 0, 6) && part(line, 8, 6)) || is_names(line),
            _ => false,
        }
}

/// Kind of document, state, and the names or the number behind.
fn is_first(line: &[u8]) -> bool {
    let [kind, _, state @ ..] = line else { return false };
    matches!(kind, b'P' | b'V' | b'I' | b'A' | b'C')
        && state.iter().take(3).all(|byte| byte.is_ascii_uppercase() || *byte == b'<')
        && state.first().is_some_and(u8::is_ascii_uppercase)
        && (line.len() != 30 || part(line, 5, 9))
        && line.windows(2).any(|pair| pair == b"<<")
}

/// The third line of an identity card: names alone.
fn is_names(line: &[u8]) -> bool {
    line[0].is_ascii_uppercase()
        && line.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'<')
        && line.windows(2).any(|pair| pair == b"<<")
}

/// The part of `length` from `start` has its check digit right behind.
fn part(line: &[u8], start: usize, length: usize) -> bool {
    let Some(text) = line.get(start..start + length) else { return false };
    let sum: u32 =
        text.iter().zip([7, 3, 1].iter().cycle()).map(|(byte, weight)| symbol(*byte) * weight).sum();
    line.get(start + length).is_some_and(|check| symbol(*check) == sum % 10)
}

const fn symbol(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A'..=b'Z' => (byte - b'A') as u32 + 10,
        _ => 0,
    }
}
