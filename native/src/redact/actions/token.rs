//! Stage 3 of 7, redact: tokens, by which equal values can be joined. Thread: caller.
//!
//! HMAC-SHA-256 over version, type and the value in its normal form, cut to 128 bits, in base32: whoever has no key
//! can neither read nor try values, and the same key gives the same token in every service.

use crate::scan::kind::Kind;
use ring::hmac;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 128 bits of the code: enough that no two of 2^60 values share one.
const CODE_BYTES: usize = 16;

/// A key for tokens, with the name of its version.
pub struct TokenKey {
    id: String,
    key: hmac::Key,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TokenKey {
    /// A key of any length; 32 random bytes are right. `id` stands in each token, so that a change of keys is seen.
    #[must_use]
    pub fn new(id: &str, key: &[u8]) -> Self {
        Self { id: id.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The token of a value: `tok_<key id>_<26 letters and digits>`.
    #[must_use]
    pub fn token(&self, kind: Kind, found: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"v1\0");
        context.update(kind.id().as_bytes());
        context.update(b"\0");
        context.update(normal_form(kind, found).as_bytes());
        let code = context.sign();
        format!("tok_{}_{}", self.id, base32(&code.as_ref()[..CODE_BYTES]))
    }
}

/// One spelling for one value: numbers without separators, addresses in lower case.
fn normal_form(kind: Kind, found: &str) -> String {
    match kind {
        Kind::Email | Kind::Mac | Kind::Ipv6 | Kind::Eth => found.to_lowercase(),
        Kind::Ipv4 | Kind::Address | Kind::PersonName | Kind::Geo | Kind::Password => found.to_owned(),
        Kind::Phone => found.chars().filter(|each| each.is_ascii_digit() || *each == '+').collect(),
        _ => found.chars().filter(|each| each.is_alphanumeric()).flat_map(char::to_uppercase).collect(),
    }
}

/// RFC 4648 base32 in lower case, without padding.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        // RFC 4648, section 10.
        let cases = [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("foobar", "mzxw6ytboi"),
        ];
        for (given, expected) in cases {
            assert_eq!(base32(given.as_bytes()), expected);
        }
    }

    #[test]
    fn spellings_of_one_value_have_one_token() {
        let key = TokenKey::new("k1", &[7; 32]);
        let token = key.token(Kind::Pan, "4111 1111 1111 1111");
        assert_eq!(token, key.token(Kind::Pan, "4111-1111-1111-1111"));
        assert_eq!(token.len(), "tok_k1_".len() + 26);
        assert_eq!(key.token(Kind::Email, "Ann@Example.org"), key.token(Kind::Email, "ann@example.org"));
    }

    #[test]
    fn types_values_and_keys_make_tokens_of_their_own() {
        let key = TokenKey::new("k1", &[7; 32]);
        let token = key.token(Kind::UsSsn, "536221034");
        assert_ne!(token, key.token(Kind::UsItin, "536221034"));
        assert_ne!(token, key.token(Kind::UsSsn, "536221035"));
        assert_ne!(token, TokenKey::new("k1", &[8; 32]).token(Kind::UsSsn, "536221034"));
        assert_ne!(token, TokenKey::new("k2", &[7; 32]).token(Kind::UsSsn, "536221034"));
    }
}
