//! Stage 3 of 7, redact: tokens, by which equal values can be joined. Thread: caller.
//!
//! HMAC-SHA-256 over version, namespace, type and the value in its normal form, cut to 128 bits, in base32: whoever has
//! no key can neither read nor try values, and the same key and namespace give the same token in every service.

use crate::scan::kind::{Group, Kind};
use crate::wiped::Wiped;
use ring::hmac;
use std::borrow::Cow;
use std::fmt::{Debug, Formatter};
use std::sync::{Arc, PoisonError, RwLock, TryLockError};
use std::thread::yield_now;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 128 bits of the code: enough that no two of 2^60 values share one.
const CODE_BYTES: usize = 16;
/// Readers hold the lock for some nanoseconds. After so many attempts nobody reads: a fork left the lock behind.
const MAX_ATTEMPTS: usize = 100_000;

/// A key for tokens, with its id and the namespace of its tokens.
pub struct TokenKey {
    id: u32,
    /// What each code begins with: the version, the namespace, and a zero byte behind each.
    prefix: Box<[u8]>,
    key: Wiped<hmac::Key>,
}

/// Without the key.
impl Debug for TokenKey {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TokenKey {
    /// A key of any length; 32 random bytes are right. `id` stands in each token, so that a change of keys is seen. Tokens
    /// of two namespaces do not join, whatever the key. A namespace holds no zero byte.
    #[must_use]
    pub fn new(id: u32, key: &[u8], namespace: &str) -> Self {
        let prefix = format!("v1\0{namespace}\0").into_bytes().into_boxed_slice();
        Self { id, prefix, key: Wiped::new(hmac::Key::new(hmac::HMAC_SHA256, key)) }
    }

    /// What stands in each token.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The token of a value: `tok_<key id>_<26 letters and digits>`.
    #[must_use]
    pub fn token(&self, kind: Kind, found: &str) -> String {
        self.token_of(kind.id(), &normal_form(kind, found))
    }

    /// The token of a value of a type that rules of the user name, in the spelling that it has.
    #[must_use]
    pub fn token_of(&self, type_name: &str, value: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&self.prefix);
        context.update(type_name.as_bytes());
        context.update(b"\0");
        context.update(value.as_bytes());
        let code = context.sign();
        let mut token = format!("tok_{}_", self.id);
        base32(&code.as_ref()[..CODE_BYTES], &mut token);
        token
    }
}

/// The key in use, which can be exchanged while records are made.
#[derive(Debug)]
pub struct TokenKeys {
    current: RwLock<Arc<TokenKey>>,
}

impl TokenKeys {
    /// Begins with this key.
    #[must_use]
    pub fn new(key: TokenKey) -> Self {
        Self { current: RwLock::new(Arc::new(key)) }
    }

    /// The key for new tokens.
    #[must_use]
    pub fn current(&self) -> Arc<TokenKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses `key` from now on; the one before is overwritten when its last token is made. False: nothing was changed,
    /// because a thread that this forked process does not have reads for ever.
    #[must_use]
    pub fn replace(&self, key: TokenKey) -> bool {
        for _ in 0..MAX_ATTEMPTS {
            let mut current = match self.current.try_write() {
                Ok(current) => current,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    yield_now();
                    continue;
                }
            };
            *current = Arc::new(key);
            return true;
        }
        false
    }
}

/// One spelling for one value: numbers without separators, addresses in lower case.
fn normal_form(kind: Kind, found: &str) -> Cow<'_, str> {
    match (kind, kind.group()) {
        (Kind::Email | Kind::Mac | Kind::Ipv6 | Kind::Eth, _) => found.to_lowercase().into(),
        (Kind::Phone, _) => found.chars().filter(|each| each.is_ascii_digit() || *each == '+').collect(),
        // Case counts in secrets.
        (Kind::Ipv4 | Kind::Address | Kind::PersonName | Kind::Geo, _)
        | (_, Group::Credential | Group::Vendor | Group::Crypto) => found.into(),
        _ => found.chars().filter(|each| each.is_alphanumeric()).flat_map(char::to_uppercase).collect(),
    }
}

/// RFC 4648 base32 in lower case, without padding.
fn base32(bytes: &[u8], text: &mut String) {
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
            let mut text = String::new();
            base32(given.as_bytes(), &mut text);
            assert_eq!(text, expected);
        }
    }

    fn key(id: u32, byte: u8) -> TokenKey {
        TokenKey::new(id, &[byte; 32], "")
    }

    #[test]
    fn a_token_is_the_code_that_any_hmac_makes() {
        // Python: b32encode(hmac.digest(bytes([7]) * 32, b"v1\0acme\0PAN\x004111111111111111", "sha256")[:16])
        let token = TokenKey::new(3, &[7; 32], "acme").token(Kind::Pan, "4111 1111 1111 1111");
        assert_eq!(token, "tok_3_twqzw6at6b3mokdf2nawt3wlby");
    }

    #[test]
    fn spellings_of_one_value_have_one_token() {
        let key = key(1, 7);
        let token = key.token(Kind::Pan, "4111 1111 1111 1111");
        assert_eq!(token, key.token(Kind::Pan, "4111-1111-1111-1111"));
        assert_eq!(token.len(), "tok_1_".len() + 26);
        assert_eq!(key.token(Kind::Email, "Ann@Example.org"), key.token(Kind::Email, "ann@example.org"));
    }

    #[test]
    fn types_values_keys_and_namespaces_make_tokens_of_their_own() {
        let token = |key: &TokenKey, kind, found| key.token(kind, found);
        let all = [
            token(&key(1, 7), Kind::UsSsn, "536221034"),
            token(&key(1, 7), Kind::UsItin, "536221034"),
            token(&key(1, 7), Kind::UsSsn, "536221035"),
            token(&key(1, 8), Kind::UsSsn, "536221034"),
            token(&key(2, 7), Kind::UsSsn, "536221034"),
            token(&TokenKey::new(1, &[7; 32], "acme"), Kind::UsSsn, "536221034"),
        ];
        let different: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn new_tokens_carry_the_id_of_the_new_key_and_old_ones_can_still_be_made() {
        let keys = TokenKeys::new(key(1, 7));
        let old = keys.current().token(Kind::Email, "ann@example.org");
        assert!(keys.replace(key(2, 8)));
        let new = keys.current().token(Kind::Email, "ann@example.org");
        assert!(old.starts_with("tok_1_") && new.starts_with("tok_2_"), "{old} {new}");
        assert_eq!(key(1, 7).token(Kind::Email, "ann@example.org"), old);
    }

    #[test]
    fn a_lock_that_nobody_gives_back_costs_the_exchange_and_no_token() {
        let keys = TokenKeys::new(key(1, 7));
        let left_behind = keys.current.read().unwrap_or_else(PoisonError::into_inner);
        assert!(!keys.replace(key(2, 8)));
        assert_eq!(keys.current().id(), 1);
        drop(left_behind);
        assert!(keys.replace(key(2, 8)));
        assert_eq!(keys.current().id(), 2);
    }

    #[test]
    fn nothing_shows_a_key() {
        let keys = TokenKeys::new(TokenKey::new(1, &[0x41; 32], "acme"));
        let shown = format!("{keys:?}");
        assert!(!shown.contains("AAA") && !shown.contains("65, 65"), "{shown}");
    }
}
