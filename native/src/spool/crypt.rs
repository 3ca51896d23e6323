//! Stage 6 of 7, export: optional encryption of a block's payload, AES-256-GCM. Threads: as the spool.
//!
//! S5: the payload is a nonce, the ciphertext and a tag; the block's header is authenticated with it, so that no field
//! can be changed unseen. Nonces are random (96 bits, from the system): no state has to survive a restart or a fork for
//! them to stay unique, up to about 2^32 blocks for one key (chance of a repetition below 2^-32). A block is some ten
//! kilobytes at least, so that is 40 TB; rotate keys before.

use super::error::{SpoolError, Unreadable};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Length of a key, in bytes.
pub const KEY_BYTES: usize = 32;
/// By how much encryption lengthens a payload, in bytes: the nonce and the tag.
pub const OVERHEAD_BYTES: usize = NONCE_LEN + TAG_BYTES;
const TAG_BYTES: usize = 16;

#[derive(Default)]
struct KeySet {
    current: Option<u32>,
    by_id: BTreeMap<u32, LessSafeKey>,
}

/// Keys by id. New blocks are encrypted with the current one; the others still open old blocks.
///
/// They can be exchanged while spools use them. Who exchanges them holds the interpreter lock, as who forks does: so a
/// forked child never inherits the lock inside while somebody waits for it.
#[derive(Default)]
pub struct Keys {
    set: RwLock<Arc<KeySet>>,
    version: AtomicU64,
}

impl Keys {
    /// No encryption. Encrypted blocks of others cannot be read.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Keys by id, of [`KEY_BYTES`] bytes each; `current` encrypts new blocks, `None`: nothing does. An id names one key
    /// for ever.
    pub fn new<K: AsRef<[u8]>>(current: Option<u32>, keys: &[(u32, K)]) -> Result<Self, SpoolError> {
        let mut by_id = BTreeMap::new();
        for (id, key) in keys {
            let key = key.as_ref();
            let unusable = |_| {
                let length = key.len();
                SpoolError::Keys(format!("spool key {id} has {length} bytes; give {KEY_BYTES} random ones"))
            };
            let key = UnboundKey::new(&AES_256_GCM, key).map_err(unusable)?;
            if by_id.insert(*id, LessSafeKey::new(key)).is_some() {
                return Err(SpoolError::Keys(format!(
                    "spool key {id} is given twice; give each key its own id"
                )));
            }
        }
        match current.filter(|id| !by_id.contains_key(id)) {
            Some(id) => {
                Err(SpoolError::Keys(format!("the current spool key {id} is not among the keys; add it")))
            }
            None => Ok(Self {
                set: RwLock::new(Arc::new(KeySet { current, by_id })),
                version: AtomicU64::default(),
            }),
        }
    }

    /// The same keys, to be exchanged by themselves.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { set: RwLock::new(self.set()), version: AtomicU64::new(self.version()) }
    }

    /// Uses the keys of `other` from now on.
    pub fn replace(&self, other: &Self) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = other.set();
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Another number after each exchange.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The key for new blocks.
    #[must_use]
    pub fn current(&self) -> Option<u32> {
        self.set().current
    }

    /// Whether blocks of key `id` can be opened.
    #[must_use]
    pub fn knows(&self, id: u32) -> bool {
        self.set().by_id.contains_key(&id)
    }

    fn set(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends the payload that stands for `body` to `to`. `None` when the system gives no random bytes or `id` is unknown;
    /// then `to` may hold anything behind what it held.
    pub(super) fn seal(&self, id: u32, authenticated: &[u8], body: &[u8], to: &mut Vec<u8>) -> Option<()> {
        let set = self.set();
        let key = set.by_id.get(&id)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        to.extend_from_slice(&nonce);
        let start = to.len();
        to.extend_from_slice(body);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag =
            key.seal_in_place_separate_tag(nonce, Aad::from(authenticated), to.get_mut(start..)?).ok()?;
        to.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// The body that a payload stands for.
    pub(super) fn open(
        &self,
        id: u32,
        authenticated: &[u8],
        mut payload: Vec<u8>,
    ) -> Result<Vec<u8>, Unreadable> {
        let set = self.set();
        let key = set.by_id.get(&id).ok_or(Unreadable::UnknownKey(id))?;
        let wrong = Unreadable::WrongKey(id);
        let nonce = payload.first_chunk().copied().map(Nonce::assume_unique_for_key).ok_or(wrong)?;
        let opened = key.open_within(nonce, Aad::from(authenticated), &mut payload, NONCE_LEN..);
        let length = opened.map_err(|_| wrong)?.len();
        payload.truncate(length);
        Ok(payload)
    }
}

/// Ids only.
impl Debug for Keys {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let set = self.set();
        let ids: Vec<u32> = set.by_id.keys().copied().collect();
        formatter.debug_struct("Keys").field("current", &set.current).field("ids", &ids).finish()
    }
}
