//! Stage 3 of 7, redact: addresses of crypto currencies. Thread: caller.

use ring::digest::{digest, SHA256};

use crate::scan::check::keccak::keccak_256;

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// An address of Bitcoin: base58 with its checksum, or bech32 with its own.
#[must_use]
pub fn is_btc(text: &[u8]) -> bool {
    match text {
        [b'1' | b'3', ..] => is_base58(text),
        [b'b' | b'B', b'c' | b'C', b'1', data @ ..] => is_bech32(data),
        _ => false,
    }
}

/// One byte of version, twenty of hash, four of a double SHA-256.
fn is_base58(text: &[u8]) -> bool {
    if !(26..=35).contains(&text.len()) {
        return false;
    }
    let mut bytes = [0u8; 25];
    for symbol in text {
        let Some(value) = BASE58.iter().position(|known| known == symbol) else { return false };
        let carry = bytes.iter_mut().rev().fold(value as u32, |carry, byte| {
            let sum = u32::from(*byte) * 58 + carry;
            *byte = sum as u8;
            sum >> 8
        });
        if carry != 0 {
            return false;
        }
    }
    let hash = digest(&SHA256, digest(&SHA256, &bytes[..21]).as_ref());
    matches!(bytes[0], 0 | 5) && hash.as_ref()[..4] == bytes[21..]
}

/// What stands behind `bc1`, all small or all capital (BIP 173 and 350).
fn is_bech32(data: &[u8]) -> bool {
    let (small, capital) = (data.iter().any(u8::is_ascii_lowercase), data.iter().any(u8::is_ascii_uppercase));
    if !(11..=71).contains(&data.len()) || (small && capital) {
        return false;
    }
    // "bc" spread over five symbols.
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, polynomial);
    for symbol in data {
        let Some(value) = BECH32.iter().position(|known| *known == symbol.to_ascii_lowercase()) else {
            return false;
        };
        sum = polynomial(sum, value as u32);
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

fn polynomial(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 != 0)
        .fold((sum & 0x1ff_ffff) << 5 ^ value, |sum, (_, generator)| sum ^ generator)
}

/// An address of Ethereum whose letters are capital where the hash says so (EIP-55): forty digits without `0x`.
#[must_use]
pub fn is_eip55(text: &[u8]) -> bool {
    let Ok(text): Result<&[u8; 40], _> = text.try_into() else { return false };
    let hash = keccak_256(&text.map(|byte| byte.to_ascii_lowercase()));
    text.iter().enumerate().all(|(place, byte)| {
        let nibble = hash[place / 2] >> if place % 2 == 0 { 4 } else { 0 } & 0xf;
        byte.is_ascii_digit() || (byte.is_ascii_hexdigit() && byte.is_ascii_uppercase() == (nibble >= 8))
    })
}
