//! Signs reports with Ed25519 and checks such signatures. Thread: any; nothing of the seven stages.
//!
//! Keys are PKCS #8 (RFC 8410), as OpenSSL writes them too, and raw public keys of 32 bytes.

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, UnparsedPublicKey, ED25519};

/// A new private key, as PKCS #8. `None`: the system gives no random bytes.
#[must_use]
pub fn new_key() -> Option<Vec<u8>> {
    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok().map(|key| key.as_ref().to_vec())
}

/// The public key of a private one. `None`: it is not a private key of Ed25519 in PKCS #8.
#[must_use]
pub fn public_key(private: &[u8]) -> Option<Vec<u8>> {
    pair(private).map(|pair| pair.public_key().as_ref().to_vec())
}

/// The signature of `message`. `None`: as in [`public_key`].
#[must_use]
pub fn sign(private: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    pair(private).map(|pair| pair.sign(message).as_ref().to_vec())
}

/// Whether `signature` is one of `message` under this public key.
#[must_use]
pub fn is_signed(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// OpenSSL's files do not hold the public key.
fn pair(private: &[u8]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(private).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 2, with the head of RFC 8410 in front of the private key.
    const PRIVATE: &str =
        "302e020100300506032b6570042204204ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
    }

    #[test]
    fn a_signature_of_the_standard_is_made_and_checked() {
        let (private, public, signature) = (bytes(PRIVATE), bytes(PUBLIC), bytes(SIGNATURE));
        assert_eq!(public_key(&private), Some(public.clone()));
        assert_eq!(sign(&private, &[0x72]), Some(signature.clone()));
        assert!(is_signed(&public, &[0x72], &signature));
        assert!(!is_signed(&public, &[0x73], &signature));
        assert!(!is_signed(&public[1..], &[0x72], &signature));
    }

    #[test]
    fn new_keys_sign_and_what_is_no_key_does_not() {
        let key = new_key().unwrap_or_default();
        let public = public_key(&key).unwrap_or_default();
        let signature = sign(&key, b"report").unwrap_or_default();
        assert!(is_signed(&public, b"report", &signature));
        assert_ne!(new_key(), Some(key));
        assert_eq!((sign(b"no key", b"report"), public_key(b"")), (None, None));
    }
}
