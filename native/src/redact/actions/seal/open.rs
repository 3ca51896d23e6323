//! Stage 3 of 7, redact: opens what was sealed, with the private key, which no process that logs needs. Thread: any.

use super::data_key::System;
use super::entry::{authenticated, from_base64url, info, key_id, Entry};
use super::KEY_BYTES;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{single_shot_open, Deserializable, Kem, OpModeR, Serializable};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use zeroize::Zeroizing;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// A private key and its public one.
pub struct KeyPair {
    private: PrivateKey,
    public: Vec<u8>,
}

/// Why an entry does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOpened {
    /// It is no entry, or was cut.
    Damaged,
    /// It was sealed to the key with this id.
    OtherKey(String),
    /// It, its type or its path was changed; or the entry before it, with the data key, is missing.
    Changed,
}

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where it was.
    pub path: String,
    /// Its type.
    pub kind: String,
    /// The value.
    pub value: Vec<u8>,
}

impl KeyPair {
    /// A new pair; `None`: the system gives no random bytes.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let mut random = System { failed: false };
        let (private, public) = X25519HkdfSha256::gen_keypair(&mut random);
        (!random.failed).then(|| Self { private, public: public.to_bytes().to_vec() })
    }

    /// The pair of a private key of 32 bytes; `None`: it is none.
    #[must_use]
    pub fn from_private(private: &[u8]) -> Option<Self> {
        let private = PrivateKey::from_bytes(private).ok()?;
        let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes().to_vec();
        Some(Self { private, public })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The private key.
    #[must_use]
    pub fn private(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.to_bytes().to_vec())
    }

    /// The id of the public key.
    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(&self.public)
    }

    /// Opens the entries of one record, in their order: where one carries no data key, that of the one before counts.
    /// Fails with the index of the first that does not open.
    pub fn open(&self, entries: &[impl AsRef<str>]) -> Result<Vec<Opened>, (usize, NotOpened)> {
        let mut data_key = None;
        let open = |(index, text): (usize, &_)| {
            self.open_one(AsRef::as_ref(text), &mut data_key).map_err(|error| (index, error))
        };
        entries.iter().enumerate().map(open).collect()
    }

    fn open_one(&self, text: &str, data_key: &mut Option<LessSafeKey>) -> Result<Opened, NotOpened> {
        let entry = Entry::parse(text).ok_or(NotOpened::Damaged)?;
        if entry.key_id != self.key_id() {
            return Err(NotOpened::OtherKey(entry.key_id.to_owned()));
        }
        if !entry.wrapped.is_empty() {
            *data_key = Some(self.unwrap(&entry).ok_or(NotOpened::Changed)?);
        }
        let key = data_key.as_ref().ok_or(NotOpened::Changed)?;
        let value = value(key, &entry).ok_or(NotOpened::Changed)?;
        Ok(Opened { path: entry.path.to_owned(), kind: entry.kind.to_owned(), value })
    }

    fn unwrap(&self, entry: &Entry<'_>) -> Option<LessSafeKey> {
        let wrapped = from_base64url(entry.wrapped)?;
        let (encapsulated, ciphertext) = wrapped.split_at_checked(KEY_BYTES)?;
        let bytes = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &EncappedKey::from_bytes(encapsulated).ok()?,
            &info(entry.key_id),
            ciphertext,
            b"",
        );
        let bytes = Zeroizing::new(bytes.ok()?);
        UnboundKey::new(&AES_256_GCM, &bytes).ok().map(LessSafeKey::new)
    }
}

fn value(key: &LessSafeKey, entry: &Entry<'_>) -> Option<Vec<u8>> {
    let mut sealed = from_base64url(entry.sealed)?;
    let nonce = Nonce::assume_unique_for_key(*sealed.first_chunk::<NONCE_LEN>()?);
    let authenticated = Aad::from(authenticated(entry.key_id, entry.kind, entry.path));
    let length = key.open_within(nonce, authenticated, &mut sealed, NONCE_LEN..).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::actions::seal::Sealer;

    fn pair() -> KeyPair {
        KeyPair::from_private(&[7; KEY_BYTES]).unwrap_or_else(|| panic!("a private key"))
    }

    fn sealed() -> Vec<String> {
        let Some(sealer) = Sealer::new(pair().public()) else { panic!("a public key") };
        let mut before = String::new();
        let values = [("PAN", "body", "4111 1111 1111 1111"), ("EMAIL", "user.mail", "ann@example.org")];
        values
            .iter()
            .filter_map(|(kind, path, value)| sealer.seal(kind, path, value.as_bytes(), &mut before))
            .collect()
    }

    #[test]
    fn who_has_the_private_key_reads_what_was_sealed() {
        let opened = |path: &str, kind: &str, value: &str| Opened {
            path: path.to_owned(),
            kind: kind.to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let expected = vec![
            opened("body", "PAN", "4111 1111 1111 1111"),
            opened("user.mail", "EMAIL", "ann@example.org"),
        ];
        assert_eq!(pair().open(&sealed()), Ok(expected));
        let again = KeyPair::from_private(&pair().private()).map(|pair| pair.public().to_vec());
        assert_eq!(again.as_deref(), Some(pair().public()));
    }

    #[test]
    fn the_data_key_travels_once_in_a_record() {
        let lengths: Vec<usize> = sealed().iter().map(String::len).collect();
        // Of a card number with its blanks in the body, and of a further value.
        assert_eq!(lengths, [191, 86]);
    }

    #[test]
    fn every_change_of_an_entry_is_found() {
        let entries = sealed();
        for (index, entry) in entries.iter().enumerate() {
            for at in 0..entry.len() {
                let mut changed = entry.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let mut all = entries.clone();
                all[index] = String::from_utf8(changed).unwrap_or_default();
                assert!(pair().open(&all).is_err(), "entry {index}, byte {at}");
            }
        }
    }

    #[test]
    fn another_key_a_cut_and_a_missing_entry_are_told_apart() {
        let entries = sealed();
        let other = KeyPair::from_private(&[8; KEY_BYTES]).map(|pair| pair.open(&entries));
        assert_eq!(other, Some(Err((0, NotOpened::OtherKey(pair().key_id())))));
        assert_eq!(pair().open(&[&entries[0][..60]]), Err((0, NotOpened::Damaged)));
        assert_eq!(pair().open(&entries[1..]), Err((0, NotOpened::Changed)));
    }

    #[test]
    fn what_is_no_public_key_seals_nothing() {
        assert!(Sealer::new(&[0; KEY_BYTES]).is_none());
        assert!(Sealer::new(&[9; 31]).is_none());
    }

    #[test]
    fn nothing_shows_a_key_of_the_sealer() {
        let sealer = Sealer::new(pair().public());
        let shown = format!("{sealer:?}");
        assert_eq!(shown, format!("Some(Sealer {{ key_id: {:?}, .. }})", pair().key_id()));
    }
}
