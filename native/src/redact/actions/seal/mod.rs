//! Stage 3 of 7, redact: sealed values, which this process can write and not read back. Thread: caller.
//!
//! In the value's place stands the marker, as ever; its ciphertext goes beside, into the attribute [`SEALED_KEY`]. A data
//! key, new for each process and hour, encrypts values (AES-256-GCM, random nonces), and is itself encrypted to a
//! public key (HPKE, RFC 9180: X25519, HKDF-SHA-256, AES-256-GCM). It travels with the first value of each record, so each
//! record can be opened alone.
//!
//! In this room: [`entry`] is the form of one value, [`data_key`] encrypts, [`open`] decrypts, [`list`] is the attribute.

pub mod data_key;
pub mod entry;
pub mod list;
pub mod open;

use crate::redact::actions::seal::data_key::DataKey;
use crate::redact::actions::seal::entry::{key_id, Entry};
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem};
use std::fmt::{Debug, Formatter};
use std::sync::{Arc, RwLock};

/// The attribute with what was sealed.
pub const SEALED_KEY: &str = "fapilog.sealed";
/// Length of a public and of a private key.
pub const KEY_BYTES: usize = 32;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;

/// Seals values to one public key.
pub struct Sealer {
    key_id: String,
    public: PublicKey,
    /// The key in use. Whoever cannot have the lock at once goes without: a fork may have left it locked.
    data_key: RwLock<Option<Arc<DataKey>>>,
}

/// The id alone.
impl Debug for Sealer {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sealer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Seals to this public key of X25519; `None`: it is none, or the system gives no random bytes.
    #[must_use]
    pub fn new(public: &[u8]) -> Option<Self> {
        let key = PublicKey::from_bytes(public).ok()?;
        let sealer = Self { key_id: key_id(public), public: key, data_key: RwLock::default() };
        // Some 32 bytes are no key: they show when something is encrypted to them.
        DataKey::new(&sealer.public, &sealer.key_id)?;
        Some(sealer)
    }

    /// The first four bytes of the key's SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// A value as an entry of the attribute. `before` is the data key that the entry before it carries; the same is not
    /// repeated. `None`: the system gives no random bytes.
    pub fn seal(&self, kind: &str, path: &str, value: &[u8], before: &mut String) -> Option<String> {
        let key = self.data_key()?;
        let sealed = key.encrypt(&entry::authenticated(&self.key_id, kind, path), value)?;
        let repeated = *before == key.wrapped;
        if !repeated {
            before.clone_from(&key.wrapped);
        }
        let wrapped = if repeated { "" } else { &key.wrapped };
        Some(Entry { key_id: &self.key_id, kind, wrapped, sealed: &sealed, path }.to_text())
    }

    fn data_key(&self) -> Option<Arc<DataKey>> {
        if let Ok(held) = self.data_key.try_read() {
            if let Some(key) = held.as_ref().filter(|key| key.is_fresh()) {
                return Some(Arc::clone(key));
            }
        }
        let fresh = Arc::new(DataKey::new(&self.public, &self.key_id)?);
        if let Ok(mut held) = self.data_key.try_write() {
            *held = Some(Arc::clone(&fresh));
        }
        Some(fresh)
    }
}
