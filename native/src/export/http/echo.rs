//! Stage 6 of 7, export: what of a request a server must not repeat to people. Thread: sender.
//!
//! An answer is quoted on stderr, and servers quote what they were sent: a token in a header, in the path of the URL, in
//! its query. `fapilog/exporters/masking.py` does the same for exporters in Python.

use memchr::memmem;
use std::borrow::Cow;

/// What stands in the place of a secret.
const HIDDEN: &[u8] = b"***";
/// Shorter texts are words of any answer: hiding them would say nothing and cost the message.
const SHORTEST_SECRET: usize = 6;

/// Texts that are hidden, the longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Echo(Vec<Vec<u8>>);

impl Echo {
    /// Of a request to `target` (path and query) with header values, such as `Bearer x`, whose second word is a secret
    /// of its own; `user` is what stands before the host.
    #[must_use]
    pub fn of<'a>(target: &str, user: &str, headers: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found: Vec<Vec<u8>> = target
            .split(['/', '?', '&', '='])
            .chain(user.split(':'))
            .map(|part| part.as_bytes().to_vec())
            .collect();
        for value in headers {
            found.extend(value.split(u8::is_ascii_whitespace).skip(1).map(<[u8]>::to_vec));
            found.push(value.to_vec());
        }
        let decoded: Vec<_> = found.iter().map(|secret| decode(secret)).collect();
        found.extend(decoded);
        found.retain(|secret| secret.len() >= SHORTEST_SECRET);
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// `text` without them.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| match memmem::find(&text, secret) {
            None => text,
            Some(_) => Cow::Owned(replaced(&text, secret)),
        })
    }
}

fn replaced(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in memmem::find_iter(text, secret) {
        shown.extend_from_slice(&text[from..at]);
        shown.extend_from_slice(HIDDEN);
        from = at + secret.len();
    }
    shown.extend_from_slice(&text[from..]);
    shown
}

/// Percent-encoded bytes as they are meant.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            decoded.push((high * 16 + low) as u8);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}

/// A part of a path as people may see it: what looks made by a machine is most often a key of somebody's account.
pub(super) fn shown_segment(segment: &str) -> &str {
    let made =
        segment.len() >= 24 || segment.len() >= 12 && segment.bytes().any(|byte| byte.is_ascii_digit());
    if made {
        "***"
    } else {
        segment
    }
}
