//! Stage 3 of 7, redact: numbers of telephones, SIM cards and vehicles. Thread: caller.

use crate::scan::check::sums::{is_luhn, value};

/// A mobile device: a body that reports type codes, and Luhn's sum.
#[must_use]
pub fn is_imei(digits: &[u8]) -> bool {
    let reporting = digits.len() == 15
        && matches!(
            value(&[u32::from(digits[0].wrapping_sub(b'0')), u32::from(digits[1].wrapping_sub(b'0'))]),
            1 | 10 | 30 | 33 | 35 | 44 | 45 | 49..=54 | 86 | 91 | 98 | 99
        );
    reporting && is_luhn(digits)
}

/// A SIM card: 89 for telecommunications, and Luhn's sum; the last of 20 digits may stand behind the check digit.
#[must_use]
pub fn is_iccid(digits: &[u8]) -> bool {
    digits.starts_with(b"89")
        && match digits.len() {
            19 => is_luhn(digits),
            20 => is_luhn(digits) || is_luhn(&digits[..19]),
            // The check digit is left out.
            18 => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

/// A vehicle number, in capitals, with the check digit that North America and China demand.
#[must_use]
pub fn is_vin(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if !is_vin_shape(text) {
        return false;
    }
    let sum: u32 = text.iter().zip(WEIGHTS).map(|(byte, weight)| vin_value(*byte) * weight).sum();
    let check = if sum % 11 == 10 { b'X' } else { b'0' + (sum % 11) as u8 };
    text[8] == check
}

const fn vin_value(byte: u8) -> u32 {
    (match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'H' => byte - b'A' + 1,
        b'J'..=b'R' => byte - b'J' + 1,
        _ => byte.saturating_sub(b'S') + 2,
    }) as u32
}

/// Shaped like a vehicle number: no I, O or Q, a letter in the maker's part, digits at the end.
#[must_use]
pub fn is_vin_shape(text: &[u8]) -> bool {
    text.len() == 17
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"IOQ".contains(byte)))
        && text[..3].iter().any(u8::is_ascii_uppercase)
        && text[13..].iter().all(u8::is_ascii_digit)
}
