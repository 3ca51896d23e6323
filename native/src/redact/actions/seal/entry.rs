//! Stage 3 of 7, redact: one sealed value as a text. Thread: caller.
//!
//! `1.<key id>.<type>.<data key>.<ciphertext>.<path>`. The data key is that of the entry before where it is empty. Both are
//! base64url without padding: the data key is HPKE's encapsulated key (32 bytes) and ciphertext (48), the ciphertext a
//! nonce (12), the encrypted value, and a tag (16). The path is last because it may hold dots.

use ring::digest::{digest, SHA256};

const VERSION: &str = "1";
const URL_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The parts of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Of the public key.
    pub key_id: &'a str,
    /// Id of the value's type.
    pub kind: &'a str,
    /// The data key, encrypted, in base64url; empty: that of the entry before.
    pub wrapped: &'a str,
    /// Nonce, ciphertext and tag, in base64url.
    pub sealed: &'a str,
    /// Where the value was.
    pub path: &'a str,
}

impl<'a> Entry<'a> {
    /// Reads an entry; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, '.');
        let mut next = || parts.next();
        let (version, key_id, kind) = (next()?, next()?, next()?);
        let (wrapped, sealed, path) = (next()?, next()?, next()?);
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let encoded = |text: &str| text.bytes().all(|b| URL_ALPHABET.contains(&b));
        // 107 characters are 80 bytes, 38 are 28.
        let lengths = matches!(wrapped.len(), 0 | 107) && sealed.len() >= 38 && key_id.len() == 8;
        let valid = version == VERSION && lengths && word(key_id) && word(kind);
        (valid && encoded(wrapped) && encoded(sealed)).then_some(Self { key_id, kind, wrapped, sealed, path })
    }

    /// The entry as a text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { key_id, kind, wrapped, sealed, path } = self;
        [VERSION, key_id, kind, wrapped, sealed, path].join(".")
    }
}

/// What is authenticated with a value: it opens under no other name, type or key.
#[must_use]
pub fn authenticated(key_id: &str, kind: &str, path: &str) -> Vec<u8> {
    ["fapilog seal 1", key_id, kind, path].join("\0").into_bytes()
}

/// What HPKE is told besides the key.
#[must_use]
pub fn info(key_id: &str) -> Vec<u8> {
    ["fapilog data key 1", key_id].join("\0").into_bytes()
}

/// The id of a public key: the first four bytes of its SHA-256.
#[must_use]
pub fn key_id(public: &[u8]) -> String {
    let digest = digest(&SHA256, public);
    let [a, b, c, d, ..] = digest.as_ref() else { return String::new() };
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}

/// RFC 4648 base64url, without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index| u32::from(*group.get(index).unwrap_or(&0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=group.len() {
            text.push(char::from(URL_ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// The bytes of a base64url text without padding; `None` for anything else, also where bits of the last digit are left.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut held, mut bits) = (0u32, 0u32);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    (bits < 6 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_the_standard_both_ways() {
        // RFC 4648, section 10.
        let cases = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in cases {
            assert_eq!(base64url(plain.as_bytes()), text);
            assert_eq!(from_base64url(text).as_deref(), Some(plain.as_bytes()));
        }
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(from_base64url(&base64url(&every)), Some(every));
        for wrong in ["Zg==", "Zh", "Z", "Zm8+", "Zm8/"] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_entry_reads_back_and_nothing_else_is_one() {
        let (wrapped, sealed) = ("A".repeat(107), "B".repeat(38));
        let entry = Entry {
            key_id: "0a1b2c3d",
            kind: "PAN",
            wrapped: &wrapped,
            sealed: &sealed,
            path: "order.card.0",
        };
        let text = entry.to_text();
        assert_eq!(Entry::parse(&text), Some(entry));
        let repeated = Entry { wrapped: "", ..entry };
        assert_eq!(Entry::parse(&repeated.to_text()), Some(repeated));
        for wrong in [
            "",
            "4111 1111 1111 1111",
            "1.0a1b2c3d.PAN...body",
            "1.0a1b2c3d.PAN..4111111111111111.body",
            &text.replace("1.0a", "2.0a"),
            &text.replace("PAN", "P N"),
            &text.replacen('A', " ", 1),
            &text.replacen('B', "+", 1),
            text.trim_end_matches(".order.card.0"),
        ] {
            assert_eq!(Entry::parse(wrong), None, "{wrong}");
        }
    }
}
