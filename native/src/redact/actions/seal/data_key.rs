//! Stage 3 of 7, redact: the key that encrypts values for an hour, and its own ciphertext. Thread: caller.

use super::entry::{base64url, info};
use super::{PublicKey, KEY_BYTES};
use crate::wiped::Wiped;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{CryptoRng, RngCore};
use hpke::{single_shot_seal, OpModeS, Serializable};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long one key serves.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// How many values one key serves. Nonces are random, because a counter would go on twice where a virtual machine does, from
/// one snapshot; NIST SP 800-38D (8.3) allows 2^32 such calls for all that use the key. This leaves room for 256 copies.
const MAX_VALUES: u64 = 1 << 24;

/// Counts forks: a child shares no key with its parent, and so no count of values.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Called in a forked child: it makes keys of its own.
pub fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::AcqRel);
}

/// A key of this process.
pub struct DataKey {
    key: Wiped<LessSafeKey>,
    /// The key, encrypted to the public one, in base64url.
    pub wrapped: String,
    owner: (u32, u64),
    until: Instant,
    values: AtomicU64,
}

/// This process: a child that was made without handlers of `fork` still has another number.
fn process() -> (u32, u64) {
    (std::process::id(), FORKS.load(Ordering::Acquire))
}

impl DataKey {
    /// A random key, encrypted to `public`. `None`: the system gives no random bytes, or `public` is no key.
    #[must_use]
    pub fn new(public: &PublicKey, key_id: &str) -> Option<Self> {
        let mut random = System { failed: false };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random.fill_bytes(bytes.as_mut());
        let sealed = single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Base,
            public,
            &info(key_id),
            bytes.as_ref(),
            b"",
            &mut random,
        );
        let (encapsulated, ciphertext) = sealed.ok().filter(|_| !random.failed)?;
        let wrapped = [encapsulated.to_bytes().as_slice(), &ciphertext].concat();
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_ref()).ok()?;
        Some(Self {
            key: Wiped::new(LessSafeKey::new(key)),
            wrapped: base64url(&wrapped),
            owner: process(),
            until: Instant::now() + LIFETIME,
            values: AtomicU64::new(0),
        })
    }

    /// Whether it may encrypt: in the process that made it, for its time, and not for ever.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let few = self.values.load(Ordering::Relaxed) < MAX_VALUES;
        few && self.owner == process() && Instant::now() < self.until
    }

    /// Nonce, ciphertext and tag, in base64url. `None`: the system gives no random bytes.
    #[must_use]
    pub fn encrypt(&self, authenticated: &[u8], value: &[u8]) -> Option<String> {
        self.values.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + value.len() + 16);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = sealed.get_mut(NONCE_LEN..)?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(authenticated), body).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(base64url(&sealed))
    }
}

/// Random bytes of the system for `hpke`, whose interface knows no failure: it is remembered.
pub(super) struct System {
    pub failed: bool,
}

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.failed |= SystemRandom::new().fill(bytes).is_err();
    }
}

impl CryptoRng for System {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::actions::seal::open::KeyPair;
    use hpke::Deserializable;

    fn data_key() -> Option<DataKey> {
        let pair = KeyPair::generate()?;
        DataKey::new(&PublicKey::from_bytes(pair.public()).ok()?, "0a1b2c3d")
    }

    #[test]
    fn a_key_ends_with_its_hour_its_process_and_its_count() {
        let old = data_key().map(|key| DataKey { until: Instant::now(), ..key });
        let forked = data_key().map(|key| DataKey { owner: (key.owner.0, key.owner.1 + 1), ..key });
        let other = data_key().map(|key| DataKey { owner: (key.owner.0 + 1, key.owner.1), ..key });
        let used = data_key().map(|key| DataKey { values: AtomicU64::new(MAX_VALUES), ..key });
        assert_eq!(data_key().map(|key| key.is_fresh()), Some(true));
        for ended in [old, forked, other, used] {
            assert_eq!(ended.map(|key| key.is_fresh()), Some(false));
        }
    }

    #[test]
    fn a_process_that_goes_on_twice_from_one_snapshot_repeats_no_nonce() {
        let Some(key) = data_key() else { panic!("no random bytes") };
        let nonces_from_here = || -> Vec<String> {
            let one = key.values.load(Ordering::Relaxed);
            let sealed = (0..8).filter_map(|_| key.encrypt(b"", b"x")).collect::<Vec<_>>();
            // Back to the snapshot: what the process remembers is as it was.
            key.values.store(one, Ordering::Relaxed);
            sealed.iter().map(|each| each[..16].to_owned()).collect()
        };
        let all: std::collections::HashSet<String> =
            nonces_from_here().into_iter().chain(nonces_from_here()).collect();
        assert_eq!(all.len(), 16);
    }

    #[test]
    fn no_two_values_have_one_nonce_and_no_two_keys_are_alike() {
        let (Some(one), Some(other)) = (data_key(), data_key()) else { panic!("no random bytes") };
        let sealed: Vec<_> = (0..3).filter_map(|_| one.encrypt(b"", b"4111111111111111")).collect();
        assert_eq!(sealed.len(), 3);
        let nonces: std::collections::HashSet<&str> = sealed.iter().map(|each| &each[..16]).collect();
        assert_eq!(nonces.len(), 3);
        assert_ne!(one.wrapped, other.wrapped);
        assert_ne!(one.encrypt(b"", b"x"), other.encrypt(b"", b"x"));
    }
}
